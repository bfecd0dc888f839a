"""What a request will cost an engine, and how it begins: what routing and queueing go by. Estimates, no more.

Nothing is tokenised: that would cost a megabyte's request more than everything else the gateway does to it.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# English text has about four characters a token (OpenAI, "What are tokens and how to count them?").
CHARACTERS_PER_TOKEN = 4
# An image becomes some hundred to some thousand tokens, however many bytes carry it.
IMAGE_CHARACTERS = 4000
# Inside a long text beginnings are told apart at this many characters, then at twice as many, and so on.
FIRST_CUT = 1024
# Of a long conversation its first and its last turns tell where it belongs.
_FIRST_MARKS, _LAST_MARKS = 32, 96

Marks = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Work:
    """What one request asks of an engine.

    Args:
        prompt_tokens: estimated.
        answer_tokens: most that it may answer; 0 when it doesn't say.
        sequences: answers that are worked on at once, each of which takes one of the engine's slots.
        marks: its beginnings, shortest first: a hash, and the characters up to there.
        body_bytes: what it takes of memory while it waits.
    """

    prompt_tokens: int = 0
    answer_tokens: int = 0
    sequences: int = 1
    marks: Marks = ()
    body_bytes: int = 0


def measure_work(document: Mapping[str, Any] | None, body_bytes: int, *, with_marks: bool) -> Work:
    """Reads it from a request's JSON.

    Args:
        document: the parsed body; None for forms, which are taken for one short request.
        body_bytes: its size.
        with_marks: whether anybody will ask how it begins; a single engine gets all anyway.

    Example:
        >>> work = measure_work({"prompt": "x" * 400, "max_tokens": 9}, 420, with_marks=True)
        >>> work.prompt_tokens, work.answer_tokens, work.sequences, len(work.marks)
        (100, 9, 1, 1)
    """
    if document is None:
        return Work(body_bytes=body_bytes)
    texts = list(_list_texts(document))
    characters = sum(size for _, size in texts)
    return Work(
        prompt_tokens=characters // CHARACTERS_PER_TOKEN,
        answer_tokens=_read_answer_tokens(document),
        sequences=_count_sequences(document),
        marks=_make_marks(document.get("model"), texts) if with_marks else (),
        body_bytes=body_bytes,
    )


def _read_answer_tokens(document: Mapping[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
        if isinstance(wanted := document.get(name), int):
            return max(0, wanted)
    return 0


def _count_sequences(document: Mapping[str, Any]) -> int:
    n, prompt = document.get("n"), document.get("prompt")
    prompts = len(prompt) if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int) else 1
    return max(1, prompts * (n if isinstance(n, int) and n > 0 else 1))


def _list_texts(document: Mapping[str, Any]) -> Iterator[tuple[Any, int]]:
    """The texts of a request in their order, each with its size in characters."""
    for name in ("instructions", "system", "prompt"):
        if (value := document.get(name)) is not None:
            yield value, _count_characters(value)
    for name in ("messages", "input"):
        value = document.get(name)
        for item in value if isinstance(value, list) else [] if value is None else [value]:
            said = item.get("content") if isinstance(item, dict) else item
            yield (item if not isinstance(said, str) else said), _count_characters(said)


def _count_characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if not isinstance(value, list):
        return 0
    if value and isinstance(value[0], int):
        return len(value) * CHARACTERS_PER_TOKEN  # token ids
    return sum(map(_count_part, value))


def _count_part(part: Any) -> int:
    if isinstance(part, dict):
        text = part.get("text")
        return len(text) if isinstance(text, str) else IMAGE_CHARACTERS
    return len(part) if isinstance(part, str | list) else 1


def _make_marks(model: Any, texts: list[tuple[Any, int]]) -> Marks:
    # The same words to another model or adapter are another beginning.
    mark, characters, marks = _hash(model), 0, []
    for value, size in texts:
        if isinstance(value, str):
            cut = FIRST_CUT
            while cut < size:
                marks.append((hash((mark, hash(value[:cut]))), characters + cut))
                cut *= 2
        mark = hash((mark, _hash(value)))
        characters += size
        marks.append((mark, characters))
    if len(marks) > _FIRST_MARKS + _LAST_MARKS:
        marks = marks[:_FIRST_MARKS] + marks[-_LAST_MARKS:]
    return tuple(marks)


def _hash(value: Any) -> int:
    """A hash of any JSON value; Python's own for texts is keyed anew in each process and runs at GB/s."""
    if isinstance(value, str):
        return hash(value)
    try:
        return hash(marshal.dumps(value, 2))  # version 2: equal values give equal bytes
    except ValueError:
        return 0  # nested deeper than marshal goes: it begins like nothing else
