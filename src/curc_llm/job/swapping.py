"""Another model in an engine's place: planned, fetched while the old one still answers, then exchanged.

vLLM's sleep mode isn't used. It would keep the old model's process beside the new one: its weights in host
memory that the job didn't ask for, and a CUDA context on each GPU that the plan doesn't count; what it saves
is the way back. Stopping gives the new model all that was planned for it, on every build.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from curc_llm.engine.download import run_download
from curc_llm.errors import CurcLlmError, SwapError
from curc_llm.job.board import Board
from curc_llm.job.draining import wait_until_idle
from curc_llm.job.engine_slots import EngineSlots
from curc_llm.launch.swapping import SwapPlan, list_candidates, load_own_settings, plan_swap
from curc_llm.session.record import EnginePhase, EngineRecord, SessionStatus, SwapRecord, Trouble
from curc_llm.spec import EngineSpec, Origin
from curc_llm.spec.adapter import LORA_RANKS

LOOK_S = 0.1
LORAS = range(1, 65)  # as in the settings
SETTLED = {EnginePhase.READY, EnginePhase.FAILED}


class Swapping:
    """Exchanges models, one at a time.

    Args:
        slots: run the engines.
        board: where it is shown.
        audit: writes into the audit log what came of it.
        on_begin, on_end: called when an exchange begins, and when it is over, however it went.
    """

    def __init__(
        self,
        slots: EngineSlots,
        board: Board,
        audit: Callable[..., None],
        *,
        on_begin: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._slots = slots
        self._board = board
        self._audit = audit
        self._warned: dict[str, list[str]] = {}
        self._on_begin = on_begin
        self._on_end = on_end
        self._task: asyncio.Task[None] | None = None
        self._is_planning = False

    @property
    def is_under_way(self) -> bool:
        """True while a model is exchanged: one that fails then isn't the session's last word."""
        return self._is_planning or (self._task is not None and not self._task.done())

    async def list_fits(self, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The models that fit in an engine's place.

        Args:
            fields: `engine`, its served model name; may be empty when there is one model alone.
        """
        places = self._find_places(fields.get("engine", ""))
        spec = self._slots.spec

        def look() -> list[dict[str, Any]]:
            return [asdict(one) for one in list_candidates(spec, places[0], load_own_settings(spec))]

        models = await asyncio.to_thread(look)
        return 200, {"engine": spec.engines[places[0]].served_model_name, "models": models}

    async def swap(self, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Begins an exchange once it is sure that the new model fits; how it gets on stands in the record.

        Args:
            fields: `model` as people call it; `engine` as in `list_fits`; `max_loras` and `max_lora_rank` may
                be there too.

        Raises:
            SwapError: another one is under way, or it makes no sense.
            ModelDoesNotFitError, ModelNotFoundError, LaunchError: the model can't run there. Nothing was
                stopped.
        """
        self._check_free()
        self._is_planning = True
        try:
            places = self._find_places(fields.get("engine", ""))
            spec = self._slots.spec
            more = _read_more(fields)
            settings = await asyncio.to_thread(load_own_settings, spec)
            plan = await asyncio.to_thread(plan_swap, spec, places[0], fields["model"], more, settings)
            old = spec.engines[places[0]].served_model_name
            swap = SwapRecord(from_model=old, to_model=plan.engine.served_model_name, since=time.time())
            self._on_begin()
            self._show(places, swap=swap)
            self._task = asyncio.create_task(self._exchange(places, plan, swap))
            self._task.add_done_callback(lambda task: self._look_back(task, places))
        finally:
            self._is_planning = False
        told = {"status": "swapping", "engine": old, "served_model_name": swap.to_model, "since": swap.since}
        return 202, {**told, "is_here": plan.is_here, "notes": list(plan.notes)}

    def _check_free(self) -> None:
        if not self.is_under_way:
            return
        swaps = [engine.swap for engine in self._board.record.engines if engine.swap is not None]
        what = (
            f"{swaps[0].from_model} is being exchanged for {swaps[0].to_model}" if swaps else "one is planned"
        )
        raise SwapError(
            f"One exchange at a time: {what}.", "Try again when it is done.", code="swap_under_way"
        )

    def _find_places(self, name: str) -> list[int]:
        """The slots of a model's replicas."""
        names = [keeper.name for keeper in self._slots.keepers]
        known = list(dict.fromkeys(names))
        if (name and name not in known) or (not name and len(known) > 1):
            text = (
                f"There is no model {name!r} here." if name else "Which model is to be exchanged wasn't said."
            )
            raise SwapError(text, f"Name it with --engine: {', '.join(known)}.", code="model_not_found")
        wanted = name or known[0]
        places = [place for place, one in enumerate(names) if one == wanted]
        phases = {self._board.record.engines[place].phase for place in places}
        if not phases <= SETTLED:
            raise SwapError(f"The model {wanted} is still starting.", "Try again when it is ready.")
        return places

    async def _exchange(self, places: list[int], plan: SwapPlan, swap: SwapRecord) -> None:
        """The whole exchange; if the new model doesn't come up, the old one comes back."""
        spec = self._slots.spec
        origins = [spec.origins[place] for place in places] if spec.origins else [plan.origin] * len(places)
        try:
            await self._fetch(places, plan, swap)
        except CurcLlmError as error:
            self._give_up(
                places, swap, Trouble(code="swap_failed", message=error.message, remedy=error.remedy)
            )
            return
        self._leave_if_ending(places)
        # With adapters that were added, be it while the new model was fetched.
        swap = swap.model_copy(update={"adapters": self._board.record.engines[places[0]].names[1:]})
        old = [self._slots.keepers[place].engine for place in places]
        new = [_placed(plan.engine, one) for one in old]
        models = [self._board.record.engines[place].model for place in places]
        trouble = await self._replace(places, new, [plan.origin] * len(places), swap)
        if trouble is None:
            self._show(places, swap=None, swap_trouble=None)
            for text in self._warned.pop(swap.from_model, ()):  # which said that it serves on
                self._board.unwarn(text)
            self._audit("swapped", of_model=swap.from_model, to_model=swap.to_model)
            return
        self._audit("swap_failed", of_model=swap.from_model, to_model=swap.to_model, code=trouble.code)
        back = swap.model_copy(update={"phase": "going back"})
        again = await self._replace(places, old, origins, back, models)
        if again is None:
            self._give_up(places, back, trouble)
        else:
            self._show(places, swap=None)

    def _leave_if_ending(self, places: list[int]) -> None:
        """Stops and starts nothing any more once the session ends, which ends all engines itself."""
        status = self._board.record.status
        if status is SessionStatus.DRAINING or status.is_over:
            self._show(places, swap=None)
            raise asyncio.CancelledError

    def _look_back(self, task: asyncio.Task[None], places: list[int]) -> None:
        """It is over; one that broke off in a way that nobody foresaw must not look as if it went on."""
        if not task.cancelled() and (error := task.exception()) is not None:
            sys.stderr.write(f"The exchange of models broke off: {error!r}\n")
            trouble = Trouble(code="swap_failed", message=f"It broke off ({type(error).__name__}).")
            self._show(places, swap=None, swap_trouble=trouble)
        self._on_end()

    async def _fetch(self, places: list[int], plan: SwapPlan, swap: SwapRecord) -> None:
        """Gets the new model's files while the old one still answers."""
        if plan.engine.is_local:
            return
        spec = self._slots.spec
        async for step in run_download(
            plan.engine.model, plan.engine.revision, hf_home=spec.hf_home, offline=spec.offline
        ):
            detail = f"{step.done_gib:.1f} of {step.total_gib:.1f} GiB"
            share = step.done_gib / step.total_gib if step.total_gib else None
            told = {"phase": "downloading", "detail": detail, "progress": share}
            self._show(places, swap=swap.model_copy(update=told))

    async def _replace(
        self,
        places: list[int],
        engines: list[EngineSpec],
        origins: list[Origin],
        swap: SwapRecord,
        models: list[str] | None = None,
    ) -> Trouble | None:
        """Stops what runs in these slots and starts others; the failure if one of them doesn't come up.

        Args:
            places: of the slots.
            engines: what is started in each.
            origins: why.
            swap: how far the exchange is.
            models: what the record called the engines' models, where a centre's copy may be loaded for them.
        """
        going = swap.phase == "going back"
        stopping = swap if going else swap.model_copy(update={"phase": "stopping"})
        sockets = [self._slots.keepers[place].socket for place in places]
        # Not ready from now on: requests go elsewhere or are told; those under way may end.
        self._show(places, swap=stopping, phase=EnginePhase.RESTARTING, ready_at=None)
        if not going:
            await asyncio.gather(*(wait_until_idle(one, self._slots.spec.drain_s) for one in sockets))
        await self._slots.stop(places)
        self._leave_if_ending(places)
        starting = swap if going else swap.model_copy(update={"phase": "starting"})
        known = models or [engine.model for engine in engines]
        for place, engine, model in zip(places, engines, known, strict=True):
            self._board.update_engine(place, **make_fresh_fields(engine, starting) | {"model": model})
        self._slots.start(places, engines, origins)
        return await self._await_start(places, tries_again=going)

    async def _await_start(self, places: list[int], *, tries_again: bool) -> Trouble | None:
        """Waits until what was started is ready; the failure if one isn't.

        Args:
            places: of the slots.
            tries_again: False: the first failure decides, for meanwhile nobody is answered.
        """
        while True:
            found = [self._board.record.engines[place] for place in places]
            failed = next((one for one in found if one.phase is EnginePhase.FAILED), None)
            if failed is None and not tries_again:
                failed = next((one for one in found if one.trouble is not None), None)
            if failed is not None:
                return failed.trouble or _unknown(failed)
            if all(one.phase is EnginePhase.READY for one in found):
                return None
            await asyncio.sleep(LOOK_S)

    def _give_up(self, places: list[int], swap: SwapRecord, trouble: Trouble) -> None:
        """The old model serves on; people are told why."""
        name = swap.to_model
        message = f"{name} could not take the place of {swap.from_model}, which serves on: {trouble.message}"
        told = Trouble(code="swap_failed", message=message, remedy=trouble.remedy)
        self._board.unwarn(f"{name} failed: ")
        self._board.unwarn(f"{name} is being restarted: ")
        self._board.warn(f"{told.message} {told.remedy}".strip())
        self._warned.setdefault(swap.from_model, []).append(told.message)
        self._show(places, swap=None, swap_trouble=told)

    def _show(self, places: list[int], **changes: Any) -> None:
        for place in places:
            self._board.update_engine(place, **changes)


def _read_more(fields: dict[str, str]) -> dict[str, int]:
    """What else the new model is started with; a rank alone makes room for one adapter.

    Example:
        >>> _read_more({"model": "m", "max_lora_rank": "64"})
        {'max_loras': 1, 'max_lora_rank': 64}
    """
    ranks = ", ".join(map(str, LORA_RANKS))
    more = {
        "max_loras": _read_number(fields, "max_loras", LORAS, f"a whole number from 1 to {LORAS[-1]}"),
        "max_lora_rank": _read_number(fields, "max_lora_rank", LORA_RANKS, f"one of {ranks}"),
    }
    if more["max_lora_rank"]:
        more["max_loras"] = more["max_loras"] or 1
    return {name: number for name, number in more.items() if number is not None}


def _read_number(fields: dict[str, str], name: str, allowed: Sequence[int], words: str) -> int | None:
    """A number of an order; None when it isn't there.

    Raises:
        SwapError: it isn't one of those allowed.
    """
    text = fields.get(name, "")
    if not text:
        return None
    if text not in map(str, allowed):
        raise SwapError(f"{name} is {text[:60]!r}.", f"Give {words}.", code="invalid_request")
    return int(text)


def make_fresh_fields(engine: EngineSpec, swap: SwapRecord) -> dict[str, Any]:
    """The fields of an engine's record when another model begins in its place: nothing of the old one stays.

    Args:
        engine: the new one.
        swap: how far the exchange is.
    """
    fresh = EngineRecord(
        served_model_name=engine.served_model_name,
        model=engine.model,
        runner=engine.runner,
        phase_since=time.time(),
        swap=swap,
    )
    return {name: getattr(fresh, name) for name in EngineRecord.model_fields}


def _placed(engine: EngineSpec, old: EngineSpec) -> EngineSpec:
    """The new engine on another replica's GPUs."""
    count = len(engine.device_ids)
    return engine.model_copy(update={"device_ids": old.device_ids[:count]})


def _unknown(record: EngineRecord) -> Trouble:
    return Trouble(code="engine_failed", message=f"{record.served_model_name} did not start.")
