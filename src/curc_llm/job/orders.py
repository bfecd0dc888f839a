"""The owner's orders: each is carried out by whoever knows how, and its outcome told to the gateway."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from curc_llm.errors import CurcLlmError, ModelDoesNotFitError, ModelNotFoundError
from curc_llm.gateway.channel import Order, Outcome

Handler = Callable[[dict[str, str]], Awaitable[tuple[int, dict[str, Any]]]]
NOT_FOUND = {"adapter_not_found", "model_not_found"}
BUSY = {"swap_under_way", "model_loading", "swap_refused", "adapter_room"}


class OrderDesk:
    """Takes orders.

    Args:
        handlers: by an order's verb: takes its fields, returns a status as in HTTP and what is told.
        answer: hands the outcome over.
    """

    def __init__(self, handlers: Mapping[str, Handler], answer: Callable[[Outcome], None]) -> None:
        self._handlers = handlers
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, order: Order) -> None:
        """Begins to carry out an order."""
        task = asyncio.create_task(self._carry_out(order))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, order: Order) -> None:
        handler = self._handlers.get(order.verb)
        if handler is None:
            self._answer(
                Outcome(order.id, 404, code="not_found", message=f"Nobody knows {order.verb!r} here.")
            )
            return
        try:
            status, values = await handler(order.fields)
        except CurcLlmError as error:
            self._answer(refuse(order, error))
        except Exception as error:  # noqa: BLE001 - an order that goes wrong must not end the session
            sys.stderr.write(f"{order.verb}: {error!r}\n")
            text = f"The session could not do it: {type(error).__name__}."
            self._answer(Outcome(order.id, 500, code="internal_error", message=text))
        else:
            self._answer(Outcome(order.id, status, values))


def refuse(order: Order, error: CurcLlmError) -> Outcome:
    """The outcome of an order that was refused.

    Example:
        >>> refuse(Order("1", "swap", {}), ModelDoesNotFitError("It needs 80 GiB.")).code
        'does_not_fit'
    """
    kinds = {ModelDoesNotFitError: "does_not_fit", ModelNotFoundError: "model_not_found"}
    known = next((code for kind, code in kinds.items() if isinstance(error, kind)), "refused")
    code = str(getattr(error, "code", "") or known)
    status = 404 if code in NOT_FOUND else 409 if code in BUSY else 400
    return Outcome(order.id, status, code=code, message=str(error))
