"""One engine as the gateway sees it: what it serves, how it is reached, what it has to do."""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.gateway.channel import EngineTarget
from curc_llm.gateway.priority import Priority
from curc_llm.gateway.routing import Load
from curc_llm.gateway.upstream import Pool

READY = "ready"
# vLLM's own default for its server (vllm/engine/arg_utils.py; 1024 on GPUs of 70 GiB and more).
DEFAULT_SLOTS = 256
# Of the slots one in so many is kept for interactive requests: vLLM takes none away from who has one.
_RESERVED_SHARE = 8


@dataclass
class Replica:
    """One engine: what it serves, whether it can answer, the connections to it, and its load."""

    target: EngineTarget
    pool: Pool
    load: Load

    @property
    def id(self) -> str:
        """What tells it apart from others that serve the same."""
        return name_target(self.target)

    @property
    def name(self) -> str:
        """Its served model name."""
        return self.target.served_model_name

    @property
    def is_ready(self) -> bool:
        """Whether it can answer, as far as its job knows."""
        return self.target.phase == READY

    @property
    def is_remote(self) -> bool:
        """Whether it is in another job, behind a gateway of its own."""
        return bool(self.target.url)

    @property
    def slots(self) -> int:
        """Sequences that it works on at once."""
        return self.target.max_num_seqs or DEFAULT_SLOTS

    def has_room(self, priority: Priority, sequences: int) -> bool:
        """Whether a request could begin now. One that needs more than there can ever be waits for all.

        Args:
            priority: batch leaves some slots free.
            sequences: slots that it takes.
        """
        needed = self.count_slots(priority, sequences)
        if priority is Priority.BATCH and self.load.batch_sequences + needed > self._most(priority):
            return False
        return self.load.sequences + needed <= self.slots

    def count_slots(self, priority: Priority, sequences: int) -> int:
        """The slots that a request takes: of any number of answers never more than its class may have.

        The others of its answers wait in the engine, which takes those of a higher class before them.

        Args:
            priority: the request's class.
            sequences: answers that it asks for.
        """
        return min(sequences, self._most(priority))

    def _most(self, priority: Priority) -> int:
        return self.slots - (count_reserved(self.slots) if priority is Priority.BATCH else 0)

    def serves(self, model: str) -> bool:
        """Whether a model name, or an adapter's, is one of its own."""
        return model == self.name or model in self.target.adapters


def count_reserved(slots: int) -> int:
    """Slots that batch requests leave to interactive ones.

    Example:
        >>> [count_reserved(slots) for slots in (1, 2, 32, 256)]
        [0, 1, 4, 32]
    """
    return max(1, slots // _RESERVED_SHARE) if slots > 1 else 0


def name_target(target: EngineTarget) -> str:
    """A target's id; without one its address."""
    return target.id or target.socket or target.url
