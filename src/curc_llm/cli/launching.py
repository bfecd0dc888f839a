"""Starting a session from the terminal: the launch, its progress, the card, and staying attached."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curc_llm.cli.card import make_card, render_card
from curc_llm.cli.output import Output
from curc_llm.client.progress import Progress
from curc_llm.errors import CurcLlmError, EngineError, LaunchError
from curc_llm.session.paths import SessionPaths
from curc_llm.session.store import FoundSession, load_session, process_started

if TYPE_CHECKING:
    from curc_llm.cli.lab import Lab
    from curc_llm.session.record import SessionRecord
    from curc_llm.settings import Settings
    from curc_llm.spec import LaunchSpec

WATCH_EVERY_S = 0.5
STOP_TIMEOUT_S = 60.0
# Endings that a person or the clock wanted; an attached command then ends without an error.
WANTED_ENDS = {"stopped", "idle", "wall_time", "signal"}


@dataclass(frozen=True)
class Start:
    """How a session is started.

    Args:
        models: what to serve, at least one.
        engine_flags: values from the command line, by the EngineSpec's field names; None means not given.
        port: the gateway's port, None for a free one.
        time_h: wall time in hours.
        detach: return when the session is ready, and leave it running.
        repeats: the session that is done again; then `models` and `engine_flags` are empty.
        idle_stop_min: minutes without a request until it ends; None for the settings' or the old session's.
        replicas: engines for each model.
        lab: run JupyterLab beside it, with the notebooks; it goes on when the session has ended.
        adapters: LoRA adapters, as people name them.
    """

    models: tuple[str, ...]
    engine_flags: dict[str, Any]
    port: int | None
    time_h: float | None
    detach: bool
    repeats: str | None = None
    idle_stop_min: float | None = None
    lab: bool = False
    adapters: tuple[str, ...] = ()
    replicas: int = 1


@dataclass(frozen=True)
class Beside:
    """What runs beside a session.

    Args:
        fields: more of the card.
        lab: JupyterLab, if it runs.
    """

    fields: dict[str, str] = field(default_factory=dict)
    lab: Lab | None = None

    def stay(self, attend: Callable[[], None], output: Output) -> None:
        """Attends to the session until it ends, and then to JupyterLab, whose notebooks may hold more.

        Raises:
            KeyboardInterrupt: Ctrl-C, while the session ran.
        """
        if self.lab is None:
            attend()
            return
        try:
            attend()
        except CurcLlmError as error:
            output.say(str(error))
        with contextlib.suppress(KeyboardInterrupt):
            output.say("JupyterLab goes on, with its notebooks and kernels; Ctrl-C here ends it.")
            self.lab.wait()
        output.say("JupyterLab has ended.")


def run_session(settings: Settings, start: Start, output: Output) -> None:
    """Starts a session, shows its phases, prints its card, and stays until it ends unless detached.

    Raises:
        ModelDoesNotFitError: it can't work on this machine; nothing was started.
        LaunchError, EngineError: it could not be started; nothing of it is left.
    """
    from curc_llm.launch import launch_local

    spec = make_spec(settings, start, output)
    paths = SessionPaths(spec.session_dir)
    with _signals_as_interrupt():
        names = ", ".join(dict.fromkeys(e.served_model_name for e in spec.engines))
        output.say(f"Starting session {spec.session_id} ({names}) …")
        pid = launch_local(spec)
        try:
            record = _wait(paths, spec, pid)
            with _beside(spec, start, output) as lab:
                _print_card(paths, record, start, output, lab.fields)
                if not start.detach:
                    lab.stay(lambda: stay_attached(paths, output), output)
        except KeyboardInterrupt:
            output.say("Stopping the session …")
            end_session(paths, pid)
            output.say("The session has ended. Nothing of it is left running.")
            if start.detach:
                raise


def make_spec(settings: Settings, start: Start, output: Output) -> LaunchSpec:
    """The spec of the session, planned or repeated; what the command line says wins over the settings."""
    if start.repeats is None:
        spec = _make_planned_spec(settings, start, output)
    else:
        from curc_llm.cli.repeating import make_repeat_spec

        spec = make_repeat_spec(settings, start.repeats, output)
    update: dict[str, Any] = {}
    if start.time_h is not None:
        update |= {"wall_time_s": start.time_h * 3600}
    if start.idle_stop_min is not None:
        update |= {"idle_stop_min": start.idle_stop_min}
    if start.port is not None:
        update |= {"port_min": start.port, "port_max": start.port}
    return spec.model_copy(update=update)


def _make_planned_spec(settings: Settings, start: Start, output: Output) -> LaunchSpec:
    """The spec of new engines, each planned for this machine first."""
    from curc_llm.engine.machine import read_memory_gib
    from curc_llm.engine.versions import read_versions
    from curc_llm.launch import detect_device, find_engine_python
    from curc_llm.launch.adapters import add_adapters
    from curc_llm.launch.cpu_memory import check_memory
    from curc_llm.launch.planning import plan_engines
    from curc_llm.sites.nvidia_smi import find_local_gpus
    from curc_llm.spec import choose_models, make_launch_spec
    from curc_llm.spec.adapter import MOST_AT_ONCE
    from curc_llm.spec.replicas import check_gpus

    device = settings.device or detect_device()
    python = find_engine_python(settings, device)
    models = choose_models(settings, start.models)
    asked = start.engine_flags
    if start.adapters and not asked.get("max_loras"):
        asked = {**asked, "max_loras": min(len(start.adapters), MOST_AT_ONCE)}
    planned = plan_engines(
        settings, models, asked, device=device, time_h=start.time_h, replicas=start.replicas
    )
    for note in planned.notes:
        output.say(f"Note: {note}")
    spec = make_launch_spec(
        settings,
        models,
        device=device,
        engine_python=python,
        given=start.engine_flags,
        origins=planned.origins,
        replicas=start.replicas,
    )
    spec = add_adapters(spec, start.adapters, settings)
    if device == "cpu":
        check_memory(spec.engines, planned.weights_gib(start.replicas), read_memory_gib(), os.environ)
    elif start.replicas > 1:
        check_gpus(spec.engines, len(find_local_gpus(os.environ)))
    more = {"site": planned.site, "facts_digest": planned.facts_digest}
    return spec.model_copy(update={**more, "versions": read_versions(python, device)})


def _wait(paths: SessionPaths, spec: LaunchSpec, pid: int) -> SessionRecord:
    from curc_llm.launch import wait_until_ready

    progress = Progress()
    try:
        return wait_until_ready(paths, progress.show, spec.start_timeout_s + 60, pid)
    except (LaunchError, EngineError) as error:
        progress.close()
        end_session(paths, pid)
        raise type(error)(
            error.message, error.remedy or f"Look at: curc-llm logs {spec.session_id}"
        ) from error
    finally:
        progress.close()


@contextlib.contextmanager
def _beside(spec: LaunchSpec, start: Start, output: Output) -> Iterator[Beside]:
    """What runs beside the session while this command is attached to it."""
    if not start.lab:
        yield Beside()
        return
    from curc_llm.cli.lab import run_lab
    from curc_llm.cli.own_notebooks import copy_notebooks, find_shipped_notebooks

    folder, shipped = spec.state_dir / "notebooks", find_shipped_notebooks()
    kept = copy_notebooks(shipped, folder) if shipped is not None else []
    if kept:
        output.say(f"Left as you changed them in {folder}: {', '.join(kept)}")
    output.say("Starting JupyterLab …")
    with run_lab(folder, spec.session_id, spec.state_dir) as lab:
        yield Beside({"lab_url": lab.link, "notebooks": str(folder)}, lab)


def _print_card(
    paths: SessionPaths, record: SessionRecord, start: Start, output: Output, more: dict[str, str]
) -> None:
    card = make_card(paths, record) | more
    name = record.session_id
    stop = f"curc-llm stop {name}" if start.detach else f"Ctrl-C here (or curc-llm stop {name})"
    output.data(f"\n{card['model']} is ready.\n\n{render_card(card, stop)}\n", card)


def stay_attached(paths: SessionPaths, output: Output) -> None:
    """Watches the session until it ends, passing its warnings on."""
    told: set[str] = set()
    while (found := load_session(paths.root)) is not None and not found.status.is_over:
        for warning in found.record.warnings:
            if warning not in told:
                told.add(warning)
                output.say(f"Warning: {warning}")
        time.sleep(WATCH_EVERY_S)
    reason = found.record.reason if found is not None else None
    if reason is None:
        raise LaunchError("The session ended without saying why.", f"Its log: {paths.log('job')}")
    if reason.code not in WANTED_ENDS:
        raise EngineError(reason.message, reason.remedy)
    output.say(f"The session has ended: {reason.message} {reason.remedy}".rstrip())


def end_session(paths: SessionPaths, pid: int) -> None:
    """Ends the session, also one so young that it has no record yet."""
    from curc_llm.launch import stop_session

    found: FoundSession | None = load_session(paths.root)
    if found is not None:
        stop_session(found, STOP_TIMEOUT_S)
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while process_started(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.05)


@contextlib.contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """A closed terminal or a `kill` of this command ends the session as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    kinds = (signal.SIGTERM, signal.SIGHUP)
    old = {kind: signal.signal(kind, interrupt) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in old.items():
            signal.signal(kind, handler)


def remember(path: Path, value: dict[str, Any]) -> None:
    """Writes a small note for later runs; a folder that can't be written is no trouble here."""
    from curc_llm.session.files import write_json

    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(path, value)


def recall(path: Path) -> dict[str, Any]:
    """A note that `remember` wrote; empty without one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
