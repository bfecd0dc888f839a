"""What is wrong with a value, in words for people instead of pydantic's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

MOST_SHOWN = 60  # characters of a value within an error

_WHOLE = "it must be a whole number"
_NUMBER = "it must be a number"
_TRUTH = "it must be true or false"
_TEXT = "it must be text (put quotes around it)"
_LINES = "it must hold `name: value` lines"
_LIST = "it must be a list"
_DATE = "it must be a date such as 2026-11-21"
# By pydantic's names of errors: https://docs.pydantic.dev/latest/errors/validation_errors/
_SAID: dict[str, str] = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _WHOLE),
    **dict.fromkeys(("float_type", "float_parsing"), _NUMBER),
    "finite_number": "it must be a number that can be counted with",
    **dict.fromkeys(("bool_type", "bool_parsing"), _TRUTH),
    "string_type": _TEXT,
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), _LINES),
    **dict.fromkeys(("tuple_type", "list_type"), _LIST),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"), _DATE
    ),
    "path_type": "it must be a path",
}
_LIMITS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda c: f"it must be more than {c['gt']:g}",
    "greater_than_equal": lambda c: f"it must be at least {c['ge']:g}",
    "less_than": lambda c: f"it must be less than {c['lt']:g}",
    "less_than_equal": lambda c: f"it must be at most {_limit(c['le'])}",
    "literal_error": lambda c: f"it must be {c['expected']}",
    "too_short": lambda c: f"it must hold at least {c['min_length']}",
    "string_too_short": lambda c: f"it must have at least {c['min_length']} characters",
    "string_pattern_mismatch": lambda c: _PATTERNS.get(c["pattern"], f"it must look like {c['pattern']}"),
}
_PATTERNS: dict[str, str] = {
    r"^[a-z0-9_-]+$": "only small letters, digits, - and _ may stand there",
    r"^[a-z0-9_]+$": "only small letters, digits and _ may stand there",
    r"^[a-z0-9][a-z0-9_-]*$": "only small letters, digits, - and _ may stand there",
}


def _limit(number: float) -> str:
    """A number without a power of ten."""
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def most_telling(errors: Sequence[Any]) -> Any:
    """The error to show: the first, unless it is a missing name that stands there misspelt."""
    first = errors[0]
    misspelt = (e for e in errors if e["type"] == "extra_forbidden" and e["loc"][:-1] == first["loc"][:-1])
    return next(misspelt, first) if first["type"] == "missing" else first


def explain(error: Any, kind: str = "") -> str:
    """One sentence for the first of pydantic's errors.

    Args:
        error: one of `ValidationError.errors()`.
        kind: what a name stands for, such as "setting"; empty where names stand for all sorts of things.

    Example:
        >>> explain({"type": "int_parsing", "loc": ("nodes",), "input": "big", "msg": "..."})
        "`nodes` can't be 'big': it must be a whole number."
    """
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"there is {f'no {kind}' if kind else 'nothing'} named `{name}`."
    if error["type"] == "missing":
        return f"`{name}` is missing."
    shown = repr(error["input"])
    shown = shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}…"
    return f"`{name}` can't be {shown}: {_say(error)}."


def _say(error: Any) -> str:
    kind, context = error["type"], error.get("ctx") or {}
    if kind in _SAID:
        return _SAID[kind]
    if kind in _LIMITS:
        return _LIMITS[kind](context)
    # A check of our own: pydantic puts its own words in front.
    text = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{text[:1].lower()}{text[1:]}"
