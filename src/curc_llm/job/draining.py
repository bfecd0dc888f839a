"""Waiting until an engine has answered what it was asked."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

from curc_llm.engine.probe import ask

LOOK_S = 0.2
# vllm/v1/metrics/loggers.py
WORKING = re.compile(r"^vllm:num_requests_(?:running|waiting)(?:\{[^}]*\})? ([0-9.e+]+)", re.MULTILINE)


async def wait_until_idle(socket: Path, patience_s: float) -> bool:
    """Waits until an engine works on nothing; False when it still does after `patience_s` seconds.

    Args:
        socket: the engine's; one that doesn't answer works on nothing that could be waited for.
        patience_s: seconds.
    """
    deadline = time.monotonic() + patience_s
    while True:
        answer = await ask(socket, "GET", "/metrics", timeout_s=2.0)
        if answer.status != 200 or count_working(answer.body.decode("utf-8", "replace")) == 0:
            return True
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(LOOK_S)


def count_working(metrics: str) -> float:
    """Requests that run or wait, by an engine's metrics.

    Example:
        >>> count_working('vllm:num_requests_running{engine="0"} 2.0')
        2.0
    """
    return sum(float(number) for number in WORKING.findall(metrics))
