"""What page.js asks for when a person clicks something of ours: a name and a value, as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass

MOST_CHARS = 1_000_000


@dataclass(frozen=True)
class Command:
    """One click.

    Args:
        name: what to do.
        value: with what, such as a chat's id.
        text: what the person wrote for it, such as a new title.
        number: of the click on its page; the same click may come twice.
    """

    name: str
    value: str = ""
    text: str = ""
    number: int = 0


def parse_command(text: str) -> Command | None:
    """Reads a command; None for anything that isn't one.

    Example:
        >>> parse_command('{"do": "open", "value": "c1", "n": 7}')
        Command(name='open', value='c1', text='', number=7)
    """
    try:
        found = json.loads(text[:MOST_CHARS])
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("do"), str):
        return None
    value, words, number = found.get("value"), found.get("text"), found.get("n")
    return Command(
        found["do"],
        value if isinstance(value, str) else "",
        words if isinstance(words, str) else "",
        number if isinstance(number, int) else 0,
    )
