"""How a session is reached: its address, its key, its clients, and whether it can answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from curc_llm.client.clients import Clients
from curc_llm.client.health import Health, parse_health
from curc_llm.client.kind import Kind, explain_refusal
from curc_llm.client.progress import Progress, render_progress
from curc_llm.client.source import Source, check_not_over, root_url
from curc_llm.client.wire import get_json
from curc_llm.errors import ApiError, CurcLlmError, ModelNotFoundError, SessionNotReadyError
from curc_llm.session.record import EnginePhase, SessionRecord

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

POLL_S = 0.5
IDEMPOTENT_RETRIES = 2
# A session that says it is ready and then refuses is believed this often: its engine may die at once again.
PATIENCE = 5
T = TypeVar("T")


class Shown(Protocol):
    """Something that shows how a start gets on: `Progress`, or a widget."""

    def show(self, record: SessionRecord) -> None:
        """Shows the record as it is now."""

    def close(self) -> None:
        """The waiting is over."""


class Link:
    """The part of `Session` that knows where it is and how it does.

    Args:
        source: where the session is known from.
        timeout_s: seconds of silence after which a request is given up.
        wait: a question to a session that still loads waits until it can answer, and shows how far it is;
            an object to show that with, or True for lines on standard error. Without it such a question
            is an error at once.
    """

    def __init__(self, source: Source, *, timeout_s: float = 3600.0, wait: bool | Shown = False) -> None:
        self._source = source
        self._wait = wait
        self._clients = Clients(source, timeout_s)

    def __repr__(self) -> str:
        return f"<curc_llm.Session {self._source.name}>"

    @property
    def session_id(self) -> str:
        """The session's id, or its address when it is known by that alone."""
        return self._source.name

    @property
    def base_url(self) -> str:
        """The OpenAI-compatible endpoint, ending in /v1."""
        return self._source.base_url()

    @property
    def key_file(self) -> Path | None:
        """The file that holds the key; None when only the key itself was given."""
        return self._source.key_file

    @property
    def openai(self) -> OpenAI:
        """A ready `openai.OpenAI` client; it never repeats a request on its own."""
        return self._clients.plain

    @property
    def async_openai(self) -> AsyncOpenAI:
        """A ready `openai.AsyncOpenAI` client for the event loop that runs; it never repeats a request."""
        return self._clients.asynchronous

    @property
    def default_model(self) -> str:
        """The first model that writes text, by its served model name.

        Raises:
            SessionNotReadyError: it isn't known yet what the session serves.
            ModelNotFoundError: it serves none (only embeddings, say).
        """
        return self._first("generate", "writes text")

    @property
    def default_embedder(self) -> str:
        """The first model that turns texts into vectors, by its served model name; raises as above."""
        return self._first("pooling", "makes embeddings")

    def _first(self, runner: str, what: str) -> str:
        record = self.status()
        name = next((e.served_model_name for e in record.models if e.runner == runner), None)
        if name is not None:
            return name
        if not record.engines:
            check_not_over(record)
            raise SessionNotReadyError(
                f"Session {self.session_id} is {record.status}: its models aren't known yet.",
                f"See how it gets on: curc-llm status {self.session_id} --watch",
            )
        served = ", ".join(repr(name) for e in record.models for name in e.names)
        raise ModelNotFoundError(
            f"Session {self.session_id} serves no model that {what}.", f"Name model=; there is {served}."
        )

    def models(self) -> list[str]:
        """The names of the models that can be asked now."""
        from curc_llm.client.failure import explained

        with explained(self._source):
            client = self.openai.with_options(max_retries=IDEMPOTENT_RETRIES, timeout=30.0)
            return [model.id for model in client.models.list()]

    def health(self) -> Health:
        """Whether a model can answer. Never raises for a session that can't be reached: it says so."""
        try:
            return parse_health(*get_json(root_url(self.base_url) + "/health"))
        except (OSError, CurcLlmError):
            return Health(ready=False, phase="unreachable")

    def status(self) -> SessionRecord:
        """The session's record: phases, times, warnings."""
        return self._source.record()

    def wait_until_ready(
        self, timeout_s: float | None = None, *, model: str | None = None, progress: bool | Shown = True
    ) -> SessionRecord:
        """Returns once the models can answer; shows on standard error what the session does meanwhile.

        A model that was given up for good isn't waited for: asking it tells why.

        Args:
            timeout_s: seconds to wait at most; None for as long as the session lives.
            model: wait for this one alone, by its served model name; None for all of them.
            progress: False to show nothing, or an object to show it with.

        Raises:
            SessionEndedError: the session ended before it was ready; the text says why.
            SessionNotReadyError: the time is up.
        """
        shown = Progress() if isinstance(progress, bool) else progress
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            while not _is_ready(record := self.status(), model):
                check_not_over(record)
                if progress is not False:
                    shown.show(record)
                self._check_deadline(deadline, record)
                time.sleep(POLL_S)
        finally:
            shown.close()
        return record

    def _check_deadline(self, deadline: float | None, record: SessionRecord) -> None:
        if deadline is not None and time.monotonic() > deadline:
            state = render_progress(record, time.time())
            raise SessionNotReadyError(
                f"Session {self.session_id} isn't ready in time ({state}).", "Wait longer."
            )

    def _patiently(self, send: Callable[[], T], model: str | None, kind: Kind) -> T:
        """Sends a request; if the session may be waited for, again once the model is ready."""
        for _ in range(PATIENCE if self._wait else 0):
            try:
                return self._explaining(send, model, kind)
            except SessionNotReadyError:
                self.wait_until_ready(model=model, progress=self._wait)
                time.sleep(POLL_S)
        return self._explaining(send, model, kind)

    async def _apatiently(self, send: Callable[[], Awaitable[T]], model: str | None, kind: Kind) -> T:
        """As `_patiently`, without holding up the event loop."""
        for _ in range(PATIENCE if self._wait else 0):
            try:
                return await self._aexplaining(send, model, kind)
            except SessionNotReadyError:
                await asyncio.to_thread(self.wait_until_ready, model=model, progress=self._wait)
                await asyncio.sleep(POLL_S)
        return await self._aexplaining(send, model, kind)

    def _explaining(self, send: Callable[[], T], model: str | None, kind: Kind) -> T:
        from curc_llm.client.failure import explained

        try:
            with explained(self._source):
                return send()
        except ApiError as error:
            raise explain_refusal(error, self._source, model, kind) from None

    async def _aexplaining(self, send: Callable[[], Awaitable[T]], model: str | None, kind: Kind) -> T:
        from curc_llm.client.failure import explained

        try:
            with explained(self._source):
                return await send()
        except ApiError as error:
            raise explain_refusal(error, self._source, model, kind) from None

    def close(self) -> None:
        """Closes the connections. The session itself runs on; `stop()` ends it."""
        self._clients.close()

    async def aclose(self) -> None:
        """Closes the connections of the event loop that runs, and those of ordinary code."""
        self.close()
        await self._clients.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _is_ready(record: SessionRecord, model: str | None) -> bool:
    """True when there is nothing more to wait for."""
    phases = {name: engine.phase for engine in record.models for name in engine.names}
    settled = {EnginePhase.READY, EnginePhase.FAILED}
    if record.status.is_over or not phases:
        return False
    if model is not None:
        return phases.get(model, EnginePhase.FAILED) in settled
    return EnginePhase.READY in phases.values() and settled.issuperset(phases.values())
