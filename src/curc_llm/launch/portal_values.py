"""Single values of the portal's form: strings that may hold anything, read one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curc_llm.errors import SpecError

MAX_CONTEXT_BYTES = 256 * 1024
_SHOWN = 60  # of a hostile value no more is repeated than a person reads
_RELAUNCH = "Launch again from the form, where the values are chosen from lists."


class PortalValueError(SpecError):
    """A value of the form can't be meant.

    Args:
        title: what the value is, in a person's words.
        value: what was sent.
        allowed: what may be sent.
    """

    def __init__(self, title: str, value: str, allowed: str) -> None:
        said = f"{shorten(value)} can't be used" if value else "is missing"
        super().__init__(f"The {title} {said}: it must be {allowed}.", _RELAUNCH)


def shorten(value: str) -> str:
    r"""A value in a sentence: quoted, its line breaks and control characters spelled out, and not too long.

    Example:
        >>> shorten("a\nb")
        "'a\\nb'"
    """
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")


def read_context(path: Path) -> dict[str, Any]:
    """The form's values as the portal wrote them.

    Raises:
        SpecError: the file is missing, too large, or no JSON object.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_CONTEXT_BYTES + 1)
        values = None if len(text) > MAX_CONTEXT_BYTES else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise SpecError(
            f"The form's values ({path.name}) can't be read: {type(error).__name__}.", _RELAUNCH
        ) from error
    if len(text) > MAX_CONTEXT_BYTES:
        raise SpecError(f"{path.name} is larger than {MAX_CONTEXT_BYTES // 1024} KiB.", _RELAUNCH)
    if not isinstance(values, dict):
        raise SpecError(f"The form's values ({path.name}) aren't a list of fields.", _RELAUNCH)
    return values


def read_text(context: Mapping[str, Any], field: str) -> str:
    """A field's text without blanks around it; empty when it is missing or null.

    Raises:
        PortalValueError: it is a list or an object: no field of the form sends that.
    """
    value = context.get(field)
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise PortalValueError(field, json.dumps(value)[:_SHOWN], "one text")
    return str(value).strip()


def check_choice(title: str, text: str, pattern: re.Pattern[str], allowed: str) -> str:
    """The text, when it looks as such a value does.

    Raises:
        PortalValueError: it doesn't.
    """
    if pattern.fullmatch(text) is None:
        raise PortalValueError(title, text, allowed)
    return text


def read_whole_number(text: str, title: str, low: int, high: int) -> int | None:
    """A whole number in ASCII digits, None for an empty text.

    Raises:
        PortalValueError: it isn't one, or lies outside low to high.

    Example:
        >>> read_whole_number("08", "hours", 1, 24), read_whole_number("", "hours", 1, 24)
        (8, None)
    """
    if not text:
        return None
    allowed = f"a whole number from {low:,} to {high:,}"
    if re.fullmatch(r"[0-9]{1,12}", text) is None or not low <= int(text) <= high:
        raise PortalValueError(title, text, allowed)
    return int(text)
