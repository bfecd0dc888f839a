"""Texts as vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from curc_llm.client.messages import clean
from curc_llm.errors import MissingPackageError, PromptError

# vLLM computes a request's texts side by side; more in one request only make it larger.
TEXTS_PER_REQUEST = 128


def check_texts(texts: Any) -> list[str]:
    """The texts as a list; one text counts as a list of one.

    Raises:
        PromptError: one isn't a text, such as the NaN of an empty cell.
    """
    if isinstance(texts, str):
        return [clean(texts)]
    if not isinstance(texts, Iterable):
        raise PromptError(
            f"embed() takes a text or a list of texts, not {type(texts).__name__}.", "Give it such."
        )
    found = list(texts)
    for place, text in enumerate(found):
        if not isinstance(text, str):
            raise PromptError(
                f"Text {place} is {type(text).__name__} {text!r:.40}, not str.", "Leave it out, or use str()."
            )
    return [clean(text) for text in found]


def split(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in portions, each for one request."""
    for start in range(0, len(texts), TEXTS_PER_REQUEST):
        yield list(texts[start : start + TEXTS_PER_REQUEST])


def read_vectors(raw: Any) -> list[list[float]]:
    """The vectors of a response, in the order of its texts."""
    return [list(item.embedding) for item in sorted(raw.data, key=lambda item: item.index)]


def make_array(vectors: list[list[float]]) -> Any:
    """The vectors as the rows of a float32 array, which is as exact as engines compute them.

    Raises:
        MissingPackageError: numpy isn't installed.
    """
    try:
        import numpy as np
    except ModuleNotFoundError:
        raise MissingPackageError(
            "as_array=True needs the package numpy, which isn't installed.",
            "Install it, or leave as_array out: pip install 'curc-llm[jupyter]'",
        ) from None
    return np.asarray(vectors, dtype=np.float32)
