"""Why an engine failed, in a person's words."""

from __future__ import annotations

from curc_llm.session.record import Trouble


def diagnose(log_tail: str, exit_code: int | None) -> Trouble:
    """The most likely cause of a failure, and what to do.

    Args:
        log_tail: the end of the engine's log.
        exit_code: its exit status, negative for a signal; None when it still ran.
    """
    lines = [line for line in log_tail.splitlines() if line.strip()]
    last = lines[-1] if lines else "it wrote nothing"
    return Trouble(code="engine_failed", message=f"The engine failed (exit status {exit_code}): {last[:300]}")
