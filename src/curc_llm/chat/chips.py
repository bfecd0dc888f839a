"""Attachments as chips: in the composer, where they can be removed, and above a question that was asked.

Everything that comes from a file is escaped, for HTML and for the Markdown that Gradio takes our HTML for.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from curc_llm.attachments import Attachment
from curc_llm.attachments.sizes import render_size, render_tokens

_ICONS = {"text": "TXT", "code": "&lt;/&gt;", "table": "CSV", "pdf": "PDF", "notebook": "NB", "image": "IMG"}
_WORDS = {
    "text": "Text",
    "code": "Code",
    "table": "Table",
    "pdf": "PDF",
    "notebook": "Notebook",
    "image": "Image",
}
# What Markdown, formulas or a placeholder of Gradio could take for their own.
_SIGNS = str.maketrans({sign: f"&#{ord(sign)};" for sign in "\\`*_{}[]()+-.!|~:@^="})


def render_chips(attachments: Sequence[Attachment], *, is_removable: bool = True, ratio: float = 1.0) -> str:
    """The chips as HTML, on one line; empty without attachments.

    Args:
        attachments: in their order.
        is_removable: with a button that sends `detach` and the attachment's key; not for what was sent.
        ratio: tokens that the engine counted in this chat for each one that was estimated.
    """
    if not attachments:
        return ""
    label = "Files to send" if is_removable else "Attached files"
    chips = "".join(_render_chip(one, is_removable, ratio) for one in attachments)
    return f'<div class="curc-chips"><ul aria-label="{label}">{chips}</ul></div>'


def escape_text(text: str) -> str:
    """A text on one line for HTML that is read as Markdown first, without anything that is markup.

    Example:
        >>> escape_text("<b>*x*")
        '&lt;b&gt;&#42;x&#42;'
    """
    plain = "".join(char if char.isprintable() else " " for char in text)
    # Between two dollars a tag, so that no script of the page finds a formula either.
    return escape(plain).translate(_SIGNS).replace("$", "&#36;<wbr>")


def _render_chip(attachment: Attachment, is_removable: bool, ratio: float) -> str:
    name = escape_text(attachment.name)
    plain = name.replace("<wbr>", "")  # no tags within an attribute
    note = escape_text(attachment.note).replace("<wbr>", "")
    title = f"{plain}: {note}" if note else plain
    size = f"{render_size(attachment.num_bytes)}, {render_tokens(round(ratio * attachment.num_tokens))}"
    button = (
        f'<button type="button" class="curc-chip-remove" data-curc-do="detach" '
        f'data-curc-value="{escape(attachment.key)}" aria-label="Remove {plain}" title="Remove">'
        '<span aria-hidden="true">×</span></button>'
        if is_removable
        else ""
    )
    return (
        f'<li class="curc-chip curc-kind-{attachment.kind}" title="{title}">'
        f'<span class="curc-chip-icon" aria-hidden="true">{_ICONS[attachment.kind]}</span>'
        f'<span class="curc-visually-hidden">{_WORDS[attachment.kind]}: </span>'
        f'<bdi class="curc-chip-name">{name}</bdi> '
        f'<span class="curc-chip-size">{size}</span>{button}</li>'
    )
