"""Requests for a model that is coming or going while another takes its place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from curc_llm.gateway.body_room import BodyRoom
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.request import ClientGoneError, Request
from curc_llm.gateway.retry_after import estimate_wait_s

if TYPE_CHECKING:
    from curc_llm.gateway.live import LiveSession

# Less than proxies wait for an answer (Apache's default is a minute).
WAIT_S = 50.0
LOOK_S = 0.1
# More requests than that are told at once: each holds its body in memory.
MOST_WAITING = 64
RETRY_S = 10
# An exchange is `planned` for a moment only: then it downloads, or begins.
_COMING = {"planned", "stopping", "starting"}


class SwapWait:
    """Lets requests for a model wait that is just being started in another one's place.

    Args:
        room: for the bodies of those who wait, together with all others that do.
        wait_s: seconds after which a request is told instead.
    """

    def __init__(self, room: BodyRoom, wait_s: float = WAIT_S) -> None:
        self._room = room
        self._wait_s = wait_s
        self._waiting = 0

    async def wait(self, live: LiveSession, model: str | None, request: Request, body_bytes: int) -> None:
        """Waits while a model is on its way, and no longer than its client does; not when too much waits.

        Args:
            live: the session as the gateway knows it.
            model: what the request names.
            request: whose client may leave.
            body_bytes: what it takes of memory meanwhile.

        Raises:
            ClientGoneError: the client has left.
        """
        is_full = self._waiting >= MOST_WAITING or not self._room.has_room(body_bytes)
        if is_full or not _is_coming(live, model):
            return
        self._waiting += 1
        try:
            with self._room.hold(body_bytes):
                async with asyncio.timeout(self._wait_s):
                    while _is_coming(live, model):
                        if request.cycle.disconnected:
                            raise ClientGoneError
                        await asyncio.sleep(LOOK_S)
        except TimeoutError:
            pass  # it is told how far the model is
        finally:
            self._waiting -= 1
        if request.cycle.disconnected:
            raise ClientGoneError


def _is_coming(live: LiveSession, model: str | None) -> bool:
    """Whether a model is being started now; a download may take too long to be waited for."""
    swap = find_swap(live.state.record, model) if live.state.accepting else None
    return swap is not None and swap["to_model"] == model and swap.get("phase") in _COMING


def find_swap(record: dict[str, Any], model: str | None) -> dict[str, Any] | None:
    """The exchange that a model is part of, as the record has it; None for none.

    Args:
        record: the session's.
        model: served model name, or that of an adapter of the old one.
    """
    swaps = [engine.get("swap") for engine in record.get("engines") or ()]
    return next((swap for swap in swaps if swap and model in _names(swap)), None)


def _names(swap: dict[str, Any]) -> set[str]:
    return {swap["from_model"], swap["to_model"], *(swap.get("adapters") or ())}


def make_swap_fault(record: dict[str, Any], model: str | None) -> RequestError | None:
    """Why a model can't answer while it is exchanged; None when it isn't.

    Args:
        record: the session's.
        model: served model name, or an adapter's.
    """
    swap = find_swap(record, model)
    if swap is None:
        return None
    old, new = swap["from_model"], swap["to_model"]
    step = ", ".join(filter(None, [str(swap.get("phase")), str(swap.get("detail") or "")]))
    if swap.get("phase") == "going back":
        message = f"The model {new!r} could not take the place of {old!r}, which is started again."
    elif model == new:
        message = f"The model {new!r} takes the place of {old!r}: {step}."
    elif model != old:
        message = (
            f"The adapter {model!r} goes with its model {old!r}, which is exchanged for {new!r}: {step}."
        )
    else:
        message = f"The model {old!r} is exchanged for {new!r}: {step}. Ask for {new!r}."
    wait_s = RETRY_S
    if swap.get("phase") in {"starting", "going back"}:
        engines = (engine for engine in record["engines"] if engine.get("swap") == swap)
        wait_s = max(estimate_wait_s(engine, RETRY_S) for engine in engines)
    return RequestError(503, "model_swapping", f"{message} Try again in {wait_s} s.", retry_after_s=wait_s)
