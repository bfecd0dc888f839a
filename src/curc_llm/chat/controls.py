"""What a person may set for one chat: checked when it is set, kept with the chat, put into each request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from curc_llm.chat.reasoning import LEVELS, Reasoning
from curc_llm.chat.sampling import Sampling, parse_sampling
from curc_llm.errors import CurcLlmError, SettingsError
from curc_llm.json_schema import make_response_format, parse_schema

MOST_STOPS = 16
MOST_STOP_CHARS = 200
MOST_SYSTEM_CHARS = 100_000
NUMBERS = ("temperature", "top_p", "max_tokens", "seed")
# The fields of a page and of a chat's `set` line. `system` stands beside them there, as it always has.
FIELDS = (*NUMBERS, "stop", "json_schema", "reasoning", "when_full")
# Under this name a chat's file has them: {"set": {"controls": {...}}}.
FACT = "controls"
_SHOWN = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\"}
_MEANT = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


class WhenFull(StrEnum):
    """What is done with a question that the model's context has no room for."""

    REFUSE = "refuse"
    TRIM = "trim"
    SUMMARISE = "summarise"


@dataclass(frozen=True)
class Controls:
    """The settings of one chat; what isn't set is left to the model.

    Args:
        sampling: temperature, top-p, longest answer, seed.
        stop: texts at which an answer ends; they aren't part of it.
        json_schema: what every answer must fit; None for free text.
        reasoning: how long to reason: a level of `reasoning.LEVELS`, empty for the model's own choice. A
            model that doesn't have it isn't told, so it may stay when another model is chosen.
        when_full: what is done when the context is full.

    Example:
        >>> parse_controls({"temperature": "0.2", "stop": "END"}).to_request()
        {'temperature': 0.2, 'stop': ['END']}
    """

    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    reasoning: str = ""
    when_full: WhenFull = WhenFull.REFUSE

    def to_request(self, reasoning: Reasoning | None = None) -> dict[str, Any]:
        """The fields of a request to /v1/chat/completions.

        Args:
            reasoning: how the model that is asked can be told to reason; None when that isn't known.
        """
        fields = self.sampling.to_json()
        if self.stop:
            fields["stop"] = list(self.stop)
        if self.json_schema is not None:
            fields["response_format"] = make_response_format(self.json_schema)
        return {**fields, **(reasoning or Reasoning()).to_request(self.reasoning)}

    def to_facts(self) -> dict[str, Any]:
        """What is kept in the chat's file; only what was set."""
        facts: dict[str, Any] = self.sampling.to_json()
        if self.stop:
            facts["stop"] = list(self.stop)
        if self.json_schema is not None:
            facts["json_schema"] = dict(self.json_schema)
        if self.reasoning:
            facts["reasoning"] = self.reasoning
        return facts if self.when_full is WhenFull.REFUSE else {**facts, "when_full": str(self.when_full)}

    def to_texts(self) -> dict[str, str]:
        """What stands in the fields of a page; `parse_controls` reads it back."""
        numbers = {name: getattr(self.sampling, name) for name in NUMBERS}
        schema = self.json_schema
        return {
            **{name: "" if number is None else f"{number}" for name, number in numbers.items()},
            "stop": "\n".join(map(_render_stop, self.stop)),
            "json_schema": "" if schema is None else json.dumps(schema, indent=2, ensure_ascii=False),
            "reasoning": self.reasoning,
            "when_full": str(self.when_full),
        }


def parse_controls(values: Mapping[str, Any]) -> Controls:
    """Reads what a person wrote into the fields; an empty one stays unset.

    Args:
        values: texts by the names of `FIELDS`; others are passed over.

    Raises:
        SettingsError: a field holds what can't be; one sentence says which, what, and what is allowed.
        SchemaError: the JSON schema is none.
    """
    texts = {name: _read_text(values.get(name)) for name in FIELDS}
    return Controls(
        parse_sampling(*(texts[name] for name in NUMBERS)),
        parse_stop(texts["stop"]),
        parse_schema(texts["json_schema"]) if texts["json_schema"].strip() else None,
        _parse_word("Reasoning", texts["reasoning"], LEVELS, ""),
        WhenFull(_parse_word("When the context is full", texts["when_full"], tuple(WhenFull), "refuse")),
    )


def read_facts(facts: Any) -> Controls:
    """The controls that a chat's file has. What can't be is left out: a chat must open, whoever wrote it."""
    if not isinstance(facts, Mapping):
        return Controls()
    texts = {name: _write_fact(name, facts[name]) for name in FIELDS if facts.get(name) is not None}
    good = {name: text for name, text in texts.items() if _can_be(name, text)}
    return parse_controls(good)


def parse_stop(text: str) -> tuple[str, ...]:
    r"""Stop texts, one a line; `\n`, `\t` and `\\` in it mean a line feed, a tab and a backslash.

    Raises:
        SettingsError: there are too many, or one is too long.

    Example:
        >>> parse_stop("###\n\\nUser:\n\n")
        ('###', '\nUser:')
    """
    lines = text.replace("\r\n", "\n").split("\n")
    stops = tuple(dict.fromkeys(_unescape(line) for line in lines if line.strip()))
    if len(stops) > MOST_STOPS:
        raise SettingsError(
            f"There are {len(stops)} stop texts; up to {MOST_STOPS} can be.", "Leave some out."
        )
    long = next((stop for stop in stops if len(stop) > MOST_STOP_CHARS), None)
    if long is not None:
        raise SettingsError(
            f"The stop text {long[:20]!r} … has {len(long):,} characters; up to {MOST_STOP_CHARS} can be.",
            "Shorten it.",
        )
    return stops


def parse_system(text: str) -> str:
    """A system prompt.

    Raises:
        SettingsError: it is too long.
    """
    if len(text) > MOST_SYSTEM_CHARS:
        raise SettingsError(
            f"The system prompt has {len(text):,} characters; up to {MOST_SYSTEM_CHARS:,} can be.",
            "Shorten it, or attach the long part as a file.",
        )
    return text.strip()


def _parse_word(label: str, text: str, allowed: tuple[str, ...], default: str) -> str:
    word = text.strip().lower()
    if word and word not in allowed:
        raise SettingsError(f"{label} can't be {word[:20]!r}.", f"It is one of {', '.join(allowed)}.")
    return word or default


def _unescape(line: str) -> str:
    pieces = line.split("\\\\")  # so that `\\n` stays a backslash and an n
    for short, meant in _MEANT.items():
        if short != "\\":
            pieces = [piece.replace(f"\\{short}", meant) for piece in pieces]
    return "\\".join(pieces)


def _render_stop(stop: str) -> str:
    return "".join(_SHOWN.get(character, character) for character in stop)


def _read_text(value: Any) -> str:
    return "" if value is None else str(value)


def _write_fact(name: str, value: Any) -> str:
    if name == "stop":
        stops = value if isinstance(value, list) else [value]
        return "\n".join(_render_stop(str(stop)) for stop in stops)
    if name == "json_schema":
        return json.dumps(value) if isinstance(value, Mapping) else ""
    return str(value)


def _can_be(name: str, text: str) -> bool:
    try:
        parse_controls({name: text})
    except CurcLlmError:
        return False
    return True
