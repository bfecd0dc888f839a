"""The answers of a whole batch, in the rows' order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curc_llm.batch.journal import Journal
from curc_llm.batch.line import RowError
from curc_llm.batch.shape import Shape, read_answer


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row.

    Args:
        value: the answer; None for a row that failed.
        error: why it failed; None when it didn't.
        json_value: the answer as plain JSON, for tables.
        text: what the model wrote, also where it doesn't have the shape that was asked for.
        finish_reason: why the answer ended; `length`: it was cut off.
    """

    value: Any
    error: RowError | None
    json_value: Any = None
    text: str = ""
    finish_reason: str | None = None


class Results(list[Any]):
    """The answers, in the order of the prompts; None for rows that failed.

    Args:
        values: the answers.
        errors: why rows failed, by their index.
        path: the file with the whole responses.

    Example:
        >>> answers = session.map(prompts)                  # doctest: +SKIP
        >>> answers[0], answers.errors                      # doctest: +SKIP
    """

    def __init__(self, values: list[Any], errors: dict[int, str], path: Path) -> None:
        super().__init__(values)
        self.errors = errors
        self.path = path


def read_outcomes(journal: Journal, shape: Shape, total: int) -> Iterator[Outcome]:
    """What became of each row."""
    for index in range(total):
        line = journal.read(index)
        yield (
            Outcome(None, RowError("not_asked", "It wasn't asked yet."))
            if line is None
            else make_outcome(line, shape)
        )


def make_outcome(line: dict[str, Any], shape: Shape) -> Outcome:
    """What a line of the results says of its row."""
    document = (line.get("response") or {}).get("body")
    error = line.get("error")
    text, finish_reason = _read_text(document, shape)
    if error is not None:
        return Outcome(None, RowError(error["code"], error["message"]), None, text, finish_reason)
    value = shape.read(document or {})
    as_json = value if shape.is_vector else text if shape.parse is None else json.loads(text)
    return Outcome(value, None, as_json, text, finish_reason)


def _read_text(document: Any, shape: Shape) -> tuple[str, str | None]:
    if shape.is_vector or not isinstance(document, dict):
        return "", None
    try:
        answer = read_answer(document, shape.url)
    except ValueError:
        return "", None
    return answer.text, answer.finish_reason


def collect(journal: Journal, shape: Shape, total: int) -> Results:
    """All answers as a list."""
    values, errors = [], {}
    for index, outcome in enumerate(read_outcomes(journal, shape, total)):
        values.append(outcome.value)
        if outcome.error is not None:
            errors[index] = outcome.error.message
    if shape.is_vector:
        values = [None if value is None else list(value) for value in values]
    return Results(values, errors, journal.path)
