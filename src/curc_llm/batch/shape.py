"""What is made of an answer's JSON: a text, an object of a given shape, or a vector."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from curc_llm.batch.line import RowError
from curc_llm.batch.row import CHAT, EMBEDDINGS
from curc_llm.client.answer import Answer, Usage
from curc_llm.errors import SchemaError

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Shape:
    """What the answers of a batch are.

    Args:
        url: the route that was asked.
        parse: reads a text of a given shape (`client.schema.Schema.parse`); None for plain text.
    """

    url: str
    parse: Callable[[str, str | None], Any] | None = None

    @property
    def is_vector(self) -> bool:
        """Whether answers are vectors."""
        return self.url == EMBEDDINGS

    def read(self, document: dict[str, Any]) -> Any:
        """The value that a row of the results gets.

        Raises:
            SchemaError: the text doesn't have the shape.
            ValueError: the document isn't an answer of this route.
        """
        if self.is_vector:
            return read_vector(document)
        answer = read_answer(document, self.url)
        return answer if self.parse is None else self.parse(answer.text, answer.finish_reason)

    def check(self, document: dict[str, Any]) -> RowError | None:
        """Why an answer can't be used; None when it can."""
        try:
            self.read(document)
        except SchemaError as error:
            return RowError("schema_mismatch", error.message)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            return RowError("unreadable_answer", f"The answer can't be read: {error}.")
        return None


def read_answer(document: dict[str, Any], url: str = CHAT) -> Answer:
    """The first choice of an answer's JSON. Its `raw` stays empty: a batch's whole responses are in its file.

    Raises:
        ValueError: it has none.
    """
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        raise ValueError("it has no choices")
    choice = choices[0]
    message = choice.get("message") or {} if url == CHAT else {"content": choice.get("text")}
    usage = document.get("usage") or {}
    return Answer(
        message.get("content") or "",
        reasoning=message.get("reasoning") or message.get("reasoning_content") or "",
        usage=Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)),
        finish_reason=choice.get("finish_reason"),
        model=str(document.get("model") or ""),
    )


def read_vector(document: dict[str, Any]) -> array[float]:
    """The vector of an answer's JSON, from numbers or from base64 (little-endian 32 bit floats).

    Raises:
        ValueError: it has none.

    Example:
        >>> read_vector({"data": [{"embedding": "AACAPwAAAEA="}]})
        array('f', [1.0, 2.0])
    """
    data = document.get("data")
    if not isinstance(data, list) or not data:
        raise ValueError("it has no vector")
    given = data[0].get("embedding")
    if not isinstance(given, str):
        return array("f", given)
    vector = array("f")
    vector.frombytes(base64.b64decode(given, validate=True))
    return vector
