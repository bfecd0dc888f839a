"""What a session serves, as far as a chat needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from curc_llm.chat.examples import choose_examples, load_examples
from curc_llm.session.record import EnginePhase, SessionRecord, SessionStatus
from curc_llm.spec import DEMO_MODEL_DIR

NUM_EXAMPLES = 3


@dataclass(frozen=True)
class Served:
    """The models that write text, and what to ask them first.

    Args:
        models: served model names, those of adapters too.
        is_ready: one of them can answer.
        examples: questions for an empty chat.
    """

    models: list[str] = field(default_factory=list)
    is_ready: bool = False
    examples: list[str] = field(default_factory=list)

    @property
    def default(self) -> str:
        """The first model; empty when it isn't known yet."""
        return self.models[0] if self.models else ""


def look_up_served(record: SessionRecord) -> Served:
    """What a record says.

    Args:
        record: the session's.
    """
    engines = [engine for engine in record.models if engine.runner == "generate"]
    models = [name for engine in engines for name in engine.names]
    is_ready = not is_ending(record) and any(engine.phase is EnginePhase.READY for engine in engines)
    examples = choose_examples(models[0], _load_demo_examples()) if models else []
    return Served(models, is_ready, examples[:NUM_EXAMPLES])


def is_ending(record: SessionRecord) -> bool:
    """Whether it takes no questions any more; its engines' last phase may still be ready."""
    return record.status.is_over or record.status is SessionStatus.DRAINING


@cache
def _load_demo_examples() -> list[str]:
    return load_examples(DEMO_MODEL_DIR / "questions.yml")
