"""The last chance: how long a session without any model left waits for its owner."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from curc_llm.job.board import LAST_CHANCE_WARNING, Board
from curc_llm.job.ending import Ending, make_trouble_ending
from curc_llm.session.record import Trouble


class LastChance:
    """Holds a session whose models have all failed for a few minutes, so that they can be started again.

    Only a session that could answer once is held: there are people in the middle of something, and what
    worked may work again. A first start that failed would most likely fail again, and the GPUs would be paid
    for nothing: it ends at once.

    Args:
        board: where it is shown until when the session waits.
        wait_s: seconds; 0 for not at all.
        request_end: called when the time is over.
    """

    def __init__(self, board: Board, wait_s: float, request_end: Callable[[Ending], None]) -> None:
        self._board = board
        self._wait_s = wait_s
        self._request_end = request_end
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, trouble: Trouble) -> None:
        """No model is left; the session ends with this trouble, later or at once."""
        self.cancel()
        wait_s = self._wait_s if self._board.record.ready_at is not None else 0
        if not wait_s:
            self._request_end(make_trouble_ending(trouble))
            return
        ends_at = time.time() + wait_s
        self._board.update(gives_up_at=ends_at)
        clock = time.strftime("%H:%M:%S", time.localtime(ends_at))
        again = f"curc-llm restart {self._board.record.session_id}"
        self._board.warn(f"{LAST_CHANCE_WARNING}{clock} unless you start one again: {again}")
        self._timer = asyncio.get_running_loop().call_later(
            wait_s, lambda: self._request_end(make_trouble_ending(trouble))
        )

    def cancel(self) -> None:
        """The session goes on, or ends for another reason."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._board.unwarn(LAST_CHANCE_WARNING)
        if self._board.record.gives_up_at is not None:
            self._board.update(gives_up_at=None)
