"""What the chat asks of the gateway, on the gateway's private socket."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httptools

from curc_llm.chat.http_exchange import HttpExchange
from curc_llm.chat.sse import EventParser
from curc_llm.errors import ApiError

USER_HEADER = "X-Curc-Llm-User"
END_OF_STREAM = "[DONE]"
NOT_READY_CODES = frozenset({"model_loading", "engine_restarting"})


class GatewayError(ApiError):
    """The gateway refused a request, or it can't be reached.

    Args:
        message: one sentence for a person.
        remedy: what to do next.
        code: the stable name of docs/architecture.md, such as `engine_failed`; `unreachable` when none came.
    """

    def __init__(self, message: str, remedy: str = "", code: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code

    @property
    def is_passing(self) -> bool:
        """True when the same request can succeed once the model is ready."""
        return self.code in NOT_READY_CODES


class GatewayClient:
    """Asks the gateway in the name of a person.

    Args:
        socket_path: the gateway's private unix socket.
    """

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path

    async def load_status(self, user: str) -> dict[str, Any]:
        """The session record as JSON, with a `gateway` entry.

        Raises:
            GatewayError: it can't be had.
        """
        reply = await self._ask("GET", "/status", user)
        if not isinstance(reply, dict):
            raise GatewayError("The session's status can't be read.", "Reload the page.", "unreadable")
        return reply

    async def keep_going(self, user: str) -> None:
        """Starts the idle clock again.

        Raises:
            GatewayError: the gateway didn't take it.
        """
        await self._ask("POST", "/keep-going", user)

    async def stream_completion(self, body: dict[str, Any], user: str) -> AsyncGenerator[dict[str, Any]]:
        """Yields the events of a chat completion; closing the iterator closes the connection, which ends it.

        Args:
            body: the request as the OpenAI API has it; `stream` must be true.
            user: in whose name.

        Raises:
            GatewayError: the request was refused, or the stream broke off or held an error.
        """
        parser = EventParser()
        try:
            async with HttpExchange(self._socket_path) as exchange:
                status = await exchange.ask("POST", "/v1/chat/completions", {USER_HEADER: user}, body)
                if status != 200:
                    raise parse_problem(status, await exchange.read_all())
                async for piece in exchange.iterate():
                    for data in parser.feed(piece):
                        if data == END_OF_STREAM:
                            return
                        yield _parse_event(data)
        except (OSError, httptools.HttpParserError) as error:
            raise _unreachable() from error

    async def _ask(self, method: str, path: str, user: str) -> Any:
        try:
            async with HttpExchange(self._socket_path) as exchange:
                status = await exchange.ask(method, path, {USER_HEADER: user})
                body = await exchange.read_all()
        except (OSError, httptools.HttpParserError) as error:
            raise _unreachable() from error
        if status >= 400:
            raise parse_problem(status, body)
        return _parse_json(body)


def parse_problem(status: int, body: bytes) -> GatewayError:
    """Makes an error of a reply that refused a request.

    Example:
        >>> parse_problem(429, b'{"error": {"message": "Too fast.", "code": "rate_limit_exceeded"}}').code
        'rate_limit_exceeded'
    """
    reply = _parse_json(body)
    error = reply.get("error") if isinstance(reply, dict) else None
    if not isinstance(error, dict):
        return GatewayError(
            f"The session answered with HTTP {status}.", "Try again in a moment.", f"http_{status}"
        )
    message = str(error.get("message") or f"The session answered with HTTP {status}.")
    return GatewayError(message, code=str(error.get("code") or f"http_{status}"))


def _parse_event(data: str) -> dict[str, Any]:
    event = _parse_json(data.encode())
    if not isinstance(event, dict):
        raise GatewayError(
            "The model's reply can't be read.", "Retry; if it stays, look at the engine's log.", "unreadable"
        )
    if event.get("error"):
        raise parse_problem(502, data.encode())
    return event


def _parse_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _unreachable() -> GatewayError:
    return GatewayError(
        "The connection to the model broke off.",
        "Retry in a moment; the session may be starting it again.",
        "unreachable",
    )
