"""Attachments and a question as the content of one message of the OpenAI API."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from curc_llm.attachments.attachment import Attachment
from curc_llm.attachments.errors import ImagesRefusedError
from curc_llm.attachments.sizes import render_size

Content = str | list[dict[str, Any]]
_TICKS = re.compile(r"`{3,}")
_WORDS = {
    "text": "text",
    "code": "code",
    "table": "table",
    "pdf": "PDF, as text",
    "notebook": "Jupyter notebook, as text",
    "image": "image",
}


def make_content(
    question: str,
    attachments: Sequence[Attachment],
    takes_images: bool | None,
    models_with_eyes: Sequence[str] = (),
) -> Content:
    """What is sent for a question with attachments: files before the question, images as data URLs.

    Args:
        question: what was asked; may be empty.
        attachments: in their order.
        takes_images: whether the model does; None: not known, then the engine is asked.
        models_with_eyes: names of served models that take images, for the refusal.

    Raises:
        ImagesRefusedError: there is an image, and the model takes none.

    Example:
        >>> attachment = Attachment("a.py", "code", "1/0", num_bytes=3, language="python")
        >>> print(make_content("Why?", [attachment], takes_images=False))
        Attached file: a.py (code, 3 bytes)
        ```python
        1/0
        ```
        <BLANKLINE>
        Why?
    """
    images = [one for one in attachments if one.is_image]
    if images and takes_images is False:
        raise refuse_images(images, models_with_eyes)
    texts = [render_block(one) for one in attachments if not one.is_image]
    if not images:
        return "\n\n".join(piece for piece in (*texts, question) if piece)
    parts: list[dict[str, Any]] = []
    for one in images:
        parts.append({"type": "text", "text": f"Attached image: {one.name}"})
        parts.append({"type": "image_url", "image_url": {"url": one.image}})
    rest = "\n\n".join(piece for piece in (*texts, question) if piece)
    return [*parts, {"type": "text", "text": rest}] if rest else parts


def make_past_content(question: str, attachments: Sequence[Attachment], takes_images: bool | None) -> Content:
    """As `make_content`, for a question that was asked before, maybe to another model: nothing is refused.

    Where an image can't be sent, a sentence stands for it, so that the model doesn't answer as if it saw it.
    """
    if takes_images is not False:
        return make_content(question, attachments, takes_images)
    said = [
        f"[The image {one.name} was attached here; it can't be shown to you.]"
        for one in attachments
        if one.is_image
    ]
    texts = make_content("", [one for one in attachments if not one.is_image], takes_images=False)
    return "\n\n".join(piece for piece in (*said, str(texts), question) if piece)


def refuse_images(
    images: Sequence[Attachment], models_with_eyes: Sequence[str] = (), remedy: str = ""
) -> ImagesRefusedError:
    """The sentence for a model that sees nothing, with one that does, if any is served.

    Args:
        images: what it can't be given.
        models_with_eyes: names of served models that take images.
        remedy: what to do, where they aren't attached yet; empty: remove them, or choose such a model.
    """
    names = ", ".join(one.name for one in images[:3]) + (f" and {len(images) - 3} more" if images[3:] else "")
    what = f"{names} is an image" if len(images) == 1 else f"{names} are images"
    if not remedy:
        remedy = "Remove it." if len(images) == 1 else "Remove them."
        if models_with_eyes:
            remedy = f"Choose {' or '.join(models_with_eyes[:3])}, or r{remedy[1:]}"
    return ImagesRefusedError(f"{what}, and this model takes text alone.", remedy)


def render_block(attachment: Attachment) -> str:
    """A file's text as a fenced block under its name; the fence is longer than any in the text."""
    fence = make_fence(attachment.text)
    facts = f"{_WORDS[attachment.kind]}, {render_size(attachment.num_bytes)}"
    note = f" {attachment.note}" if attachment.note else ""
    head = f"Attached file: {attachment.name} ({facts}){'.' if note else ''}{note}"
    return f"{head}\n{fence}{attachment.language}\n{attachment.text.rstrip()}\n{fence}"


def make_fence(text: str) -> str:
    """Backticks, one more than any run of them in the text, at least three.

    Example:
        >>> make_fence("a ```` b")
        '`````'
    """
    return "`" * max((len(run) + 1 for run in _TICKS.findall(text)), default=3)
