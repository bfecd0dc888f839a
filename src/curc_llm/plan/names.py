"""Names that people mistype: what they may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_NAMES = 12


def nearest(wanted: str, known: Iterable[str]) -> str:
    """A remedy: the nearest name, and the names that there are.

    Example:
        >>> nearest("h100", ["h200", "l40"])
        'Did you mean h200? There are: h200, l40.'
    """
    names = list(dict.fromkeys(known))
    folded = {fold(name): name for name in names}
    near = difflib.get_close_matches(fold(wanted), list(folded), n=1)
    hint = f"Did you mean {folded[near[0]]}? " if near else ""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{hint}There are: {', '.join(names[:MOST_NAMES]) or 'none'}{more}."


def fold(name: str) -> str:
    """A name without what people mix up: case, hyphens, underscores.

    Example:
        >>> fold("A100-80GB") == fold("a100_80gb")
        True
    """
    return name.strip().lower().replace("_", "-")
