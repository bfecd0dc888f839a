"""Waiting for so long and no longer, also where a task ends what it began because it was cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def within(patience_s: float, waiting: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine returns, if it does so in time; else it is cancelled.

    Like `asyncio.timeout`, which in Python 3.11.2 raises CancelledError, not TimeoutError, in a task that was
    cancelled before: whatever should follow, such as a kill, never came.

    Args:
        patience_s: seconds.
        waiting: the coroutine.

    Raises:
        TimeoutError: it takes longer.

    Example:
        >>> asyncio.run(within(5.0, asyncio.sleep(0, "done")))
        'done'
    """
    task = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait({task}, timeout=patience_s)
        if task.done():
            return task.result()
    finally:
        task.cancel()
    raise TimeoutError
