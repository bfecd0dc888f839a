"""Which part answers a request. Who asks is decided before anything of the request is looked at."""

from __future__ import annotations

import logging
from typing import Any

from curc_llm.gateway.auth import Caller, Gatekeeper, no_key_fault
from curc_llm.gateway.chat_relay import ChatRelay
from curc_llm.gateway.demand import Demand
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.guests import access_ended
from curc_llm.gateway.keyring import KeyRing
from curc_llm.gateway.live import LiveSession
from curc_llm.gateway.login import Login, check_origin
from curc_llm.gateway.management import Management
from curc_llm.gateway.moving import Moving
from curc_llm.gateway.pages import answer_fault_page
from curc_llm.gateway.relay import EngineRelay
from curc_llm.gateway.request import READ_METHODS, ClientGoneError, Request
from curc_llm.gateway.restarting import Restarting
from curc_llm.gateway.routes import ENGINE_ROUTES
from curc_llm.gateway.service import Service
from curc_llm.session.keys import OWNER

_log = logging.getLogger("curc_llm.gateway")
# What only the owner may ask for, and the supervisor does.
OWNER_PATHS = {"/restart", "/scale", "/extend"}


class Application:
    """What both listeners share: faults become answers, and a client that leaves is nobody's fault.

    Args:
        body_s: seconds of silence after which a request's body is given up.
    """

    def __init__(self, body_s: float) -> None:
        self._body_s = body_s

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """ASGI's entry."""
        request = Request(scope, receive, send, self._body_s)
        try:
            await self.answer(request)
        except RequestError as fault:
            await self._answer_fault(request, fault)
        except ClientGoneError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one request must stay with it
            _log.exception("A request failed in the gateway: %s %s", request.method, request.path)
            await self._answer_fault(
                request, RequestError(500, "internal_error", f"The gateway failed: {type(error).__name__}.")
            )

    async def answer(self, request: Request) -> None:
        """Answers one request, or raises a RequestError."""
        raise NotImplementedError

    @staticmethod
    async def _answer_fault(request: Request, fault: RequestError) -> None:
        if request.started:
            request.connection.transport.close()
        elif request.wants_html:
            await answer_fault_page(request, fault)
        else:
            await request.answer_fault(fault)


class PublicApplication(Application):
    """The public port: nothing but /health and /login without a key or cookie."""

    def __init__(
        self,
        body_s: float,
        live: LiveSession,
        gatekeeper: Gatekeeper,
        login: Login,
        engines: EngineRelay,
        chat: ChatRelay,
        service: Service,
        restarting: Restarting,
        demand: Demand,
        management: Management,
        moving: Moving,
    ) -> None:
        super().__init__(body_s)
        self._moving = moving
        self._management = management
        self._live = live
        self._demand = demand
        self._gatekeeper = gatekeeper
        self._login = login
        self._engines = engines
        self._chat = chat
        self._service = service
        self._restarting = restarting

    async def answer(self, request: Request) -> None:
        """Answers one request, or raises a RequestError."""
        self._gatekeeper.check_portal_user(request, self._login.find_caller)
        if request.path == "/health":
            request.require_method(*READ_METHODS)
            await self._service.answer_health(request)
            return
        caller = self._gatekeeper.find_caller(request)
        if request.path == "/login":
            await self._answer_login(request)
        elif caller is not None:
            await self._answer_key(request, caller)
        elif (visitor := self._login.find_caller(request)) is not None:
            await self._answer_cookie(request, visitor)
        elif request.wants_html:
            await self._login.show(request, 401, "You aren't logged in, or your login has expired.")
        else:
            raise no_key_fault()

    async def _answer_login(self, request: Request) -> None:
        request.require_method(*READ_METHODS, "POST")
        if request.method == "POST":
            await self._login.take_token(request)
        else:
            await self._login.show(request)

    async def _answer_key(self, request: Request, caller: Caller) -> None:
        path = request.path
        if (route := ENGINE_ROUTES.get(path)) is not None:
            request.require_method("POST")
            await self._engines.relay(request, route, caller)
        elif path in OWNER_PATHS:
            await self._answer_owner(request, caller)
        elif not (
            await self._management.answer(request, caller) or await self._service.answer(request, caller)
        ):
            raise _not_found(path)

    async def _answer_owner(self, request: Request, caller: Caller) -> None:
        request.require_method("POST")
        part = self._restarting if request.path == "/restart" else self._demand
        await part.answer(request, caller)

    async def _answer_cookie(self, request: Request, visitor: Caller) -> None:
        path = request.path
        if request.method not in READ_METHODS:
            check_origin(request)
        if path == "/":
            request.require_method(*READ_METHODS)
            await request.redirect("/chat/")
        elif path == "/chat":
            await request.redirect("/chat/")
        elif path.startswith("/chat/"):
            await self._chat.relay(request, visitor)
        elif path == "/status":
            await self._service.answer_status(request, visitor)
        elif path == "/keep-going":
            await self._service.answer_keep_going(request, visitor)
        elif path in OWNER_PATHS:
            await self._answer_owner(request, visitor)
        elif path in {"/key", "/successor"}:
            request.require_method("POST")  # which only the session's own page can do
            answer = self._service.answer_key if path == "/key" else self._moving.answer
            await answer(request, visitor)
        elif not await self._management.answer(request, visitor):
            raise no_key_fault() if path.startswith("/v1/") else _not_found(path)


class PrivateApplication(Application):
    """The private socket, which only the owner can open: no key; the caller says for whom it asks."""

    def __init__(
        self,
        body_s: float,
        engines: EngineRelay,
        service: Service,
        restarting: Restarting,
        keyring: KeyRing,
        demand: Demand,
        management: Management,
    ) -> None:
        super().__init__(body_s)
        self._demand = demand
        self._management = management
        self._engines = engines
        self._service = service
        self._restarting = restarting
        self._keyring = keyring

    async def answer(self, request: Request) -> None:
        """Answers one request, or raises a RequestError."""
        caller = self._find_caller(request)
        if (route := ENGINE_ROUTES.get(request.path)) is not None:
            request.require_method("POST")
            await self._engines.relay(request, route, caller)
        elif request.path == "/health":
            await self._service.answer_health(request)
        elif request.path == "/keep-going":
            await self._service.answer_keep_going(request, caller)
        elif request.path == "/restart":
            request.require_method("POST")
            await self._restarting.answer(request, caller)
        elif request.path in OWNER_PATHS:
            request.require_method("POST")
            await self._demand.answer(request, caller)
        elif not (
            await self._management.answer(request, caller) or await self._service.answer(request, caller)
        ):
            raise _not_found(request.path)

    def _find_caller(self, request: Request) -> Caller:
        """The owner, or a guest with the limits of their share, in whose name the chat asks."""
        name = request.header(b"x-curc-llm-user") or OWNER
        if name == OWNER:
            return Caller(OWNER, is_private=True)
        if (share := self._keyring.find_share(name)) is None:
            raise access_ended(name[:80])
        return Caller(name, share, is_private=True)


def _not_found(path: str) -> RequestError:
    return RequestError(
        404, "not_found", f"There is nothing at {path[:200]}. The API is below /v1, the chat at /chat/."
    )
