"""What the gateway answers from memory: health, models, status, metrics."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from curc_llm.gateway.admission import Admission
from curc_llm.gateway.audit import Audit
from curc_llm.gateway.auth import Caller
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.gpu_memory import GpuMemory
from curc_llm.gateway.guest_status import render_guest_status
from curc_llm.gateway.key_safe import KeySafe
from curc_llm.gateway.live import LiveSession
from curc_llm.gateway.metrics import Metrics
from curc_llm.gateway.pages import SECURITY_HEADERS, answer_page
from curc_llm.gateway.request import READ_METHODS, Headers, Request
from curc_llm.session.notice import read_data_notice, render_guest_notice

_ONE_MODEL = "/v1/models/"


class Service:
    """The gateway's own routes.

    Args:
        admission: knows who waits, and how replicas are doing.
        keep_going: called when a person asks that the idle clock starts again.
        metrics_s: seconds an engine has to give its metrics.
        keys: finds the key that somebody may see.
        audit: where it is written down that the key was shown.
    """

    def __init__(
        self,
        live: LiveSession,
        metrics: Metrics,
        admission: Admission,
        keep_going: Callable[[], None],
        metrics_s: float,
        keys: KeySafe,
        audit: Audit,
    ) -> None:
        self._keys = keys
        self._audit = audit
        self._live = live
        self._metrics = metrics
        self._admission = admission
        self._keep_going = keep_going
        self._metrics_s = metrics_s
        self._gpu_memory = GpuMemory()

    async def answer(self, request: Request, caller: Caller) -> bool:
        """Answers the routes that a key opens; False when this is none of them."""
        path = request.path
        if path in {"/v1/models", "/metrics"} or path.startswith(_ONE_MODEL):
            request.require_method(*READ_METHODS)
        if path == "/v1/models":
            await self._answer_models(request, caller)
        elif path.startswith(_ONE_MODEL):
            await self._answer_model(request, caller, path.removeprefix(_ONE_MODEL))
        elif path == "/status":
            await self.answer_status(request, caller)
        elif path == "/metrics":
            _require_owner(caller, "see figures of everybody's use")
            await self._answer_metrics(request)
        else:
            return False
        return True

    async def answer_health(self, request: Request) -> None:
        """Whether a model can answer, and nothing else, for anyone may ask."""
        status, body, retry_after_s = self._live.render_health()
        retry: Headers = [(b"retry-after", str(retry_after_s).encode())] if retry_after_s else []
        await request.answer_json(status, body, retry)

    async def answer_status(self, request: Request, caller: Caller) -> None:
        """The session's record and the gateway's figures; for a browser the live page."""
        request.require_method(*READ_METHODS)
        if request.wants_html:
            await answer_page(request, 200, "status", posts=True, notice=self._find_notice(caller))
            return
        await request.answer_json(200, self.render_status(caller), SECURITY_HEADERS[:1])

    def _find_notice(self, caller: Caller) -> str:
        if caller.share is None:
            return read_data_notice(os.environ)
        return render_guest_notice(str(self._live.state.record.get("owner", "")), os.environ)

    def render_status(self, caller: Caller) -> dict[str, Any]:
        """What /status tells; a guest learns less, unless the chat asks on the private socket."""
        now = round(time.time(), 3)
        record = self._live.state.record
        if caller.share is not None and not caller.is_private:
            return render_guest_status(record, caller.share, self._metrics.people.get(caller.name), now)
        return {**record, "gateway": {**self._metrics.figures(), **self._render_queue(), "now": now}}

    def _render_queue(self) -> dict[str, Any]:
        return {"waiting": self._admission.render_waiting(), "replicas": self._admission.list_replicas()}

    async def answer_key(self, request: Request, visitor: Caller) -> None:
        """A person's own key, for who asks for it on the session's own page."""
        key = self._keys.find(visitor)
        self._audit.record("key_shown", peer=request.peer, name=visitor.name)
        await request.answer_json(200, {"key": key}, SECURITY_HEADERS)

    async def answer_keep_going(self, request: Request, caller: Caller) -> None:
        """Starts the idle clock again, for the owner who asked: they pay for what it costs."""
        request.require_method("POST")
        _require_owner(caller, "keep it going; using the model does so too")
        self._keep_going()
        await request.answer_json(200, {"status": "ok"})

    async def _answer_metrics(self, request: Request) -> None:
        # Prometheus' library is imported when somebody has it to use: the gateway starts without.
        from curc_llm.gateway.exposition import render_metrics

        engines = list(self._live.replicas.values())
        body = await render_metrics(self._metrics, self._admission, engines, self._metrics_s)
        body += self._gpu_memory.render().encode()
        await request.answer(200, body, [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")])

    async def _answer_models(self, request: Request, caller: Caller) -> None:
        """The models that can answer now: those who poll this route wait for just that."""
        names = self._live.ready_names(caller.models)
        if not names:
            raise self._none_ready(caller)
        await request.answer_json(200, {"object": "list", "data": [self._model(name) for name in names]})

    async def _answer_model(self, request: Request, caller: Caller, name: str) -> None:
        await request.answer_json(200, self._model(self._live.find_model(name, caller.models)))

    def _none_ready(self, caller: Caller) -> RequestError:
        for name in self._live.models:
            if (not caller.models or name in caller.models) and (fault := self._live.find_fault(name)):
                return fault
        return RequestError(
            503, "model_loading", "The session is starting; no model is there yet.", retry_after_s=2
        )

    def _model(self, name: str) -> dict[str, Any]:
        """One model as OpenAI's API shows it; an adapter's `parent` is its model, as vLLM has it."""
        replica = next(r for r in self._live.models[name] if r.is_ready)
        record = self._live.engine_record(replica)
        return {
            "id": name,
            "object": "model",
            "created": int(record.get("started_at") or 0),
            "owned_by": "curc-llm",
            "root": name,
            "parent": None if name == replica.name else replica.name,
            "max_model_len": record.get("max_model_len"),
        }


def _require_owner(caller: Caller, what: str) -> None:
    """Refuses a guest. Holders of plain keys are let through: the owner gave them the key of a program."""
    if caller.share is not None:
        raise RequestError(403, "permission_denied", f"Only the session's owner may {what}.")
