"""From a LaunchSpec to a job in Slurm, and back to nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from dataclasses import dataclass

from curc_llm.errors import LaunchError, SlurmError, SlurmSilentError
from curc_llm.launch.queued import SlurmSession, load_session
from curc_llm.session.files import write_private
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.session.slurm_note import SlurmNote, write_slurm_note
from curc_llm.sites.site import Runtime
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll
from curc_llm.slurm.request import JobRequest, make_repeated_request
from curc_llm.slurm.script import render_script
from curc_llm.spec import LaunchSpec

POLL_S = 1.0
# Asked to end, a session needs a few seconds; one that doesn't heed it is cancelled after so many.
SOFT_STOP_S = 25.0


@dataclass(frozen=True)
class Submission:
    """What is handed to sbatch.

    Args:
        request: what Slurm is asked for.
        script: the batch script.
    """

    request: JobRequest
    script: str


def make_submission(spec: LaunchSpec, runtime: Runtime) -> Submission:
    """What sbatch is given for a session.

    Args:
        spec: made by `make_slurm_spec`.
        runtime: what the site's jobs run with; without a Python of its own, the one that launches.

    Raises:
        SpecError: the spec isn't one for Slurm, or a value isn't one that Slurm could mean.
    """
    if spec.slurm is None or spec.wall_time_s is None:
        raise LaunchError(f"Session {spec.session_id} isn't one for Slurm.", "Use: curc-llm serve --from")
    paths = SessionPaths(spec.session_dir)
    request = make_repeated_request(
        spec.slurm, job_name="curc-llm", time_s=spec.wall_time_s, output=paths.log("job")
    )
    python = runtime.python or sys.executable
    return Submission(request, render_script(request, paths.spec, python=python, modules=runtime.modules))


def launch_slurm(spec: LaunchSpec, runtime: Runtime, slurm: Slurm) -> str:
    """Writes a session's folder and submits its job.

    Returns:
        Slurm's job id.

    Raises:
        SlurmError: Slurm refuses the job; nothing of the session is left.
        SlurmSilentError: no answer in time; the job may exist, so the folder stays.
        LaunchError: the session's folder can't be written.
    """
    submission = make_submission(spec, runtime)
    paths = SessionPaths(spec.session_dir)
    _write_folder(spec, paths)
    try:
        job_id = slurm.submit(submission.request, submission.script, folder=paths.root)
    except SlurmSilentError as silence:
        raise SlurmSilentError(
            "Slurm gave no answer in time, so it isn't known whether it took the job.",
            f"Look before you launch again: squeue --me. If it runs, it is session {spec.session_id}.",
        ) from silence
    except BaseException:
        shutil.rmtree(paths.root, ignore_errors=True)
        raise
    try:
        write_slurm_note(paths.slurm, SlurmNote(job_id=job_id, submitted_at=time.time()))
    except OSError as error:
        with contextlib.suppress(SlurmError):  # without its folder the job ends at once anyway
            slurm.cancel(job_id)
        shutil.rmtree(paths.root, ignore_errors=True)
        raise _make_unwritable(paths, error) from error
    return job_id


def _write_folder(spec: LaunchSpec, paths: SessionPaths) -> None:
    paths.make()
    try:
        write_private(paths.spec, spec.model_dump_json(indent=1))
        # Slurm would make it readable for others; appending keeps the mode.
        os.close(os.open(paths.log("job"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError as error:
        shutil.rmtree(paths.root, ignore_errors=True)
        raise _make_unwritable(paths, error) from error


def _make_unwritable(paths: SessionPaths, error: OSError) -> LaunchError:
    remedy = "Free some space, or set state_dir (CURC_LLM_STATE_DIR) elsewhere."
    return LaunchError(f"{paths.root} can't be written: {error.strerror}.", remedy)


def stop_slurm(found: SlurmSession, slurm: Slurm, timeout_s: float = 60) -> SessionRecord:
    """Ends a session that is a Slurm job, wherever it runs, and waits until nothing of it is left.

    A running session is asked first, so that it finishes what it is answering; then Slurm cancels the job.

    Returns:
        The last record, which tells why it ended.

    Raises:
        SlurmError: Slurm doesn't let the caller.
        SlurmSilentError: Slurm gives no answer; the session may go on.
        LaunchError: it isn't gone in time.
    """
    poll = SlurmPoll(slurm, min_gap_s=POLL_S)
    began = time.monotonic()
    is_asked = found.record.port is not None and _ask_to_end(found.job_id, slurm)
    if not is_asked:
        slurm.cancel(found.job_id)
    while time.monotonic() - began < timeout_s:
        if is_asked and time.monotonic() - began > SOFT_STOP_S:
            slurm.cancel(found.job_id)
            is_asked = False
        time.sleep(POLL_S)
        job = poll.jobs([found.job_id])[found.job_id]
        if job.state.is_over:
            found.paths.remove_secrets()
            now = load_session(found.paths.root, poll, ask_all=True)
            return now.record if now is not None else found.record
    raise LaunchError(
        f"Session {found.session_id} (job {found.job_id}) hasn't ended after {timeout_s:.0f} s.",
        f"See how it is with: squeue -j {found.job_id}",
    )


def _ask_to_end(job_id: str, slurm: Slurm) -> bool:
    """Sends TERM to the session's own process alone; False when that can't be done."""
    try:
        slurm.query("scancel", "--batch", "--signal=TERM", job_id)
    except SlurmSilentError:
        raise
    except Exception:  # noqa: BLE001 - whatever it was, the job is cancelled outright then
        return False
    return True
