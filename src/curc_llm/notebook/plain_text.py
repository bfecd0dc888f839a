"""A model's text where only text can be shown: terminals and converted notebooks."""

from __future__ import annotations

MAX_CHARS = 20_000
# C0 and C1 control characters but line feed and tab: a terminal would obey them instead of showing them.
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def render_plain(text: str, max_chars: int = MAX_CHARS) -> str:
    r"""The text without control characters, cut when it is very long.

    Example:
        >>> render_plain("a\x1b[2Jb"), render_plain("abcdef", 3)
        ('a[2Jb', 'abc …')
    """
    clean = text.translate(_CONTROLS)
    return clean if len(clean) <= max_chars else f"{clean[:max_chars]} …"
