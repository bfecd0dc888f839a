"""What the page knows of a model from its files: how it can be told to reason, and its own defaults."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from curc_llm.chat.defaults import Defaults, find_folder, load_defaults
from curc_llm.chat.reasoning import Reasoning, load_reasoning
from curc_llm.session.record import EngineRecord


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model.

    Args:
        reasoning: how it can be told to reason.
        defaults: what it chooses where a person sets nothing.
        takes_images: whether it sees; None when that isn't known.
    """

    reasoning: Reasoning = field(default_factory=Reasoning)
    defaults: Defaults = field(default_factory=Defaults)
    takes_images: bool | None = None


class ModelFactsShelf:
    """Reads each model's files once.

    Args:
        hf_home: Hugging Face's folder of this session.
    """

    def __init__(self, hf_home: Path | None = None) -> None:
        self._hf_home = hf_home
        self._facts: dict[tuple[str, str | None], ModelFacts] = {}

    async def find(self, engine: EngineRecord | None) -> ModelFacts:
        """The facts of an engine's model; nothing is claimed of one that isn't there."""
        if engine is None:
            return ModelFacts()
        key = (engine.model, engine.revision)
        if key not in self._facts:
            facts = await asyncio.to_thread(self._load, engine)
            if not facts.defaults.is_known:
                return facts  # its files may still be on their way
            self._facts[key] = facts
        return self._facts[key]

    def _load(self, engine: EngineRecord) -> ModelFacts:
        folder = find_folder(engine, self._hf_home)
        return ModelFacts(load_reasoning(folder), load_defaults(folder), engine.takes_images)
