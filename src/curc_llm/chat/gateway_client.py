"""What the chat asks of the gateway, on the gateway's private socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httptools
import orjson

from curc_llm.chat.http_exchange import HttpExchange
from curc_llm.chat.sse import EventParser
from curc_llm.errors import ApiError

USER_HEADER = "X-Curc-Llm-User"
END_OF_STREAM = "[DONE]"
COUNT_S = 3.0
NOT_READY_CODES = frozenset({"model_loading", "engine_restarting", "model_swapping"})


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

    async def list_models(self, user: str) -> list[str]:
        """Names of the models that can answer now and that a person may use.

        Raises:
            GatewayError: they can't be had; while none is ready, too.
        """
        reply = await self._ask("GET", "/v1/models", user)
        data = reply.get("data") if isinstance(reply, dict) else None
        models = data if isinstance(data, list) else []
        return [str(one["id"]) for one in models if isinstance(one, dict) and "id" in one]

    async def restart(self, model: str, user: str) -> None:
        """Starts a model again that has failed for good; how it gets on stands in the session's status.

        Raises:
            GatewayError: it hasn't failed (`nothing_failed`), the session ends (`session_ending`), or the
                person isn't its owner (`permission_denied`).
        """
        await self._ask("POST", "/restart", user, {"model": model})

    async def list_swaps(self, user: str, engine: str) -> dict[str, Any]:
        """The models that fit in an engine's place, and `engine`, its served model name.

        Raises:
            GatewayError: they can't be had, or the person isn't the owner.
        """
        reply = await self._ask("GET", f"/swap?engine={quote(engine, safe='')}", user)
        if not isinstance(reply, dict) or "models" not in reply:  # it looks for longer than it may take
            raise GatewayError(
                "The session is still looking what fits.", "Try again in a minute.", "under_way"
            )
        return reply

    async def swap(self, model: str, engine: str, user: str) -> None:
        """Begins to exchange a model; how it gets on stands in the session's status.

        Raises:
            GatewayError: it can't be (`does_not_fit`, `swap_under_way` …), or the person isn't the owner.
        """
        await self._ask("POST", "/swap", user, {"model": model, "engine": engine})

    async def load_metrics(self, user: str) -> str:
        """The session's metrics as Prometheus has them.

        Raises:
            GatewayError: they can't be had.
        """
        return (await self._ask_raw("GET", "/metrics", user)).decode("utf-8", "replace")

    async def count_tokens(self, body: dict[str, Any], user: str) -> int | None:
        """How many tokens the prompt of a chat completion has, as the engine counts them; nothing is written.

        Args:
            body: the request as the OpenAI API has it.
            user: in whose name.

        Returns:
            None when the engine can't say, or not within `COUNT_S` seconds.
        """
        try:
            async with asyncio.timeout(COUNT_S):
                reply = await self._ask("POST", "/tokenize", user, make_count_request(body))
        except (GatewayError, TimeoutError):
            return None
        count = reply.get("count") if isinstance(reply, dict) else None
        return count if isinstance(count, int) else None

    async def stream_completion(
        self, body: dict[str, Any], user: str, rest_s: Callable[[], float] = lambda: 0.0
    ) -> AsyncGenerator[list[dict[str, Any]]]:
        """Yields the events of a chat completion, as many at a time as came together.

        Closing the iterator closes the connection, which ends the generation.

        Args:
            body: the request as the OpenAI API has it; `stream` must be true.
            user: in whose name.
            rest_s: how long to let events gather before the next look, in seconds.

        Raises:
            GatewayError: the request was refused, or the stream broke off or held an error.
        """
        parser = EventParser()
        try:
            async with HttpExchange(self._socket_path) as exchange:
                status = await exchange.ask("POST", "/v1/chat/completions", {USER_HEADER: user}, body)
                if status != 200:
                    raise parse_problem(status, await exchange.read_all())
                async for piece in exchange.iterate(rest_s):
                    found = parser.feed(piece)
                    is_over = END_OF_STREAM in found
                    told = found[: found.index(END_OF_STREAM)] if is_over else found
                    for events in _parse_events(told):
                        yield events
                    if is_over:
                        return
        except (OSError, httptools.HttpParserError) as error:
            raise _unreachable() from error

    async def _ask(self, method: str, path: str, user: str, body: Any = None) -> Any:
        return _parse_json(await self._ask_raw(method, path, user, body))

    async def _ask_raw(self, method: str, path: str, user: str, body: Any = None) -> bytes:
        try:
            async with HttpExchange(self._socket_path) as exchange:
                status = await exchange.ask(method, path, {USER_HEADER: user}, body)
                content = await exchange.read_all()
        except (OSError, httptools.HttpParserError) as error:
            raise _unreachable() from error
        if status >= 400:
            raise parse_problem(status, content)
        return content


def make_count_request(body: dict[str, Any]) -> dict[str, Any]:
    """What vLLM's /tokenize is sent for a request's prompt (vllm/entrypoints/serve/tokenize/protocol.py).

    Example:
        >>> make_count_request({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "seed": 1})
        {'model': 'm', 'messages': [{'role': 'user', 'content': 'Hi'}]}
    """
    names = ("model", "messages", "add_generation_prompt", "continue_final_message", "chat_template_kwargs")
    asked = {name: body[name] for name in names if name in body}
    if effort := body.get(
        "reasoning_effort"
    ):  # what vLLM makes of it for the template, /tokenize doesn't take
        meant = {"reasoning_effort": effort, "enable_thinking": effort != "none"}
        asked["chat_template_kwargs"] = {**meant, **(body.get("chat_template_kwargs") or {})}
    return asked


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


def _parse_events(told: list[str]) -> Iterator[list[dict[str, Any]]]:
    """The events, and then the error if one of them is one: what came before it counts."""
    events: list[dict[str, Any]] = []
    try:
        for data in told:
            events.append(_parse_event(data))  # noqa: PERF401 - what came before an error is wanted too
    except GatewayError:
        yield events
        raise
    if events:
        yield events


def _parse_event(data: str) -> dict[str, Any]:
    event = _parse_json(data)
    if not isinstance(event, dict):
        raise GatewayError(
            "The model's reply can't be read.", "Retry; if it stays, look at the engine's log.", "unreadable"
        )
    if event.get("error"):
        raise parse_problem(502, data.encode())
    return event


def _parse_json(body: bytes | str) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        pass  # it is stricter than Python's own: NaN, half a surrogate
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
