"""Starting a session from a notebook, as `curc-llm launch` and `curc-llm serve` do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curc_llm.client.source import LocalSource
from curc_llm.errors import LaunchError
from curc_llm.session.paths import SessionPaths
from curc_llm.session.store import process_started

if TYPE_CHECKING:
    from curc_llm.launch.planning import Planned
    from curc_llm.launch.request import SessionRequest
    from curc_llm.plan.facts import Facts
    from curc_llm.settings import Settings

# The first word of a job takes well under a second; a home on a slow file system more.
FIRST_WORD_S = 60.0


@dataclass(frozen=True)
class Started:
    """A session that was started.

    Args:
        source: where it is known from.
        job_id: Slurm's; empty for one on this machine.
    """

    source: LocalSource
    job_id: str = ""


def start_in_slurm(request: SessionRequest, settings: Settings, facts: Facts) -> Started:
    """Plans and submits a session.

    Args:
        request: what was asked.
        settings: the person's own.
        facts: of the settings' site.

    Raises:
        RefusedError: it can't work at the site.
        SlurmError: Slurm refuses it, or is silent.
        LaunchError: the session's folder can't be written.
    """
    from curc_llm.launch.request import make_slurm_spec
    from curc_llm.launch.slurm import launch_slurm
    from curc_llm.slurm.command import Slurm

    spec = make_slurm_spec(request, settings, facts=facts)
    job_id = launch_slurm(spec, facts.site.runtime, Slurm())
    return Started(LocalSource(SessionPaths(spec.session_dir)), job_id)


def plan_here(model: str, hours: float | None, settings: Settings) -> Planned:
    """Plans a session for this machine.

    Raises:
        ModelDoesNotFitError, ModelNotFoundError: it can't work here.
    """
    from curc_llm.launch import detect_device
    from curc_llm.launch.planning import plan_engines

    return plan_engines(settings, (model,), {}, device=settings.device or detect_device(), time_h=hours)


def start_here(
    model: str, hours: float | None, settings: Settings, idle_stop_min: float | None = None
) -> Started:
    """Starts a session on this machine.

    Args:
        model: as a person calls it.
        hours: wall time; None for no end.
        settings: the person's own.
        idle_stop_min: minutes without a request until it ends; None for the settings'.

    Raises:
        ModelDoesNotFitError, ModelNotFoundError: it can't work here.
        LaunchError: there is no vLLM here, or the session's folder can't be written.
    """
    from curc_llm.engine.versions import read_versions
    from curc_llm.launch import detect_device, find_engine_python, launch_local
    from curc_llm.spec import make_launch_spec

    device = settings.device or detect_device()
    python = find_engine_python(settings, device)
    planned = plan_here(model, hours, settings)
    spec = make_launch_spec(
        settings, (model,), device=device, engine_python=python, time_h=hours, origins=planned.origins
    )
    update = {"site": planned.site, "facts_digest": planned.facts_digest}
    idle = {} if idle_stop_min is None else {"idle_stop_min": idle_stop_min}
    spec = spec.model_copy(update={**update, **idle, "versions": read_versions(python, device)})
    paths = SessionPaths(spec.session_dir)
    try:
        pid = launch_local(spec)
    except OSError as error:
        message = f"The session can't be started: {error.strerror}."
        raise LaunchError(message, "Look for what is wrong: curc-llm doctor") from error
    _wait_for_record(paths, pid)
    return Started(LocalSource(paths))


def _wait_for_record(paths: SessionPaths, pid: int) -> None:
    """Waits for the job's first word, so that whoever looks next finds a session."""
    deadline = time.monotonic() + FIRST_WORD_S
    while not paths.record.exists():
        if process_started(pid) is None or time.monotonic() > deadline:
            raise LaunchError("The job ended before it could say why.", f"Its log: {paths.log('job')}")
        time.sleep(0.05)
