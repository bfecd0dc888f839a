"""Launching: what was asked is planned (`planning`), a spec becomes a job on this machine (`local`)."""

from curc_llm.launch.local import (
    detect_device,
    find_engine_python,
    launch_local,
    stop_session,
    wait_until_ready,
)

__all__ = ["detect_device", "find_engine_python", "launch_local", "stop_session", "wait_until_ready"]
