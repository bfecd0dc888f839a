"""A widget with answers that grow: their texts go to the page in small pieces, ten times a second at most.

The trait `state` holds all, and is sent when a question is asked and when its answer is whole. In between the
trait `live` brings what is new. Both are numbered: a page that misses something (it was opened meanwhile, its
connection was lost) sees the gap and asks for the whole state with the command `resend`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import traitlets

from curc_llm.notebook.base import Panel
from curc_llm.notebook.pace import Pace
from curc_llm.notebook.reply import Reply


class ReplyPanel(Panel):
    """A subclass lists its answers, and calls `grow` after each piece and `show` after each other change."""

    live = traitlets.Dict().tag(sync=True)
    _growth: Pace | None = None

    def __init__(self, **traits: Any) -> None:
        self._sending = threading.RLock()
        self._seq = 0
        self._sent: dict[int, tuple[int, int, dict[str, Any]]] = {}
        self._growth = Pace(self._send_growth)
        super().__init__(**traits)
        self.on_action("resend", self._resend)

    def list_replies(self) -> Sequence[Reply]:
        """The answers that are shown."""
        return []

    def grow(self) -> None:
        """Sends what is new of the answers; from any thread, as often as you like."""
        if self._growth is not None:
            self._growth.ask()

    def close(self) -> None:
        """Takes the widget away."""
        if self._growth is not None:
            self._growth.close()
        super().close()

    def _show(self) -> None:
        with self._sending:
            state = {"seq": self._seq, **self.make_state()}
            self._sent = {reply.reply_id: _measure(reply) for reply in self.list_replies()}
            self.state = state

    def _send_growth(self) -> None:
        with self._sending:
            parts = [part for reply in self.list_replies() if (part := self._take_new(reply)) is not None]
            if parts:
                self._seq += 1
                self.live = {"seq": self._seq, "parts": parts}

    def _take_new(self, reply: Reply) -> dict[str, Any] | None:
        """What the page doesn't know of an answer; None when it knows all."""
        known = self._sent.get(reply.reply_id)
        if known is None:
            return None  # the next state brings it
        now = _measure(reply)
        if now == known:
            return None
        self._sent[reply.reply_id] = now
        text, thought = reply.text[known[0] : now[0]], reply.thought[known[1] : now[1]]
        return {"id": reply.reply_id, "text": text, "thought": thought, **now[2]}

    def _resend(self, _: Any) -> None:
        with self._sending:
            self._show()
            self.send_state("state")


def _measure(reply: Reply) -> tuple[int, int, dict[str, Any]]:
    return len(reply.text), len(reply.thought), reply.to_json_but_text()
