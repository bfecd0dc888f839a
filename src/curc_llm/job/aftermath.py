"""What the guard does when the supervisor is gone: secrets wiped, the record completed."""

from __future__ import annotations

import signal
import sys
import time

from curc_llm.session.files import append_jsonl
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionStatus, Trouble
from curc_llm.session.store import read_record, write_record


def clear_up(paths: SessionPaths, exit_status: int) -> None:
    """Removes the session's secrets and, if the supervisor couldn't, writes why the session ended.

    Args:
        paths: the session's files.
        exit_status: the supervisor's; negative for a signal.
    """
    paths.remove_secrets()
    record = read_record(paths.record)
    if record is None or record.status.is_over:
        return
    reason = Trouble(
        code="supervisor_died",
        message=f"The job's supervisor ended without warning ({describe_exit(exit_status)}).",
        remedy=f"Start the session again; if it happens twice, look into {paths.log('job')}.",
    )
    over = record.model_copy(
        update={
            "status": SessionStatus.FAILED,
            "reason": reason,
            "ended_at": time.time(),
            "idle_stop_at": None,
        }
    )
    try:
        write_record(paths.record, over)
        append_jsonl(paths.audit_log, {"time": time.time(), "event": "ended", "code": reason.code})
    except OSError as error:
        sys.stderr.write(f"{paths.record} can't be written: {error.strerror}\n")


def describe_exit(status: int) -> str:
    """An exit status in words, such as `signal 9 (SIGKILL)` or `exit status 1`."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"
