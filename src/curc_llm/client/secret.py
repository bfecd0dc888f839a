"""An API key that can be used, but not shown by accident."""

from __future__ import annotations

import hmac
from typing import NoReturn

from curc_llm.errors import KeyFileError


class Secret:
    """A key whose repr, str and format show nothing of it, and that can't be pickled.

    Args:
        text: the key; white space around it is dropped.

    Raises:
        KeyFileError: it is empty or holds characters that an HTTP header can't carry. Refused here, because
            HTTP libraries put the whole offending header into their error.

    Example:
        >>> Secret("curc-abc")
        Secret(****)
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        text = text.strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise KeyFileError(
                "The API key is empty, or isn't one line of letters and digits.", "Copy it again."
            )
        self._text = text

    def reveal(self) -> str:
        """The key itself; only for the header of a request."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text, other._text)

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return "Secret(****)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret can't be pickled: it would be written in clear.")
