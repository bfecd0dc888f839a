"""Keeps one engine running: downloads, starts, watches, diagnoses, restarts, gives up, stops."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from curc_llm.catalogue.eyes import read_takes_images
from curc_llm.engine.arguments import render_arguments, render_command
from curc_llm.engine.context import choose_context, read_context_limit
from curc_llm.engine.diagnosis import diagnose
from curc_llm.engine.download import run_download
from curc_llm.engine.environment import EngineCaches, make_environment
from curc_llm.engine.gpu_facts import read_gpus
from curc_llm.engine.history import StartHistory
from curc_llm.engine.host_memory import read_host_memory
from curc_llm.engine.log import EngineLog
from curc_llm.engine.machine import (
    choose_cpu_kv_cache_gib,
    count_cores,
    find_nvcc,
    read_engine_version,
    read_gpu_type,
)
from curc_llm.engine.phases import PhaseReader
from curc_llm.engine.probe import check_completion, check_health, read_context_length
from curc_llm.engine.process import EngineProcess
from curc_llm.engine.rank_log import diagnose_ranks
from curc_llm.engine.slots import choose_num_seqs
from curc_llm.errors import CurcLlmError
from curc_llm.job.adapter_files import FoundAdapters, find_adapters, make_adapter_fields
from curc_llm.job.board import Board
from curc_llm.job.engine_step import STOP_GRACE_S as STEP_GRACE_S
from curc_llm.job.engine_step import EngineStep
from curc_llm.job.node_watch import NodeSilentError
from curc_llm.job.restart import RestartPolicy
from curc_llm.job.start_turn import StartTurn
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import EnginePhase, EngineRecord, Trouble
from curc_llm.spec import DEMO_MODEL_DIR, Adapter, EngineSpec, LaunchSpec, name_replicas

WATCH_S = 0.2
HEALTH_EVERY_S = 5.0
# A busy engine may be slow to answer; only one that says nothing for so long is taken for hung.
HUNG_S = 180.0
STOP_GRACE_S = 8.0
# Failures that another try may mend. Any other known cause stays the same however often it is tried.
TRANSIENT = {
    "engine_failed",
    "killed",
    "crashed",
    "engine_hung",
    "gpu_busy",
    "port_in_use",
    "hub_unreachable",
    "download_broken",
    "nccl",
    "rank_lost",
    "step_refused",
    "node_silent",
}


class _EngineFailedError(Exception):
    """One run of an engine came to its end."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


@dataclass
class _Run:
    """One start of the engine: its process, its log, and when it became ready (monotonic seconds)."""

    process: EngineProcess
    log: EngineLog
    started_s: float = field(default_factory=time.monotonic)
    ready_s: float | None = None

    def healthy_s(self) -> float:
        """Seconds for which it has been able to answer."""
        return 0.0 if self.ready_s is None else time.monotonic() - self.ready_s


class EngineKeeper:
    """One engine of the session.

    Args:
        index: its place in the spec and in the record.
        spec: the session's spec.
        paths: the session's files.
        socket: the unix socket it listens on.
        board: where its phase, progress and troubles are shown.
        guard_prefix: command in front of vLLM that ends its whole tree when the supervisor is gone.
        liveness_fd: descriptor that the guard inherits.
        on_given_up: called when it has failed for good.
        turn: when it may start, where it shares a GPU with another engine.
    """

    def __init__(
        self,
        index: int,
        spec: LaunchSpec,
        paths: SessionPaths,
        socket: Path,
        board: Board,
        *,
        guard_prefix: list[str],
        liveness_fd: int,
        on_given_up: Callable[[], None],
        turn: StartTurn | None = None,
    ) -> None:
        self.socket = socket
        self._index = index
        self._spec = spec
        self._engine = spec.engines[index]
        self.id = name_replicas(engine.served_model_name for engine in spec.engines)[index]
        self._log_path = paths.log(f"engine-{self.id}")
        self._board = board
        self._guard_prefix = guard_prefix
        self._liveness_fd = liveness_fd
        self._on_given_up = on_given_up
        self._turn = turn or StartTurn(())
        self._policy = RestartPolicy()
        self._asked = asyncio.Event()
        self._history = StartHistory(spec.cache_dir / "starts.jsonl")
        self._gpu_type = ""
        self._step: EngineStep | None = None
        if spec.slurm is not None and spec.slurm.nodes > 1 and len(spec.engines) == 1:
            self._step = EngineStep(index, spec, paths, socket.parent)

    async def run(self) -> None:
        """Runs the engine until cancelled. Once it is given up, it waits for `restart`."""
        while True:
            healthy_s = 0.0
            run: _Run | None = None
            try:
                run = await self._start()
                await self._watch(run)
            except _EngineFailedError as failure:
                trouble = failure.trouble
                # Ending what is left may take a while, and people should know at once.
                self._show(phase=EnginePhase.RESTARTING, trouble=trouble, ready_at=None)
            except CurcLlmError as error:
                trouble = Trouble(code=_code_of(error), message=error.message, remedy=error.remedy)
            except OSError as error:
                trouble = Trouble(code="state_folder", message=f"The engine's log can't be written: {error}.")
            finally:
                if run is not None:
                    healthy_s = run.healthy_s()
                    await self._stop(run)
                self._turn.give()
            delay_s = self._policy.next_delay_s(healthy_s) if _may_retry(trouble, run) else None
            self._tell(trouble, delay_s)
            if delay_s is None:
                self._on_given_up()
                await self._asked.wait()
                self._asked.clear()
            else:
                await asyncio.sleep(delay_s)

    @property
    def name(self) -> str:
        """Its served model name."""
        return self._engine.served_model_name

    @property
    def index(self) -> int:
        """Its place in the spec and in the record."""
        return self._index

    @property
    def engine(self) -> EngineSpec:
        """What it serves, and how."""
        return self._engine

    def keep_adapters(self, adapters: tuple[Adapter, ...]) -> None:
        """Notes the adapters that are loaded now: the next start loads them too, with the same room."""
        record = self._board.record.engines[self._index]
        room = {"max_loras": record.max_loras, "max_lora_rank": record.max_lora_rank}
        self._engine = self._engine.model_copy(update={"adapters": adapters, **room})
        self._show(**make_adapter_fields(self._engine))

    @property
    def max_num_seqs(self) -> int:
        """Requests that it works on at once, over all its copies; 0 before it is known."""
        return (self._engine.max_num_seqs or 0) * (self._engine.data_parallel_size or 1)

    def restart(self) -> bool:
        """Starts an engine that was given up as if it never had been; False when it wasn't given up."""
        record = self._board.record.engines[self._index]
        if record.phase is not EnginePhase.FAILED:
            return False
        self._policy = RestartPolicy()
        self._show_restarting(record)
        self._board.unwarn(f"{self.name} failed: ")
        self._asked.set()
        return True

    def _tell(self, trouble: Trouble, delay_s: float | None) -> None:
        """Shows a failure, and whether the engine is started again."""
        record = self._board.record.engines[self._index]
        name = self._engine.served_model_name
        sys.stderr.write(f"{name}: {trouble.code}: {trouble.message}\n")
        if delay_s is None:
            self._show(phase=EnginePhase.FAILED, trouble=trouble, ready_at=None)
            self._board.warn(f"{name} failed: {trouble.message} {trouble.remedy}".strip())
            return
        self._show_restarting(record, trouble=trouble, ready_at=None)
        self._board.warn(f"{name} is being restarted: {trouble.message}")

    def _show_restarting(self, record: EngineRecord, **more: object) -> None:
        """The new start's clock runs from here: the one before may have begun hours ago."""
        phase, count = EnginePhase.RESTARTING, record.restarts + 1
        self._show(phase=phase, restarts=count, started_at=time.time(), **more)

    async def _start(self) -> _Run:
        """Downloads if need be, and starts the process."""
        log = EngineLog(self._log_path)
        log.mark_start()
        if not self._gpu_type:
            self._gpu_type = await read_gpu_type(self._spec.device)
        expected_s = self._history.estimate(self._engine.model, self._gpu_type)
        self._show(phase=EnginePhase.ENVIRONMENT, started_at=time.time(), expected_ready_s=expected_s)
        model_path = await self._find_model()
        context = choose_context(self._engine.max_model_len, read_context_limit(Path(model_path)))
        sees = read_takes_images(Path(model_path))
        self._show(phase=EnginePhase.ENVIRONMENT, max_model_len=context, takes_images=sees)
        self.socket.unlink(missing_ok=True)
        await self._choose_slots()
        adapters = await self._find_adapters(Path(model_path))
        arguments = render_arguments(
            adapters.engine,
            socket=self.socket,
            device=self._spec.device,
            model_path=model_path,
            max_model_len=context,
            adapter_paths=adapters.paths,
        )
        await self._wait_for_turn()
        return _Run(await self._start_process(arguments, log), log)

    async def _start_process(self, arguments: list[str], log: EngineLog) -> EngineProcess:
        """Starts vLLM on this node, or as a step on all nodes of the job."""
        if self._step is not None:
            return await self._step.start(
                arguments, guard_prefix=self._guard_prefix, log=log, pass_fds=(self._liveness_fd,)
            )
        command = [*self._guard_prefix, *render_command(self._spec.engine_python, arguments)]
        return await EngineProcess.start(
            command, environment=await self._environment(), log=log, pass_fds=(self._liveness_fd,)
        )

    async def _choose_slots(self) -> None:
        """Settles how many requests it works on at once, which the gateway must know."""
        device = self._spec.device
        gpus = (await asyncio.to_thread(read_gpus, os.environ))[0] if device == "cuda" else ()
        chosen = choose_num_seqs(self._engine, device, gpus)
        self._engine = self._engine.model_copy(update={"max_num_seqs": chosen})
        self._show(max_num_seqs=self.max_num_seqs)

    async def _find_adapters(self, model_folder: Path) -> FoundAdapters:
        """What is loaded with the model; an adapter that can't be is told of, and left out."""
        if not self._engine.has_lora:
            return FoundAdapters(self._engine)
        spec = self._spec
        found = await find_adapters(
            self._engine,
            model_folder,
            hf_home=spec.hf_home,
            offline=spec.offline,
            tell=lambda detail: self._show(phase=EnginePhase.DOWNLOADING, detail=detail),
        )
        for trouble in found.troubles:
            self._board.warn(trouble)
        self._engine = found.engine
        self._show(**make_adapter_fields(found.engine))
        return found

    async def _wait_for_turn(self) -> None:
        if not self._turn.is_free:
            self._show(phase=EnginePhase.ENVIRONMENT, detail="waits until the model beside it has started")
        await self._turn.take()
        self._show(phase=EnginePhase.ENVIRONMENT, detail="")

    async def _environment(self) -> dict[str, str]:
        version = await read_engine_version(self._spec.engine_python) or "unknown"
        caches = EngineCaches(self._spec.cache_dir, self._spec.hf_home, version, self._gpu_type)
        num_engines = len(self._spec.engines)
        cores = max(1, count_cores() // num_engines)
        is_toy = self._engine.model == str(DEMO_MODEL_DIR)
        cache_gib = choose_cpu_kv_cache_gib(num_engines=num_engines, is_toy=is_toy)
        return make_environment(
            {"VLLM_CPU_KVCACHE_SPACE": str(cache_gib)} | os.environ,
            device=self._spec.device,
            caches=caches,
            runtime_dir=self.socket.parent,
            cores=cores,
            has_nvcc=find_nvcc(os.environ) is not None,
            device_ids=self._engine.device_ids,
            has_lora=self._engine.has_lora,
        )

    async def _find_model(self) -> str:
        """The model's folder, downloaded first when it comes from the hub."""
        engine = self._engine
        if engine.is_local:
            return engine.model
        path: Path | None = None
        progress = run_download(
            engine.model,
            engine.revision,
            hf_home=self._spec.hf_home,
            offline=self._spec.offline,
        )
        async for step in progress:
            path = step.path or path
            share = step.done_gib / step.total_gib if step.total_gib else None
            self._show(
                phase=EnginePhase.DOWNLOADING,
                progress=share,
                detail=f"{step.done_gib:.1f} of {step.total_gib:.1f} GiB",
                revision=step.revision,
            )
        return str(path or engine.model)

    async def _watch(self, run: _Run) -> None:
        """Follows a start until it is ready and then its health; ends by raising the failure."""
        ended = asyncio.create_task(run.process.wait())
        try:
            await self._watch_start(run, ended)
            await self._watch_health(run, ended)
        finally:
            ended.cancel()

    async def _watch_start(self, run: _Run, ended: asyncio.Task[int]) -> None:
        reader = PhaseReader()
        name, runner = self._engine.served_model_name, self._engine.runner
        while not (await check_health(self.socket) and await check_completion(self.socket, name, runner)):
            if reader.feed(run.log.read_new()):
                state = reader.state
                self._show(phase=state.phase, progress=state.progress, detail=state.detail)
            self._raise_if_ended(run, ended)
            if time.monotonic() - run.started_s > self._spec.start_timeout_s:
                raise _EngineFailedError(_never_ready(self._spec.start_timeout_s, run.log.read_tail()))
            await asyncio.wait({ended}, timeout=WATCH_S)
        run.ready_s = time.monotonic()
        self._turn.give()
        context = await read_context_length(self.socket)
        self._history.add(self._engine.model, self._gpu_type, run.ready_s - run.started_s)
        self._show(
            phase=EnginePhase.READY,
            ready_at=time.time(),
            max_model_len=context or self._board.record.engines[self._index].max_model_len,
        )
        self._board.unwarn(f"{name} is being restarted")

    async def _watch_health(self, run: _Run, ended: asyncio.Task[int]) -> None:
        last_answer_s = time.monotonic()
        while True:
            await asyncio.wait({ended}, timeout=HEALTH_EVERY_S)
            self._raise_if_ended(run, ended)
            run.log.rotate()
            await run.process.look()
            if await check_health(self.socket):
                last_answer_s = time.monotonic()
            elif time.monotonic() - last_answer_s > HUNG_S:
                text = f"The engine did not answer for {HUNG_S:.0f} s."
                remedy = "It is started again; if this happens often, use a shorter context."
                raise _EngineFailedError(Trouble(code="engine_hung", message=text, remedy=remedy))

    def _raise_if_ended(self, run: _Run, ended: asyncio.Task[int]) -> None:
        if self._step is not None:
            self._raise_if_silent(self._step)
        if ended.done():
            judge = diagnose if self._step is None else diagnose_ranks
            raise _EngineFailedError(judge(run.log.read_tail(), ended.result(), read_host_memory()))

    @staticmethod
    def _raise_if_silent(step: EngineStep) -> None:
        try:
            step.check_nodes()
        except NodeSilentError as error:
            raise _EngineFailedError(
                Trouble(code=error.code, message=error.message, remedy=error.remedy)
            ) from error

    async def _stop(self, run: _Run) -> None:
        """Ends the process and its whole tree, whatever state it is in."""
        left = await run.process.stop(STOP_GRACE_S if self._step is None else STEP_GRACE_S)
        for sentence in await self._step.clear() if self._step is not None else ():
            self._board.warn(sentence)
        run.log.close()
        self.socket.unlink(missing_ok=True)
        for process in left:
            holds = " and holds GPU memory" if process.holds_gpu else ""
            self._board.warn(f"Process {process.pid} ({process.name}) could not be ended{holds}.")
        if self._board.record.engines[self._index].phase is not EnginePhase.FAILED:
            self._show(phase=EnginePhase.STOPPED, ready_at=None)

    def _show(self, **changes: object) -> None:
        self._board.update_engine(self._index, **changes)


def _may_retry(trouble: Trouble, run: _Run | None) -> bool:
    """Whether another start could end otherwise: it worked before, or the cause may pass."""
    return trouble.code in TRANSIENT or (run is not None and run.ready_s is not None)


def _code_of(error: CurcLlmError) -> str:
    return str(getattr(error, "code", "") or "engine_failed")


def _never_ready(timeout_s: float, log_tail: str) -> Trouble:
    last = next((line for line in reversed(log_tail.splitlines()) if line.strip()), "nothing")
    return Trouble(
        code="start_timeout",
        message=f"The model was not ready after {timeout_s / 60:.0f} minutes. Its log ends: {last[:200]}",
        remedy="Set start_timeout_min higher if it only loads slowly; otherwise see: curc-llm logs",
    )
