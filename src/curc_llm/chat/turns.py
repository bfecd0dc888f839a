"""The turns that run now, by page, so that Stop finds its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from curc_llm.chat.gateway_client import GatewayClient
from curc_llm.chat.kept_answer import KeptAnswer
from curc_llm.chat.messages import ChatMessage
from curc_llm.chat.session_eyes import SessionEyes
from curc_llm.chat.stream import Pace
from curc_llm.chat.turn import Turn
from curc_llm.chat.turn_request import TurnRequest


class Turns:
    """Runs turns, at most one for each page.

    Args:
        client: where requests go.
        eyes: tell how the session is.
    """

    def __init__(self, client: GatewayClient, eyes: SessionEyes) -> None:
        self.client = client
        self.eyes = eyes
        self._pace = Pace()
        self._running: dict[str, Turn] = {}

    def is_running(self, page_id: str) -> bool:
        """True while a page's turn runs."""
        return page_id in self._running

    async def run(
        self, page_id: str, request: TurnRequest, keep: KeptAnswer
    ) -> AsyncGenerator[list[ChatMessage]]:
        """Runs a turn, as `Turn.run`.

        Args:
            page_id: the page's session hash.
            request: what is asked.
            keep: puts the answer into the chat's file.
        """
        turn = Turn(self.client, self.eyes, self._pace, keep)
        self._running[page_id] = turn
        try:
            async with contextlib.aclosing(turn.run(request)) as steps:
                async for messages in steps:
                    if not turn.is_dropped:
                        yield messages
        finally:
            if self._running.get(page_id) is turn:
                del self._running[page_id]

    def stop(self, page_id: str, silently: bool = False) -> None:
        """Ends the turn of a page, if one runs.

        Args:
            page_id: the page's session hash.
            silently: show nothing more of it.
        """
        turn = self._running.get(page_id)
        if turn is not None:
            turn.is_dropped = silently
            turn.stop()
