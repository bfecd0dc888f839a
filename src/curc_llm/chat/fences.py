"""Fenced code in Markdown, followed line by line."""

from __future__ import annotations

import re

_FENCE = re.compile(r"[ \t]*(?:(?:[-*+>]|\d{1,9}[.)])[ \t]*)*(`{3,}|~{3,})")


def read_fence(fence: str, line: str) -> str:
    """The fence that is open after a line; empty outside of code.

    Args:
        fence: the one that is open before it.
        line: without its end.

    Example:
        >>> read_fence("", "```python"), read_fence("```", "x = 1"), read_fence("```", "```")
        ('```', '```', '')
    """
    found = _FENCE.match(line)
    if not fence:
        return found[1] if found else ""
    is_end = found and found[1].startswith(fence) and not line.strip().strip("`~> \t")
    return "" if is_end else fence
