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
        if priority is Priority.BATCH:
            most, taken = self.slots - count_reserved(self.slots), self.load.batch_sequences
            if taken + min(sequences, most) > most:
                return False
        return self.load.sequences + min(sequences, self.slots) <= self.slots

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
