"""Acceptance: the smallest real launch, looked at from its submission until nothing of it is left."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from curc_llm.centre.accept_access import check_access
from curc_llm.centre.accept_service import check_service, check_start, see_cost
from curc_llm.centre.accepted import Accepted
from curc_llm.centre.promise import BrokenPromiseError, Promise, expect, try_promise
from curc_llm.errors import CurcLlmError, SessionEndedError
from curc_llm.launch.local import is_ready
from curc_llm.launch.queued import SlurmSession, load_session
from curc_llm.launch.slurm import launch_slurm, stop_slurm
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.session.store import read_record
from curc_llm.sites.site import Site
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll
from curc_llm.spec import LaunchSpec

LOOK_S = 0.1
MOST_STOP_S = 40.0  # 25 s for answers that are under way, then Slurm's own wait between TERM and KILL
MOST_LEFT_S = 10.0
STOP_TEXT = "Stop ends it, and nothing is left: no job, no open port, no key."
COST_TEXT = "What it cost is what was planned for that time."


class Acceptance:
    """One run.

    Args:
        slurm: where.
        site: whose prices count.
        wait_s: seconds until the job must have started.
        ready_s: seconds from its start until the model must answer.
        say: what is told meanwhile.
    """

    def __init__(
        self, slurm: Slurm, site: Site, *, wait_s: float, ready_s: float, say: Callable[[str], None] = print
    ) -> None:
        self._slurm = slurm
        self._site = site
        self._wait_s = wait_s
        self._ready_s = ready_s
        self._say = say

    def run(self, spec: LaunchSpec) -> Iterator[Promise]:
        """Every promise, as soon as it was looked at. The session is ended whatever happens.

        Raises:
            SlurmError: the launch is refused; nothing is left then.
        """
        job_id = launch_slurm(spec, self._site.runtime, self._slurm)
        plan = spec.origins[0].plan if spec.origins else None
        paths = SessionPaths(spec.session_dir)
        session = Accepted(paths, job_id, spec.owner, self._site, plan, lambda: read_record(paths.record))
        self._say(f"Session {spec.session_id} is submitted as job {job_id}.")
        try:
            yield from self._look(session)
        finally:
            stopped = try_promise("stop", STOP_TEXT, lambda: self._stop(session))
        yield stopped
        yield try_promise("cost", COST_TEXT, lambda: see_cost(session, self._slurm))

    def _look(self, session: Accepted) -> Iterator[Promise]:
        started = try_promise("started", "Slurm starts the job.", lambda: self._await_address(session))
        yield started
        if started.verdict != "kept":
            return
        yield from check_start(session)
        ready = try_promise(
            "ready", "The model is ready in the time given.", lambda: self._await_ready(session)
        )
        yield ready
        yield from check_access(session)
        if ready.verdict == "kept":
            yield from check_service(session, self._slurm)

    def _await_address(self, session: Accepted) -> str:
        """Waits for the record's address, and asks Slurm when the job began."""
        until, poll = time.monotonic() + self._wait_s, SlurmPoll(self._slurm)
        while time.monotonic() < until:
            record = session.read()
            self._note_phase(session, record)
            if record is not None and record.base_url is not None:
                session.seen_at["address"] = time.time()
                session.base_url = record.base_url
                job = SlurmPoll(self._slurm).jobs([session.job_id])[session.job_id]
                session.job_start_at = job.start_at
                return f"job {session.job_id} on {record.host}"
            job = poll.jobs([session.job_id])[session.job_id]
            if job.state.is_over or job.waits_in_vain:
                why = job.why_waiting or job.state.value
                raise BrokenPromiseError(f"the job has no session ({why}); see curc-llm logs")
            time.sleep(LOOK_S)
        job = poll.jobs([session.job_id])[session.job_id]
        raise BrokenPromiseError(
            f"not within {self._wait_s / 60:.0f} min ({job.why_waiting or job.state.value})"
        )

    def _await_ready(self, session: Accepted) -> str:
        began, poll = time.monotonic(), SlurmPoll(self._slurm)
        while time.monotonic() - began < self._ready_s:
            found = load_session(session.paths.root, poll)
            record = found.record if found is not None else session.record()
            self._note_phase(session, record)
            if record.status.is_over:
                reason = record.reason
                told = f"{reason.message} {reason.remedy}" if reason else "no reason is given"
                raise SessionEndedError(f"it ended: {told}")
            if is_ready(record):
                session.seen_at["ready"] = time.time()
                return f"{session.seen_at['ready'] - session.seen_at['address']:.0f} s after its address"
            time.sleep(LOOK_S)
        raise BrokenPromiseError(f"not within {self._ready_s / 60:.0f} min; last phase {session.phases[-1:]}")

    def _note_phase(self, session: Accepted, record: SessionRecord | None) -> None:
        engine = record.engines[0] if record is not None and record.engines else None
        phase = str(engine.phase) if engine is not None else ""
        if phase and (not session.phases or session.phases[-1] != phase):
            session.phases.append(phase)
            session.seen_at.setdefault(phase, time.time())
            self._say(f"  {phase}")

    def _stop(self, session: Accepted) -> str:
        began = time.monotonic()
        found = load_session(session.paths.root, SlurmPoll(self._slurm))
        if isinstance(found, SlurmSession) and not found.status.is_over:
            stop_slurm(found, self._slurm, timeout_s=MOST_STOP_S + 20)
        else:
            self._slurm.cancel(session.job_id)
        took_s = time.monotonic() - began
        expect(took_s <= MOST_STOP_S, f"it took {took_s:.0f} s")
        left = self._await_nothing(session)
        expect(not left, f"left {MOST_LEFT_S:.0f} s after its end: {', '.join(left)}")
        record = read_record(session.paths.record)
        code = record.reason.code if record is not None and record.reason is not None else "none"
        return f"{took_s:.0f} s, reason {code}"

    def _await_nothing(self, session: Accepted) -> list[str]:
        """What is still there; asked until nothing is, or the time is up."""
        until = time.monotonic() + MOST_LEFT_S
        while (left := find_leftovers(session, self._slurm)) and time.monotonic() < until:
            time.sleep(0.5)
        return left


def find_leftovers(session: Accepted, slurm: Slurm) -> list[str]:
    """The job, its port and its secrets, as far as they are still there."""
    left = []
    if not SlurmPoll(slurm).jobs([session.job_id])[session.job_id].state.is_over:
        left.append(f"job {session.job_id}")
    parts = urlsplit(session.base_url)
    if parts.hostname and parts.port and _is_open(parts.hostname, parts.port):
        left.append(f"port {parts.port}")
    secrets = (session.paths.api_key, session.paths.login_secret, session.paths.keys)
    return left + [path.name for path in secrets if path.exists()]


def _is_open(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def check_caller() -> None:
    """Raises when root runs it: root is let through where people aren't.

    Raises:
        CurcLlmError: the caller is root.
    """
    if os.geteuid() == 0:
        raise CurcLlmError(
            "The acceptance run isn't for root: what root may do, people may not.", "Run it as a normal user."
        )
