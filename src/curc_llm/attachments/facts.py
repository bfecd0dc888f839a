"""An attachment as it is kept with the question of a saved chat, so that a later session can go on with it.

In the chat's file: `{"id", …, "role": "user", …, "attachments": [FACTS, …], "content": …}`. What is read back
may come from an imported file, so nothing of it is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from curc_llm.attachments.attachment import KINDS, Attachment
from curc_llm.attachments.names import make_name

Facts = dict[str, Any]
_IMAGE = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}")
_LANGUAGE = re.compile(r"[A-Za-z][A-Za-z0-9+#-]{0,19}")
MOST_TEXT_CHARS = 4_000_000
MOST_IMAGE_CHARS = 8_000_000
MOST_ATTACHMENTS = 50


def to_facts(attachment: Attachment) -> Facts:
    """What is kept of an attachment: JSON, with its text and image.

    Example:
        >>> to_facts(Attachment("a.py", "code", "x = 1", num_bytes=5, language="python"))
        {'name': 'a.py', 'kind': 'code', 'num_bytes': 5, 'language': 'python', 'text': 'x = 1'}
    """
    values = {
        "name": attachment.name,
        "kind": attachment.kind,
        "num_bytes": attachment.num_bytes,
        "language": attachment.language,
        "note": attachment.note,
        "text": attachment.text,
        "image": attachment.image,
        "image_tokens": attachment.image_tokens,
    }
    return {name: value for name, value in values.items() if value or name == "num_bytes"}


def from_facts(facts: Any) -> Attachment | None:
    """The attachment; None for what is none, or is larger than any that was written here.

    Example:
        >>> from_facts({"name": "a.py", "kind": "code", "text": "x = 1"}).text
        'x = 1'
    """
    if not isinstance(facts, dict) or facts.get("kind") not in KINDS:
        return None
    text, image = _text(facts.get("text"), MOST_TEXT_CHARS), _text(facts.get("image"), MOST_IMAGE_CHARS)
    is_image = facts["kind"] == "image"
    if is_image and not _IMAGE.fullmatch(image):
        return None
    language = _text(facts.get("language"), 20)
    return Attachment(
        make_name(_text(facts.get("name"), 4096)),
        facts["kind"],
        "" if is_image else text,
        " ".join(_text(facts.get("note"), 2000).split()),
        image if is_image else "",
        _number(facts.get("num_bytes")),
        _number(facts.get("image_tokens")) if is_image else 0,
        language if _LANGUAGE.fullmatch(language) else "",
    )


def list_attachments(facts: Any) -> list[Attachment]:
    """All that are kept with a question: `message.facts.get("attachments")`; what is none is left out."""
    values: Iterable[Any] = facts[:MOST_ATTACHMENTS] if isinstance(facts, list) else ()
    found = (from_facts(value) for value in values)
    return [one for one in found if one is not None]


def _text(value: Any, most_chars: int) -> str:
    return value if isinstance(value, str) and len(value) <= most_chars else ""


def _number(value: Any) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value < 2**60 else 0
