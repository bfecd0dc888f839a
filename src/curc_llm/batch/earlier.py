"""What an earlier run left in the file of the results, checked against the rows that are to be asked now."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curc_llm.batch.line import ID_PREFIX, Identity, parse_line
from curc_llm.batch.survey import Survey
from curc_llm.batch.trouble import BatchFileError

READ_BYTES = 1024 * 1024
# How each of our lines begins, and so half of one too.
_BEGINNING = f'{{"id":"{ID_PREFIX}'.encode()


@dataclass
class Earlier:
    """Which rows are done.

    Args:
        offsets: where each row's last line begins, in bytes; -1 for rows without one.
        failed: 1 for rows whose line is an error.
        size: bytes that are whole lines.
        in_order: whether the lines come in the order of the rows.
    """

    offsets: array[int]
    failed: bytearray
    size: int = 0
    in_order: bool = True
    num_done: int = 0
    num_failed: int = 0
    _last: int = field(default=-1, repr=False)

    def note(self, index: int, offset: int, *, failed: bool) -> None:
        """Takes a row's line; of several the last counts."""
        self._forget(index)
        self.in_order = self.in_order and index > self._last
        self._last = index
        self.offsets[index], self.failed[index] = offset, failed
        self.num_failed += failed
        self.num_done += not failed

    def _forget(self, index: int) -> None:
        if self.offsets[index] >= 0:
            self.num_failed -= self.failed[index]
            self.num_done -= not self.failed[index]


@dataclass
class _Strange:
    """Lines that don't belong to this batch."""

    foreign: int = 0
    changed: int = 0
    first_changed: int = -1
    model: str = ""


def read_earlier(descriptor: int, path: Path, survey: Survey) -> Earlier:
    """Reads the file.

    A line that can't be read is left out, for its row is simply asked again: a lost node can leave such
    lines, and a killed process half of one at the end.

    Raises:
        BatchFileError: what is in it isn't of this batch.
    """
    earlier = Earlier(array("q", [-1]) * survey.total, bytearray(survey.total))
    strange = _Strange()
    end = 0
    for offset, line in _read_lines(descriptor):
        end = offset + len(line)
        if line == b"\n":  # left by a process that was killed while it tried whether there is room
            continue
        earlier.in_order = earlier.in_order and offset == earlier.size
        earlier.size = end
        if (parsed := parse_line(line)) is None:
            strange.foreign += 1
            earlier.in_order = False  # so that the line is gone when the file is put in order
            continue
        _take(earlier, strange, survey, offset, *parsed)
    torn = os.pread(descriptor, len(_BEGINNING), end)
    strange.foreign += not _BEGINNING.startswith(torn)
    _refuse_strange(earlier, strange, path, survey)
    return earlier


def _read_lines(descriptor: int) -> Iterator[tuple[int, bytes]]:
    """Whole lines and where they begin; what comes behind the last line feed isn't one."""
    place, begun = 0, b""
    while data := os.pread(descriptor, READ_BYTES, place + len(begun)):
        *whole, rest = (begun + data).split(b"\n")
        for line in whole:
            yield place, line + b"\n"
            place += len(line) + 1
        begun = rest


def _take(
    earlier: Earlier,
    strange: _Strange,
    survey: Survey,
    offset: int,
    identity: Identity,
    line: dict[str, Any],
) -> None:
    index = identity.index
    if index < survey.total and survey.digest(index) == identity.digest:
        earlier.note(index, offset, failed=line.get("error") is not None)
        return
    strange.changed += 1
    if strange.first_changed < 0:
        strange.first_changed, strange.model = index, _read_model(line)


def _read_model(line: dict[str, Any]) -> str:
    body = (line.get("response") or {}).get("body") or {}
    return str(body.get("model") or "") if isinstance(body, dict) else ""


def _refuse_strange(earlier: Earlier, strange: _Strange, path: Path, survey: Survey) -> None:
    remedy = (
        "Name another file for the results, or begin anew, which deletes these: resume=False (--restart)."
    )
    known = earlier.num_done + earlier.num_failed
    if strange.changed:
        if not known and strange.model and strange.model not in survey.models and survey.models:
            asked = ", ".join(map(repr, survey.models))
            raise BatchFileError(
                f"{path} was begun with the model {strange.model!r}, and {asked} is asked now.", remedy
            )
        what = f"{strange.changed:,} of the rows that it holds ask something else now"
        first = strange.first_changed
        where = (
            f"the first is row {first} (counted from 0)"
            if first < survey.total
            else f"the input has {survey.total:,} rows, and it holds row {first}"
        )
        raise BatchFileError(
            f"{path} is of another batch, or the input has changed: {what}; {where}.", remedy
        )
    if strange.foreign and not known:
        raise BatchFileError(f"{path} exists and holds something else than results of a batch.", remedy)
