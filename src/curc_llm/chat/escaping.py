"""Text from outside in our own HTML, which Gradio reads as Markdown first."""

from __future__ import annotations

from html import escape


def escape_line(text: str) -> str:
    r"""Escapes a text for HTML. A blank line would end a block of HTML, and what follows would be Markdown.

    Example:
        >>> escape_line("a\n\n<b>")
        'a&#10;&#10;&lt;b&gt;'
    """
    return escape(text, quote=True).replace("\r", "&#13;").replace("\n", "&#10;")
