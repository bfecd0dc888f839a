"""A file as a model is given it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Literal

from curc_llm.attachments.tokens import estimate_tokens

Kind = Literal["text", "code", "table", "pdf", "notebook", "image"]
KINDS: tuple[Kind, ...] = ("text", "code", "table", "pdf", "notebook", "image")


@dataclass(frozen=True)
class Attachment:
    """A file that was read, and that goes with a question.

    Args:
        name: what it is called, on one line; see `names.make_name`.
        kind: what it is.
        text: what the model is given of it; what was left out is said in it. Empty for images.
        note: the same for people, in a sentence or two: what was left out, or how it was read.
        image: a data URL, for images alone.
        num_bytes: of the file as it was found.
        image_tokens: estimate of what the image costs; 0 without one.
        language: of the code, for a fenced block; may be empty.
        key: tells this one from others on the page; not kept.
    """

    name: str
    kind: Kind
    text: str = ""
    note: str = ""
    image: str = ""
    num_bytes: int = 0
    image_tokens: int = 0
    language: str = ""
    key: str = field(default_factory=lambda: secrets.token_hex(6), compare=False)
    num_tokens: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_tokens", self.image_tokens + estimate_tokens(self.text))

    @property
    def num_chars(self) -> int:
        """Length of the text."""
        return len(self.text)

    @property
    def is_image(self) -> bool:
        """Whether the model must be able to see."""
        return bool(self.image)
