r"""The format of a saved chat: JSON objects, one a line, only ever added. Safe on NFS, readable by eye.

**Lines.** The first says what the file is; what a reader doesn't know it skips; `at` is Unix time in seconds.

- `{"chat": 2, "chat_id", "title", "host", "created_at", …}`: the head. `host` is the kernel whose
  processes may add to this file (`hosts.find_host`).
- `{"id", "parent", "role": "user", "at", …, "content"}`: a question. `parent` is the id of the message
  before it, null for a beginning. Two messages with one parent are branches: a question that was edited, an
  answer that was asked again.
- `{"id", "parent", "role": "assistant", "at", "model", "finish_reason", "prompt_tokens", …, "status",
  "reasoning", "content"}`: an answer; `status` is `done`, `stopped` or `failed` (then there is `trouble` with
  `message` and `remedy`), or `unfinished` when the process that wrote it died. `"edited": true`: a person
  changed its text; the model's own is another branch.
- `{"show": id, "end", "at"}`: the branch with this message is shown from here on; with `"end": true` nothing
  below it; null shows none. A message that is added is shown by itself.
- `{"set": {"title", "pinned", "deleted_at", "system", …}, "at"}`: each name's last value counts; null takes
  it away. `deleted_at` is the tombstone: undo sets it to null, a message that is begun later makes
  it void, `purge` removes the files weeks later.
- `{"mark": id, "facts": {"rating": 1}, "at"}`: something to know of a message that is there already.
- `{"part": text}` and `{"thought": text}`: pieces of an answer that is being written; they stand in a file of
  the answer's own (below) after its head, which is the answer's line without texts.

A line with an id that was there before takes its place (not its parent). Files of the notebook's first
version (`"chat": 1`) have numbers as ids and no parents: each message follows the one before it,
`{"system": text}` sets the system prompt, and `{"drop_from": id}` takes a message and all after it out of
what is shown.

**Files.** `ID.jsonl` is a chat. `ID~HOST.jsonl` has what other hosts added to it, `ID~ANSWER.part` the answer
that is being written; readers put all of them together, in the order of `at`.

**Why nothing gets lost or mixed up.** `O_APPEND` is atomic for all processes of one kernel (the kernel takes
the inode's lock and looks up the end of the file under it, on NFS too), but not between NFS clients, whose
appends overwrite each other; and locks are something that NFS often lacks. So a file only ever has writers of
one kernel, each line is one `write`, and another host makes a file of its own. Two tabs or two sessions that
ask at the same time make two branches of one chat.

**What a crash costs.** The question is written before it is sent. An answer's pieces are written within 80
ms by a thread of their own, whole answers at their end. A process killed by `kill -9` loses what came since
the last write, less than 100 ms; the kernel has the rest. A whole answer is also synced (`fsync`) before
its `.part` file goes away; questions and pieces are not, for a disk's sync may take longer than a first
token. So a node that loses its power takes with it at most what its kernel hadn't written yet: on a local
disk the last half minute or so (Linux writes dirty pages after 30 s, `vm.dirty_expire_centisecs`), on NFS
the answer that was being written (closing a file sends everything). A line torn by a crash or a full disk
is skipped and told; the line that was added behind it is found all the same.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FORMAT = 2
Line = dict[str, Any]

# Where a line may begin in the middle of a torn one.
_BEGINNING = re.compile(rb'\{"(?:id|set|show|mark|chat|part|thought)": ')
_MOST_BEGINNINGS = 20
_EMPTY = b"\0 \t\r"


@dataclass(frozen=True)
class Lines:
    """What was read of a file.

    Args:
        values: the lines, in their order.
        num_skipped: lines that are no JSON objects.
    """

    values: list[Line]
    num_skipped: int


def render_line(value: Mapping[str, Any]) -> bytes:
    r"""A line of the file.

    Lone surrogates become question marks, numbers that JSON lacks null; values nested without end go.

    Example:
        >>> render_line({"set": {"title": "Ünits"}, "at": 1.5})
        b'{"set": {"title": "\xc3\x9cnits"}, "at": 1.5}\n'
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except RecursionError:
        text = json.dumps(
            {k: v for k, v in value.items() if not isinstance(v, dict | list)}, ensure_ascii=False
        )
    except ValueError:
        text = json.dumps(_without_odd_numbers(value), ensure_ascii=False)
    return text.encode("utf-8", "replace") + b"\n"


def parse_lines(data: bytes) -> Lines:
    r"""Reads lines. Damaged ones are counted and left out, a whole one behind a torn one is found.

    Example:
        >>> parse_lines(b'{"id": "a"}\n{"id": "b", "con{"id": "c"}\n')
        Lines(values=[{'id': 'a'}, {'id': 'c'}], num_skipped=1)
    """
    values: list[Line] = []
    num_skipped = 0
    for row in data.split(b"\n"):
        if not (clean := row.strip(_EMPTY)):
            continue
        value = _parse(clean)
        if value is None:
            num_skipped += 1
            value = _find_whole(clean)
        if value is not None:
            values.append(value)
    return Lines(values, num_skipped)


def join(lines: Iterable[Mapping[str, Any]]) -> bytes:
    """Several lines, for one write."""
    return b"".join(map(render_line, lines))


def _parse(row: bytes) -> Line | None:
    try:
        value = json.loads(row.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _find_whole(row: bytes) -> Line | None:
    """The line at the end of a torn one, when one was added behind it."""
    for number, match in enumerate(_BEGINNING.finditer(row, 1)):
        if number == _MOST_BEGINNINGS:
            break
        if (value := _parse(row[match.start() :])) is not None:
            return value
    return None


def _without_odd_numbers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _without_odd_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_odd_numbers(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
