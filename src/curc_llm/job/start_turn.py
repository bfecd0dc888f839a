"""StartTurn: engines that share a GPU start one after the other.

An engine measures how much memory it needs while it starts, and takes whatever else changes on the GPU
meanwhile for its own, or gives up (vllm/v1/worker/gpu_worker.py, determine_available_memory: "Here we assume
that the other processes using the same GPU did not change their memory usage during the profiling").
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from curc_llm.spec import LaunchSpec, share_gpus


class StartTurn:
    """Who may start: one engine's hold on the locks of all that it shares a GPU with.

    Args:
        locks: shared with the other engines, in one order for all of them.

    Example:
        >>> turn = StartTurn(())
        >>> turn.is_free
        True
    """

    def __init__(self, locks: Sequence[asyncio.Lock]) -> None:
        self._locks = tuple(locks)
        self._held: list[asyncio.Lock] = []

    @property
    def is_free(self) -> bool:
        """True when nobody else is starting."""
        return not any(lock.locked() for lock in self._locks if lock not in self._held)

    async def take(self) -> None:
        """Waits until it is this engine's turn."""
        for lock in self._locks:
            if lock not in self._held:
                await lock.acquire()
                self._held.append(lock)

    def give(self) -> None:
        """Lets the next one start; does nothing when it is nobody's turn here."""
        while self._held:
            self._held.pop().release()


def make_turns(spec: LaunchSpec) -> list[StartTurn]:
    """A turn for each engine of a session; without GPUs all start at once.

    Args:
        spec: says which GPUs each engine has.
    """
    engines = spec.engines if spec.device == "cuda" else ()
    shared = {
        (i, j): asyncio.Lock()
        for i in range(len(engines))
        for j in range(i + 1, len(engines))
        if share_gpus(engines[i], engines[j])
    }
    return [
        StartTurn([lock for pair, lock in sorted(shared.items()) if place in pair])
        for place in range(len(spec.engines))
    ]
