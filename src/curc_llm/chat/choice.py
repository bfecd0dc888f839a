"""What a person chose for a chat: the model, the system prompt, and how the model is to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curc_llm.chat.controls import FACT, FIELDS, Controls, parse_controls, parse_system, read_facts
from curc_llm.chat.model_facts import ModelFacts, ModelFactsShelf
from curc_llm.chat.session_watch import Snapshot, choose_model
from curc_llm.errors import CurcLlmError, SettingsError

# The fields of the page's settings, in the order that handlers take them.
SETTINGS = ("model", "system_prompt", *FIELDS)
# Those of the second column; empty ones are as in the first.
OTHER = ("compare", "other_model", "other_temperature", "other_system")
# Under which name they are kept with a chat.
BESIDE = "beside"
# What stands before a sentence about them: the first column's have the same names.
OF_OTHER = "Second column: "
NOT_BESIDE = {"other_model": None, "other_temperature": "", "other_system": ""}


@dataclass(frozen=True)
class Choice:
    """What holds for the next answer.

    Args:
        model: served name of the model; empty while none is known.
        system: the system prompt.
        controls: how the model is to answer.
        facts: what is known of the model.
        max_model_len: its context in tokens, once known.
    """

    model: str
    system: str = ""
    controls: Controls = field(default_factory=Controls)
    facts: ModelFacts = field(default_factory=ModelFacts)
    max_model_len: int | None = None

    def to_request(self) -> dict[str, Any]:
        """The fields of a request besides the conversation."""
        return {"model": self.model, **self.controls.to_request(self.facts.reasoning)}

    def to_settings(self) -> dict[str, Any]:
        """What is kept with the chat."""
        return {"system": self.system or None, FACT: self.controls.to_facts() or None}


async def read_choice(values: Mapping[str, Any], snapshot: Snapshot, shelf: ModelFactsShelf) -> Choice:
    """Reads the page's settings.

    Args:
        values: by the names of `SETTINGS`.
        snapshot: which models are served.
        shelf: what is known of them.

    Raises:
        SettingsError: a field holds what can't be.
        SchemaError: the JSON schema is none.
    """
    system = parse_system(str(values.get("system_prompt") or ""))
    # What checks schemas takes a second to be imported; the page's other people don't wait for that.
    has_schema = bool(values.get("json_schema"))
    controls = await asyncio.to_thread(parse_controls, values) if has_schema else parse_controls(values)
    model = choose_model(snapshot, values.get("model"))
    engine = snapshot.engine(model)
    facts = await shelf.find(engine)
    return Choice(model, system, controls, facts, engine.max_model_len if engine else None)


async def read_other(other: Mapping[str, Any], snapshot: Snapshot, shelf: ModelFactsShelf) -> Choice:
    """As `read_choice`, for the second column, which an error names.

    Args:
        other: as `make_other` has it.
        snapshot: which models are served.
        shelf: what is known of them.
    """
    try:
        return await read_choice(other, snapshot, shelf)
    except CurcLlmError as error:
        raise SettingsError(f"{OF_OTHER}{error.message}", error.remedy) from error


def make_other(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """The settings of the second column; None when there is none.

    Args:
        values: by the names of `SETTINGS` and `OTHER`.

    Example:
        >>> make_other({"compare": True, "model": "a", "other_model": "b"})["model"]
        'b'
    """
    if not values.get("compare"):
        return None
    own = {"model": "other_model", "temperature": "other_temperature", "system_prompt": "other_system"}
    return {**values, **{name: values[other] for name, other in own.items() if values.get(other)}}


def keep_other(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept with the chat of the second column's settings.

    Args:
        values: by the names of `OTHER`.

    Example:
        >>> keep_other({"compare": True, "other_temperature": "1.5"}), keep_other({"compare": False})
        ({'beside': {'other_temperature': '1.5'}}, {'beside': None})
    """
    own = {name: str(values[name]) for name in OTHER[1:] if values.get(name)}
    return {BESIDE: own if values.get("compare") else None}


def name_columns(first: Choice, second: Choice) -> tuple[str, str]:
    """What stands over the two columns: the models, and what else differs.

    Example:
        >>> name_columns(Choice("m"), Choice("m", "Be brief."))
        ('m', 'm, other system prompt')
    """
    names, differs = [first.model, second.model], []
    temperatures = [one.controls.sampling.temperature for one in (first, second)]
    if temperatures[0] != temperatures[1]:
        words = ["default" if one is None else f"{one:g}" for one in temperatures]
        names = [f"{name}, temperature {word}" for name, word in zip(names, words, strict=True)]
    if first.system != second.system:
        differs = ["other system prompt"]
    return names[0], ", ".join([names[1], *differs])


def render_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the fields for a chat that was opened.

    Args:
        settings: of the chat.
    """
    system = settings.get("system")
    texts = read_facts(settings.get(FACT)).to_texts()
    beside = settings.get(BESIDE)
    known = beside if isinstance(beside, dict) else {}
    other = {name: value for name, value in known.items() if name in OTHER[1:] and isinstance(value, str)}
    own = {"system_prompt": system if isinstance(system, str) else "", **texts}
    return {**own, "compare": isinstance(beside, dict), **NOT_BESIDE, **other}
