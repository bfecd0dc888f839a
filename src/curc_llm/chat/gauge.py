"""How many tokens messages will take, before the engine has counted them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ApiMessage = dict[str, Any]

# OpenAI's rule of thumb for English (https://help.openai.com/en/articles/4936856); the others are ours,
# rather too high than too low, until this chat's own counts correct them.
LATIN_CHARS_PER_TOKEN = 4.0
OTHER_CHARS_PER_TOKEN = 2.5
WIDE_CHARS_PER_TOKEN = 1.0
MESSAGE_TOKENS = 4  # the marks of a chat template around one message
IMAGE_TOKENS = 1_000  # a picture of about a megapixel; models differ between 250 and 3,000
# Below this the template's own words weigh too much for a ratio to be learnt.
LEARN_FROM_TOKENS = 200
MOST_RATIO = 4.0

# Kana, Chinese, Korean, their punctuation, and pictures such as emoji.
_WIDE = re.compile("[\u2e80-\ud7ff\uf900-\ufaff\ufe30-\uffef\U0001f000-\U0003ffff]")
_OTHER = re.compile("[^\x00-\u024f]")


@dataclass(frozen=True)
class Gauge:
    """Estimates tokens, better with what the engine has counted of this chat.

    Args:
        ratio: tokens that the engine counted for each one that was estimated.

    Example:
        >>> Gauge().count([{"role": "user", "content": "Wie viele Tokens sind das hier?"}])
        12
    """

    ratio: float = 1.0

    def count(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Tokens that these messages will take."""
        return round(self.ratio * sum(map(_estimate, messages)))

    def learn(self, messages: Sequence[Mapping[str, Any]], tokens: int | None) -> Gauge:
        """A gauge that agrees with a count of the engine.

        Args:
            messages: what was counted.
            tokens: how many there were; None changes nothing, nor does a text too short to learn from.
        """
        estimate = sum(map(_estimate, messages))
        if not tokens or estimate < LEARN_FROM_TOKENS:
            return self
        return Gauge(min(max(tokens / estimate, 1 / MOST_RATIO), MOST_RATIO))


def estimate_text(text: str) -> float:
    """Tokens of a text, roughly.

    Example:
        >>> estimate_text("four letters"), estimate_text("日本語")
        (3.0, 3.0)
    """
    if text.isascii():
        return len(text) / LATIN_CHARS_PER_TOKEN
    wide = len(_WIDE.findall(text))
    other = len(_OTHER.findall(text)) - wide
    latin = len(text) - wide - other
    return latin / LATIN_CHARS_PER_TOKEN + other / OTHER_CHARS_PER_TOKEN + wide / WIDE_CHARS_PER_TOKEN


def read_content(message: Mapping[str, Any]) -> str:
    """The text of a message; pictures in it are named only."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(_read_part(part) for part in content)


def _read_part(part: Any) -> str:
    text = part.get("text") if isinstance(part, Mapping) else None
    return text if isinstance(text, str) else "[picture]"


def _estimate(message: Mapping[str, Any]) -> float:
    content = message.get("content") or ""
    if isinstance(content, str):
        return MESSAGE_TOKENS + estimate_text(content)
    return MESSAGE_TOKENS + sum(map(_estimate_part, content))


def _estimate_part(part: Any) -> float:
    text = part.get("text") if isinstance(part, Mapping) else None
    return estimate_text(text) if isinstance(text, str) else IMAGE_TOKENS
