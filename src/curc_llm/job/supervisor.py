"""The supervisor: starts the parts of a session, keeps them running, and ends them all with a reason."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path

from curc_llm.engine.versions import list_differences, read_versions
from curc_llm.errors import CurcLlmError
from curc_llm.gateway.channel import (
    Activity,
    EngineTarget,
    Extend,
    GatewayConfig,
    GatewayState,
    Order,
    Scale,
)
from curc_llm.job.adapting import Adapting
from curc_llm.job.board import Board
from curc_llm.job.chat_keeper import ChatKeeper
from curc_llm.job.clocks import Clocks
from curc_llm.job.demand import Demand
from curc_llm.job.ending import Ending, make_stop_ending, make_trouble_ending
from curc_llm.job.engine_keeper import EngineKeeper
from curc_llm.job.engine_slots import EngineSlots
from curc_llm.job.gateway_link import GatewayLink
from curc_llm.job.last_chance import LastChance
from curc_llm.job.look_first import look_first
from curc_llm.job.orders import Handler, OrderDesk
from curc_llm.job.run import GatewayProcess
from curc_llm.job.slurm_side import IGNORED, SlurmSide, note_slurm_job
from curc_llm.job.start_turn import make_turns
from curc_llm.job.swapping import Swapping
from curc_llm.launch.allocation import settle
from curc_llm.session.files import append_jsonl
from curc_llm.session.keys import make_owner_key
from curc_llm.session.login import make_login_secret
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord, SessionStatus, Trouble
from curc_llm.session.store import process_started
from curc_llm.session.succession import take_left_keys
from curc_llm.spec import LaunchSpec, read_launch_spec

# How long a failed session still answers, so that open pages learn what happened.
LAST_WORDS_S = 4.0
STOP_DRAIN_S = 5.0
OTHERS_WARNING = "No model is left in this job; those in other jobs go on answering."
GAVE_UP = Trouble(code="engine_gave_up", message="The engine failed.", remedy="See its log: curc-llm logs")


def run_supervisor(spec_path: Path, runtime_dir: Path, liveness_fd: int, gateway: GatewayProcess) -> int:
    """Runs a session to its end; 0 when it ended as asked, 1 when it failed."""
    try:
        spec = settle(read_launch_spec(spec_path))
        paths = SessionPaths(spec.session_dir)
        earlier = note_slurm_job(paths)
        make_owner_key(paths.keys, paths.api_key)
        take_left_keys(paths)
        make_login_secret(paths.login_secret)
    except (CurcLlmError, OSError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    first = make_first_record(spec, earlier)
    return asyncio.run(Supervisor(spec, paths, runtime_dir, liveness_fd, gateway, first).run())


class Supervisor:
    """One session's parts and state, on one event loop.

    Args:
        spec: what to run.
        paths: the session's files.
        runtime_dir: the private folder of its sockets.
        liveness_fd: closes when the guard above dies.
        gateway: the gateway, started already.
        first: the record that it begins with.
    """

    def __init__(
        self,
        spec: LaunchSpec,
        paths: SessionPaths,
        runtime_dir: Path,
        liveness_fd: int,
        gateway: GatewayProcess,
        first: SessionRecord,
    ) -> None:
        self._spec = spec
        self._paths = paths
        self._liveness_fd = liveness_fd
        self._ending: asyncio.Event = asyncio.Event()
        self._end: Ending | None = None
        self._chat_socket: Path | None = None
        self._drain_message = ""
        self._running = 0
        self._leans_on_others = False
        self._board = Board(paths.record, first, lambda _: self._publish())
        self._clocks = Clocks(spec, self._board, self.request_end)
        self._last_chance = LastChance(self._board, spec.last_chance_s, self.request_end)
        self._demand = self._make_demand() if spec.slurm else None
        self._slurm = SlurmSide(spec, self._board, self._clocks, self.request_end) if spec.slurm else None
        # Children's guards hold the read end: it closes when this process is gone, however it went.
        self._children_fd, self._alive_fd = os.pipe()
        self._guard_prefix = make_guard_prefix(self._children_fd)
        self._gateway = GatewayLink(
            paths,
            make_gateway_config(spec, runtime_dir),
            gateway,
            on_bound=self._bound,
            on_activity=self._activity,
            on_keep_going=self._clocks.keep_going,
            on_restart=self._restart,
            on_demand=self._take_demand,
            on_order=self._carry_out,
            on_failed=lambda trouble: self.request_end(make_trouble_ending(trouble)),
        )
        self._runtime_dir = runtime_dir
        self._turns = make_turns(spec)
        self._slots = EngineSlots(spec, self._make_keeper)
        self._swapping = Swapping(
            self._slots,
            self._board,
            self._audit,
            on_begin=self._last_chance.cancel,
            on_end=self._after_swap,
        )
        self._orders = self._make_order_desk()
        self._chat = ChatKeeper(
            spec,
            paths,
            runtime_dir,
            guard_prefix=self._guard_prefix,
            liveness_fd=self._children_fd,
            board=self._board,
            on_socket=self._chat_answers,
        )

    def _make_demand(self) -> Demand:
        return Demand(
            self._spec, self._paths, self._board, self._clocks, self.list_ready_sockets, self.request_end
        )

    def _make_keeper(self, place: int, spec: LaunchSpec) -> EngineKeeper:
        return EngineKeeper(
            place,
            spec,
            self._paths,
            self._runtime_dir / f"engine-{place}.sock",
            self._board,
            guard_prefix=self._guard_prefix,
            liveness_fd=self._children_fd,
            on_given_up=self._look_whether_one_is_left,
            turn=self._turns[place],
        )

    def _make_order_desk(self) -> OrderDesk:
        # Workers on other nodes read an adapter's files themselves: the runtime folder is this node's alone.
        links = self._paths.root / "adapters"
        adapting = Adapting(self._spec, self._board, lambda: self._slots.keepers, links)
        handlers: dict[str, Handler] = {
            "add_adapter": adapting.add,
            "remove_adapter": adapting.remove,
            "list_fits": self._swapping.list_fits,
            "swap": self._swapping.swap,
        }
        return OrderDesk(handlers, self._gateway.send_outcome)

    async def run(self) -> int:
        """Runs everything until an ending is asked for, then ends everything."""
        self._listen_to_signals()
        self._audit("started")
        keeping = [asyncio.create_task(self._board.keep_written())]
        gateway = asyncio.create_task(self._gateway.run())
        parts = [asyncio.create_task(self._run_engines())]
        parts += [asyncio.create_task(self._chat.run())] if self._spec.has_chat else []
        keeping.append(asyncio.create_task(self._clocks.run()))
        keeping.append(asyncio.create_task(self._learn_versions()))
        keeping += self._slurm.start() if self._slurm is not None else []
        keeping += self._demand.start() if self._demand is not None else []
        await self._ending.wait()
        assert self._end is not None  # noqa: S101 - set before the event
        if self._demand is not None:
            self._end = await self._demand.close(self._end)
        await self._wind_down(self._end, parts)
        for task in (*keeping, gateway):
            task.cancel()
        await asyncio.gather(*keeping, gateway, return_exceptions=True)
        await self._gateway.close()
        return 0 if self._end.status is SessionStatus.ENDED else 1

    async def _run_engines(self) -> None:
        """Runs all engines until cancelled; what nobody foresaw ends the session, with its reason."""
        try:
            await self._fit_and_run_engines()
        except Exception as error:  # noqa: BLE001 - else nothing would run, and nobody be told
            sys.stderr.write("".join(traceback.format_exception(error)))
            self.request_end(make_trouble_ending(make_surprise(error)))

    async def _fit_and_run_engines(self) -> None:
        """Runs all engines, once it is sure that the job got what they need; ends them when cancelled."""
        if self._slurm is not None:
            spec = await self._slurm.fit()
            if spec is None or not await look_first(spec, self._paths, self._board, self.request_end):
                return
            self._turns = make_turns(spec)
            self._slots.refit(spec)
        await self._slots.run()

    async def _wind_down(self, end: Ending, parts: list[asyncio.Task[None]]) -> None:
        """Drains, stops engines and chat, writes the last record; the gateway answers until after that."""
        self._drain_message = end.reason.message
        self._last_chance.cancel()
        self._board.update(status=SessionStatus.DRAINING, reason=end.reason)
        if end.is_urgent:
            self._paths.remove_secrets()
        deadline = time.monotonic() + end.drain_s
        while self._running and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        replicas = [self._demand.end_replicas()] if self._demand is not None else []
        for part in parts:
            part.cancel()
        _report(await asyncio.gather(*parts, *replicas, return_exceptions=True))
        self._board.end(end.status, end.reason)
        self._board.write()
        self._audit("ended", code=end.reason.code)
        if end.status is SessionStatus.FAILED and self._board.record.port and not end.is_urgent:
            await asyncio.sleep(LAST_WORDS_S)

    def request_end(self, end: Ending) -> None:
        """Asks that the session ends; the first reason counts."""
        if self._end is None:
            self._end = end
            self._ending.set()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            loop.add_signal_handler(number, self._on_signal, number)
        loop.add_reader(self._liveness_fd, self._guard_is_gone)

    def _on_signal(self, number: signal.Signals) -> None:
        end = self._slurm.judge_signal(number, self._clocks.left_s()) if self._slurm is not None else None
        if end is not IGNORED:
            left_s = self._clocks.left_s()
            is_replica, drain_s = bool(self._spec.parent), self._spec.drain_s
            stopped = make_stop_ending(number, left_s, STOP_DRAIN_S, drain_s, is_replica=is_replica)
            self.request_end(end or stopped)

    def _guard_is_gone(self) -> None:
        """Nobody waits for this session any more: everything is ended, quickly."""
        asyncio.get_running_loop().remove_reader(self._liveness_fd)
        trouble = Trouble(code="guard_died", message="The job was killed.", remedy="Start the session again.")
        self.request_end(Ending(SessionStatus.FAILED, trouble, 0))

    def _look_whether_one_is_left(self) -> None:
        engines = self._board.record.engines
        if self._swapping.is_under_way:
            return  # the old model comes back
        if all(engine.phase is EnginePhase.FAILED for engine in engines):
            if self._demand is not None and self._demand.targets():
                self._lean_on_others()
                return
            trouble = next((e.trouble for e in engines if e.trouble), None)
            self._last_chance.begin(trouble or GAVE_UP)

    def _lean_on_others(self) -> None:
        """Sessions in other jobs answer while all of this one's engines have failed: it goes on for them."""
        self._last_chance.cancel()
        self._leans_on_others = True
        if self._demand is not None and self._demand.serves_itself:
            again = f"curc-llm restart {self._board.record.session_id}"
            self._board.warn(f"{OTHERS_WARNING} Start one here again: {again}")

    def _look_at_others(self, others: list[EngineTarget]) -> None:
        """Others that can answer are a reason to go on; that the last of them has gone may be one to end."""
        if others and self._board.record.gives_up_at is not None:
            self._lean_on_others()
        elif self._leans_on_others and not others:
            self._leans_on_others = False
            self._board.unwarn(OTHERS_WARNING)
            self._look_whether_one_is_left()

    def _restart(self, models: tuple[str, ...]) -> None:
        """The owner wants engines started again that were given up."""
        if self._end is not None:
            return
        if [keeper for keeper in self._slots.keepers if keeper.name in models and keeper.restart()]:
            self._last_chance.cancel()
            self._board.unwarn(OTHERS_WARNING)
            self._clocks.keep_going()

    def _carry_out(self, order: Order) -> None:
        self._orders.take(order)
        if order.verb != "list_fits":
            self._clocks.keep_going()

    def _after_swap(self) -> None:
        self._clocks.keep_going()
        if self.list_ready_sockets():
            self._leans_on_others = False
            self._board.unwarn(OTHERS_WARNING)
        self._look_whether_one_is_left()

    def _bound(self, port: int) -> None:
        host = self._spec.advertise_host
        base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._board.update(port=port, base_url=f"{base}/v1", chat_url=f"{base}/chat/")

    def _activity(self, activity: Activity) -> None:
        self._running = activity.running
        self._clocks.note_use(activity)
        if self._demand is not None:
            self._demand.note_use(activity)

    def _take_demand(self, message: Scale | Extend) -> None:
        if self._demand is not None and self._end is None:
            self._demand.take(message)

    def list_ready_sockets(self) -> list[Path]:
        """The sockets of this session's own engines that can answer."""
        phases = [engine.phase for engine in self._board.record.engines]
        return [
            k.socket
            for k, phase in zip(self._slots.keepers, phases, strict=False)
            if phase is EnginePhase.READY
        ]

    def _chat_answers(self, path: Path | None) -> None:
        self._chat_socket = path
        self._publish()

    def _publish(self) -> None:
        """Tells the gateway the state as it is now."""
        record = self._board.record
        targets = [
            EngineTarget(
                record.engines[i].served_model_name,
                str(keeper.socket),
                record.engines[i].phase.value,
                adapters=tuple(adapter.name for adapter in record.engines[i].adapters),
                id=keeper.id,
                max_num_seqs=keeper.max_num_seqs,
            )
            for i, keeper in enumerate(self._slots.keepers)
            if self._demand is None or self._demand.serves_itself
        ]
        others = self._demand.targets() if self._demand is not None else []
        targets += others
        chat = str(self._chat_socket) if self._chat_socket else None
        self._gateway.send_state(
            GatewayState(record.to_json(), tuple(targets), chat, self._end is None, self._drain_message)
        )
        self._look_at_others(others)

    async def _learn_versions(self) -> None:
        found = await asyncio.to_thread(read_versions, self._spec.engine_python, self._spec.device)
        self._board.update(versions=found)
        if told := list_differences(self._spec.versions, found) if self._spec.repeats else ():
            self._board.warn(f"This is not quite the run of {self._spec.repeats}: {'; '.join(told)}.")

    def _audit(self, event: str, **fields: object) -> None:
        try:
            append_jsonl(self._paths.audit_log, {"time": time.time(), "event": event, **fields})
        except OSError as error:
            sys.stderr.write(f"The audit log can't be written: {error}\n")


def _report(results: Iterable[object]) -> None:
    """Writes down what went wrong in tasks that have ended."""
    for result in results:
        if isinstance(result, Exception):
            sys.stderr.write(f"While stopping: {result!r}\n")


def make_surprise(error: Exception) -> Trouble:
    """An error that nobody foresaw, in words.

    Example:
        >>> make_surprise(ValueError("no port")).message
        'The session came upon an error of its own: ValueError: no port'
    """
    told = f"{type(error).__name__}: {error}".removesuffix(": ")
    message = f"The session came upon an error of its own: {told[:300]}"
    remedy = "See the job's log (curc-llm logs), and tell those who look after curc-llm."
    return Trouble(code="internal_error", message=message, remedy=remedy)


def make_guard_prefix(liveness_fd: int) -> list[str]:
    """The command in front of a child that ends its whole tree when it, or this process, is gone."""
    guard = [sys.executable, "-m", "curc_llm.job.guard", "--grace-s", "1"]
    return [*guard, "--liveness-fd", str(liveness_fd), "--"]


def make_first_record(spec: LaunchSpec, earlier: SessionRecord | None) -> SessionRecord:
    """The record of a session that has just begun; its pid is the guard's, this process's parent.

    Args:
        spec: settled on this node.
        earlier: that of the run before, where Slurm has started the same job again.
    """
    now, guard_pid = time.time(), os.getppid()
    return SessionRecord(
        session_id=spec.session_id,
        owner=spec.owner,
        host=socket.gethostname(),
        pid=guard_pid,
        pid_started=process_started(guard_pid) or 0,
        slurm_job_id=os.environ.get("SLURM_JOB_ID"),
        engines=tuple(
            EngineRecord(
                served_model_name=e.served_model_name, model=e.model, runner=e.runner, phase_since=now
            )
            for e in spec.engines
        ),
        started_at=now,
        heartbeat_at=now,
        ends_at=now + spec.wall_time_s if spec.wall_time_s else None,
        parent=spec.parent,
        predecessor=spec.predecessor,
        scale=earlier.scale if earlier is not None else None,
    )


def make_gateway_config(spec: LaunchSpec, runtime_dir: Path) -> GatewayConfig:
    """What the gateway is told of the spec."""
    return GatewayConfig(
        session_id=spec.session_id,
        session_dir=str(spec.session_dir),
        private_socket=str(runtime_dir / "gateway.sock"),
        owner=spec.owner,
        bind_host=spec.bind_host,
        port_min=spec.port_min,
        port_max=spec.port_max,
        max_body_mib=spec.max_body_mib,
        heartbeat_s=spec.heartbeat_s,
        log_prompts=spec.log_prompts,
    )
