"""Sizes in words."""

from __future__ import annotations

_UNITS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def render_size(num_bytes: int) -> str:
    """A number of bytes for people.

    Example:
        >>> render_size(1), render_size(1536), render_size(20 * 2**20)
        ('1 byte', '1.5 KiB', '20 MiB')
    """
    for unit, name in _UNITS:
        if num_bytes >= unit:
            value = num_bytes / unit
            return f"{value:.1f} {name}" if value < 10 and value % 1 >= 0.05 else f"{value:,.0f} {name}"
    return f"{num_bytes:,} byte{'' if num_bytes == 1 else 's'}"


def render_tokens(num_tokens: int) -> str:
    """An estimate of tokens for people, with two figures.

    Example:
        >>> render_tokens(1234), render_tokens(1), render_tokens(15)
        ('about 1,200 tokens', 'about 1 token', 'about 15 tokens')
    """
    step = 10 ** max(0, len(str(num_tokens)) - 2)
    rounded = round(num_tokens / step) * step
    return f"about {rounded:,} token{'' if rounded == 1 else 's'}"
