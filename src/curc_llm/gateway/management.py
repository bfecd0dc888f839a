"""Changing what a running session serves: its owner adds and removes adapters, and swaps models."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote

from curc_llm.gateway.audit import Audit
from curc_llm.gateway.auth import Caller
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.live import LiveSession
from curc_llm.gateway.orders import Orders
from curc_llm.gateway.request import Request

_MOST_BYTES = 64 * 1024
_ONE_ADAPTER = "/adapters/"


class Management:
    """Answers `/adapters` and `/swap`. The supervisor does it, and may refuse; the record tells the rest.

    Args:
        live: knows the session.
        orders: hands over what is wanted.
        audit: where it is written down.
    """

    def __init__(self, live: LiveSession, orders: Orders, audit: Audit) -> None:
        self._live = live
        self._orders = orders
        self._audit = audit

    async def answer(self, request: Request, caller: Caller) -> bool:
        """Answers one request; False when it is for somebody else.

        Raises:
            RequestError: the caller may not (403), the session ends or has handed over (409), or it is
                refused.
        """
        path = request.path
        if path not in {"/adapters", "/swap"} and not path.startswith(_ONE_ADAPTER):
            return False
        _require_manager(caller)
        if request.method == "GET" and path == "/adapters":
            await request.answer_json(200, {"adapters": self._list_adapters()})
        elif request.method == "GET" and path == "/swap":
            asked = dict(parse_qsl(request.query.decode("latin-1")))
            await self._order(request, caller, "list_fits", engine=asked.get("engine", ""))
        elif request.method == "POST" and path == "/adapters":
            fields = await _read_fields(request, ("name", "source"), ("model",))
            await self._order(request, caller, "add_adapter", **fields)
        elif request.method == "POST" and path == "/swap":
            fields = await _read_fields(request, ("model",), ("engine", "max_loras", "max_lora_rank"))
            await self._order(request, caller, "swap", **fields)
        elif request.method == "DELETE" and path.startswith(_ONE_ADAPTER):
            await self._order(
                request, caller, "remove_adapter", name=unquote(path.removeprefix(_ONE_ADAPTER))
            )
        else:
            raise _wrong_method(request)
        return True

    async def _order(self, request: Request, caller: Caller, verb: str, **fields: str) -> None:
        self._live.check_goes_on_here()
        try:
            outcome = await self._orders.give(verb, **fields)
        except RequestError as fault:
            self._audit.record(verb, peer=request.peer, name=caller.name, refused=fault.code, **_told(fields))
            raise
        if request.method != "GET":
            self._audit.record(verb, peer=request.peer, name=caller.name, **_told(fields))
        await request.answer_json(outcome.status, outcome.values)

    def _list_adapters(self) -> list[dict[str, Any]]:
        engines = self._live.state.record.get("engines") or ()
        return [
            {**adapter, "model": engine.get("served_model_name"), "phase": engine.get("phase")}
            for engine in engines
            for adapter in engine.get("adapters") or ()
        ]


def _told(fields: dict[str, str]) -> dict[str, str]:
    """An order's fields under names that the log's own don't have."""
    return {f"of_{name}": value for name, value in fields.items() if value}


def _require_manager(caller: Caller) -> None:
    """Refuses guests, and keys without the scope `manage`: what is served is the owner's to say."""
    if caller.share is not None:
        raise RequestError(403, "permission_denied", "Only the session's owner may change what it serves.")
    caller.require_scope(("manage",))


def _wrong_method(request: Request) -> RequestError:
    allowed = "DELETE" if request.path.startswith(_ONE_ADAPTER) else "GET, POST"
    message = f"{request.path[:200]} takes {allowed}, not {request.method}."
    return RequestError(405, "method_not_allowed", message, headers=((b"allow", allowed.encode()),))


async def _read_fields(request: Request, needed: tuple[str, ...], more: tuple[str, ...]) -> dict[str, str]:
    """The texts of a request's JSON object.

    Raises:
        RequestError: it isn't one, or a field is missing or no text (400).
    """
    try:
        document = json.loads(await request.read_body(_MOST_BYTES))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        example = json.dumps({name: name.upper() for name in needed})
        raise RequestError(400, "invalid_request", f"The body must be JSON such as {example}.")
    fields = {name: document.get(name, "") or "" for name in (*needed, *more)}
    for name, value in fields.items():
        if not isinstance(value, str) or (name in needed and not value.strip()):
            what = "missing or empty" if isinstance(value, str) else "not a text"
            raise RequestError(400, "invalid_request", f"The field {name} is {what}.", param=name)
    return fields
