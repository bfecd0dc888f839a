"""The options of the magics: a line in, checked values out. Pure."""

from __future__ import annotations

import difflib
import json
import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from curc_llm.client.parameters import CHAT_PARAMETERS
from curc_llm.errors import MagicError

_FLAG = re.compile(r"(--[A-Za-z][\w-]*|-[A-Za-z])(?:=|\s+|$)")
_VALUE = re.compile(r'"((?:\\.|[^"\\])*)"(?=\s|$)|\'([^\']*)\'(?=\s|$)|([^\s"\']\S*)')


@dataclass(frozen=True)
class Options:
    """What a magic's line says.

    Args:
        model: served model name; None for the session's first.
        system: instructions for the model.
        json_schema: a JSON Schema as text, or a variable that holds one, a Python type or a pydantic class.
        name: a variable that gets the result, besides `_llm`.
        session: a session's id, its beginning, or a variable that holds a session.
        raw: True to take the text as it is, with every brace.
        params: what goes to the model: `temperature`, `max_tokens` …
        text: what follows the options.
    """

    model: str | None = None
    system: str | None = None
    json_schema: str | None = None
    name: str | None = None
    session: str | None = None
    raw: bool = False
    params: dict[str, Any] = field(default_factory=dict)
    text: str = ""


def _number(kind: type[int | float], low: float, high: float) -> Callable[[str, str], int | float]:
    def read(flag: str, text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError:
            value = kind(low) - 1
        if not low <= value <= high:
            what = "a whole number" if kind is int else "a number"
            limit = f"from {low:g} to {high:g}" if high < float("inf") else f"of {low:g} or more"
            raise MagicError(f"{flag} {text} doesn't work.", f"Give {what} {limit}.")
        return value

    return read


def _text(_: str, text: str) -> str:
    return text


def _json(_: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _variable(flag: str, text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise MagicError(f"{flag} {text} is no name for a variable.", "Write for example: --name summary")
    return text


# Ranges as in OpenAI's reference of chat completions; top_k and seed as in vLLM's SamplingParams.
_PARAMS: dict[str, Callable[[str, str], Any]] = {
    "temperature": _number(float, 0, 2),
    "max_tokens": _number(int, 1, float("inf")),
    "top_p": _number(float, 0, 1),
    "top_k": _number(int, -1, float("inf")),
    "seed": _number(int, 0, float("inf")),
}
_OTHERS: dict[str, Callable[[str, str], Any]] = {
    "model": _text,
    "system": _text,
    "json_schema": _text,
    "name": _variable,
    "session": _text,
}
# All others that the session takes, as JSON or text: --min-p 0.1, --stop END, --chat-template-kwargs '{...}'.
# Not those that need code around them, that --json-schema stands for, or of which one alone would be shown.
_NOT_HERE = {"stream_options", "tools", "tool_choice", "parallel_tool_calls", "response_format", "n"}
_REST: dict[str, Callable[[str, str], Any]] = dict.fromkeys(
    CHAT_PARAMETERS - _NOT_HERE - _PARAMS.keys(), _json
)
_READERS = _PARAMS | _OTHERS | _REST
_SHORT = {"-m": "--model", "-t": "--temperature", "-s": "--system", "-n": "--name"}


def parse_options(line: str) -> Options:
    """Reads the options at the beginning of a line; the rest is text.

    Args:
        line: what stands after the magic's name.

    Raises:
        MagicError: an option that there is none of, without its value, or with a value that can't be.

    Example:
        >>> parse_options('--temperature 0 --system "Be brief." What is an SU?').text
        'What is an SU?'
    """
    values: dict[str, Any] = {}
    rest = line.strip()
    while found := _FLAG.match(rest):
        flag, rest = _SHORT.get(found[1], found[1]), rest[found.end() :]
        key = flag.removeprefix("--").replace("-", "_")
        if key == "raw":
            values[key] = True
            continue
        if key not in _READERS:
            raise MagicError(f"There is no option {found[1]} here.", _suggest(flag))
        text, rest = _take_value(found[1], rest)
        values[key] = _READERS[key](found[1], text)
    params = {key: values.pop(key) for key in list(values) if key not in _OTHERS and key != "raw"}
    return Options(**values, params=params, text=rest.removeprefix("-- "))


def _take_value(flag: str, rest: str) -> tuple[str, str]:
    found = _VALUE.match(rest)
    if found is None:
        why = "Close the quotation mark." if rest else f"Write it after the option: {flag} VALUE"
        raise MagicError(f"{flag} has no value.", why)
    double, single, bare = found.groups()
    text = re.sub(r"\\(.)", r"\1", double) if double is not None else single if single is not None else bare
    return text, rest[found.end() :].lstrip()


def _suggest(flag: str) -> str:
    names = [f"--{key.replace('_', '-')}" for key in (*_OTHERS, *_PARAMS, "raw")]
    rest = sorted(f"--{key.replace('_', '-')}" for key in _REST)
    near = difflib.get_close_matches(flag, names, n=1) or difflib.get_close_matches(flag, rest, n=1)
    return f"Did you mean {near[0]}?" if near else f"There are {', '.join(names)}, and what else vLLM takes."
