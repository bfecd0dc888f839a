"""One look at all rows before any is sent: how many they are, what each asks, and whether it can be asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from curc_llm.batch.row import DIGEST_BYTES, Request
from curc_llm.batch.trouble import BatchInputError

ROW_PREFIX = "row-"


@dataclass
class Survey:
    """What is known of the rows: 12 bytes for each, so that a million of them needs little memory.

    Args:
        digests: of all rows, one after the other.
        indices: which row has a custom_id; only for ids that the input brought.
        models: which models are asked for, and the first row that asks.
        urls: which routes are asked for.
    """

    digests: bytearray = field(default_factory=bytearray)
    indices: dict[str, int] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)
    urls: set[str] = field(default_factory=set)

    @property
    def total(self) -> int:
        """How many rows there are."""
        return len(self.digests) // DIGEST_BYTES

    def digest(self, index: int) -> bytes:
        """What row `index` asks."""
        return bytes(self.digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES])

    @property
    def fingerprint(self) -> str:
        """What names the whole batch: the same rows give the same name."""
        return hashlib.blake2b(self.digests, digest_size=8).hexdigest()


def name_row(index: int) -> str:
    """The custom_id of a row that came without one.

    Example:
        >>> name_row(17)
        'row-17'
    """
    return f"{ROW_PREFIX}{index}"


def parse_row_name(custom_id: str) -> int | None:
    """The index that `name_row` wrote, None for any other id."""
    digits = custom_id.removeprefix(ROW_PREFIX)
    is_own = custom_id.startswith(ROW_PREFIX) and digits.isascii() and digits.isdigit() and len(digits) < 12
    return int(digits) if is_own and name_row(int(digits)) == custom_id else None


def make_survey(requests: Iterable[Request]) -> Survey:
    """Goes through all rows once; what is wrong with one is said here.

    Raises:
        BatchInputError: there is no row, or two have the same custom_id.
    """
    survey = Survey()
    for index, request in enumerate(requests):
        survey.digests += request.digest
        survey.models.setdefault(request.model, index)
        survey.urls.add(request.url)
        if request.custom_id != name_row(index):
            _note_id(survey, request.custom_id, index)
    if not survey.total:
        raise BatchInputError("There are no rows to ask.", "Give at least one prompt.")
    return survey


def _note_id(survey: Survey, custom_id: str, index: int) -> None:
    first = survey.indices.setdefault(custom_id, index)
    own = parse_row_name(custom_id)
    if first == index and own is not None:
        raise BatchInputError(
            f"The custom_id {custom_id!r} of row {index} is the name of another row.",
            "Give ids of your own to all rows, or to none.",
        )
    if first != index:
        raise BatchInputError(
            f"The custom_id {custom_id!r} occurs twice, in rows {first} and {index} (counted from 0).",
            "Each row needs an id of its own.",
        )


def follow(requests: Iterable[Request], survey: Survey) -> Iterator[tuple[int, Request]]:
    """The rows once more, with their index.

    Raises:
        BatchInputError: they are not what they were a moment ago.
    """
    index = -1
    for index, request in enumerate(requests):
        if request.digest != survey.digest(index):
            raise BatchInputError(
                f"Row {index} changed while the batch ran.", "Leave its input as it is until it is done."
            )
        yield index, request
    if index + 1 != survey.total:
        raise BatchInputError(
            f"The input had {survey.total:,} rows and has {index + 1:,} now.",
            "Leave it as it is until the batch is done.",
        )
