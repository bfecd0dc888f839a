"""Orders: what the owner wants of the engines, handed to the supervisor, and what comes of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from curc_llm.gateway.channel import Order, Outcome
from curc_llm.gateway.errors import RequestError

# Portals cut a request after a minute (Apache's default); by then we have said that it goes on.
PATIENCE_S = 50.0


class Orders:
    """Hands orders over and waits for their outcomes.

    Args:
        send: to the supervisor.
        patience_s: seconds to wait; an order isn't withdrawn when they are over.
    """

    def __init__(self, send: Callable[[Order], None], patience_s: float = PATIENCE_S) -> None:
        self._send = send
        self._patience_s = patience_s
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}

    async def give(self, verb: str, **fields: str) -> Outcome:
        """Gives an order; what came of it, or status 202 while it still goes on.

        Raises:
            RequestError: it was refused.

        Example:
            >>> await orders.give("remove_adapter", name="sql")
            Outcome(id='3', status=200, values={'name': 'sql'}, code='', message='')
        """
        order = Order(str(next(self._numbers)), verb, fields)
        waiting = self._waiting[order.id] = asyncio.get_running_loop().create_future()
        self._send(order)
        try:
            async with asyncio.timeout(self._patience_s):
                outcome: Outcome = await waiting
        except TimeoutError:
            return Outcome(order.id, 202, {"status": "under_way"})
        finally:
            del self._waiting[order.id]
        if outcome.status >= 400:
            raise RequestError(outcome.status, outcome.code, outcome.message)
        return outcome

    def take(self, outcome: Outcome) -> None:
        """What came of an order; an answer that came too late is dropped."""
        waiting = self._waiting.get(outcome.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(outcome)
