"""A session as Python sees it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from curc_llm.client.answer import Answer, make_chat_answer, make_completion_answer
from curc_llm.client.faces import Faces
from curc_llm.client.health import Health, parse_health
from curc_llm.client.messages import Prompt, clean, make_messages, place_parameters
from curc_llm.client.progress import Progress, render_progress
from curc_llm.client.source import Source, check_not_over, root_url
from curc_llm.client.wire import get_json
from curc_llm.errors import ApiError, CurcLlmError, SessionNotReadyError
from curc_llm.session.record import EnginePhase, SessionRecord

if TYPE_CHECKING:  # the openai library takes a second to import; only a question needs it
    from openai import AsyncOpenAI, OpenAI

    from curc_llm.client.metrics import Metrics
    from curc_llm.client.stream import Stream

POLL_S = 0.5
CONNECT_TIMEOUT_S = 10.0
IDEMPOTENT_RETRIES = 2


class Session(Faces):
    """A running session. Make one with `curc_llm.connect()`.

    Requests that generate are sent once: a retry could make the model work twice, so it must be asked for
    (`retries=`). A model that isn't named is the session's first one that writes text.

    Args:
        source: where the session is known from.
        timeout_s: seconds of silence after which a request is given up.
    """

    def __init__(self, source: Source, *, timeout_s: float = 3600.0) -> None:
        self._source = source
        self._timeout_s = timeout_s

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
        """The file that holds the key; None when the session's folder isn't on this file system."""
        return self._source.key_file

    @cached_property
    def openai(self) -> OpenAI:
        """A ready `openai.OpenAI` client; it never repeats a request on its own."""
        import openai

        http = openai.DefaultHttpxClient(trust_env=False) if self._is_plain else None
        return openai.OpenAI(http_client=http, **self._client_arguments())

    @cached_property
    def async_openai(self) -> AsyncOpenAI:
        """A ready `openai.AsyncOpenAI` client; it never repeats a request on its own."""
        import openai

        http = openai.DefaultAsyncHttpxClient(trust_env=False) if self._is_plain else None
        return openai.AsyncOpenAI(http_client=http, **self._client_arguments())

    @property
    def _is_plain(self) -> bool:
        """Plain http stays inside the cluster or a tunnel: HTTP_PROXY must not redirect it."""
        return self.base_url.startswith("http://")

    def _client_arguments(self) -> dict[str, Any]:
        import openai

        return {
            "base_url": self.base_url,
            "api_key": self._source.secret().reveal(),
            "max_retries": 0,
            "timeout": openai.Timeout(self._timeout_s, connect=CONNECT_TIMEOUT_S),
        }

    @property
    def default_model(self) -> str:
        """The first model that writes text, by its served model name.

        Raises:
            SessionNotReadyError: the session serves none (only embeddings, say).
        """
        engines = self.status().engines
        name = next((e.served_model_name for e in engines if e.runner == "generate"), None)
        if name is None:
            raise SessionNotReadyError(
                f"Session {self.session_id} serves no model that writes text.", "Name model=."
            )
        return name

    def chat(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        system: str | None = None,
        retries: int = 0,
        **params: Any,
    ) -> Answer:
        """Asks a question and returns the whole answer.

        Args:
            prompt: the question, or a conversation as a list of messages.
            model: served model name; the session's first when not given.
            system: instructions for the model.
            retries: how often to try again when the session is busy or can't be reached.
            params: OpenAI's parameters (`temperature`, `max_tokens` …) and vLLM's (`top_k` …).

        Raises:
            SessionNotReadyError: the model still loads; `wait_until_ready()` waits for it.
            SessionEndedError: the session is over.
            ApiError: the session refused the request.

        Example:
            >>> answer = session.chat("What is an SU?", temperature=0)     # doctest: +SKIP
            >>> answer.usage.completion_tokens                            # doctest: +SKIP
        """
        return make_chat_answer(self._chat(make_messages(prompt, system), model, retries, params))

    def stream(
        self, prompt: Prompt, *, model: str | None = None, system: str | None = None, **params: Any
    ) -> Stream:
        """Asks a question and returns its answer piece by piece; see `Stream`. Takes what `chat` takes."""
        from curc_llm.client.stream import Stream

        extra = {"stream": True, "stream_options": {"include_usage": True}}
        return Stream(self._chat(make_messages(prompt, system), model, 0, {**params, **extra}), self._source)

    def _chat(
        self, messages: list[dict[str, Any]], model: str | None, retries: int, params: Mapping[str, Any]
    ) -> Any:
        from curc_llm.client.failure import explained

        model = model or self.default_model
        with explained(self._source):
            create = self.openai.with_options(max_retries=retries).chat.completions.create
            return create(messages=cast(Any, messages), model=model, **place_parameters(create, params))

    def complete(self, prompt: str, *, model: str | None = None, retries: int = 0, **params: Any) -> Answer:
        """Continues a text, without a conversation around it. Takes what `chat` takes.

        Example:
            >>> session.complete("Once upon a time", max_tokens=20)      # doctest: +SKIP
        """
        from curc_llm.client.failure import explained

        model = model or self.default_model
        with explained(self._source):
            create = self.openai.with_options(max_retries=retries).completions.create
            return make_completion_answer(
                create(prompt=clean(prompt), model=model, **place_parameters(create, params))
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

    def metrics(self, model: str | None = None) -> Metrics:
        """How busy the session is: requests, tokens, latencies, memory.

        Args:
            model: only this model's figures, by its served model name; None for all together.

        Raises:
            ApiError: the session can't be reached.
        """
        from curc_llm.client.metrics import make_metrics
        from curc_llm.client.wire import get_text

        root, key = root_url(self.base_url), self._source.secret()
        try:
            return make_metrics(get_json(f"{root}/status", key)[1], get_text(f"{root}/metrics", key), model)
        except OSError as error:
            raise ApiError(
                f"Session {self.session_id} can't be reached: {error}.",
                f"Look at: curc-llm status {self.session_id}",
            ) from None

    def snippets(self, model: str | None = None) -> dict[str, str]:
        """Ready-to-paste ways to reach the session, by name: curl, python, langchain and more.

        None of them holds the key: each reads it from its file.

        Args:
            model: served model name; the session's first when not given.
        """
        from curc_llm.client.snippet_target import make_target
        from curc_llm.client.snippets import render_snippets

        return render_snippets(make_target(self._source, model))

    def stop(self) -> None:
        """Ends the session and everything that it started, without asking. One that is over is no error.

        Raises:
            SessionNotFoundError: only its address is known here.
            LaunchError: it isn't gone in time.
        """
        from curc_llm.client.ending import end_source

        self.close()
        end_source(self._source)

    def wait_until_ready(
        self, timeout_s: float | None = None, *, model: str | None = None, progress: bool | Progress = True
    ) -> SessionRecord:
        """Returns once the models can answer; shows on standard error what the session does meanwhile.

        A model that was given up for good isn't waited for: asking it tells why.

        Args:
            timeout_s: seconds to wait at most; None for as long as the session lives.
            model: wait for this one alone, by its served model name; None for all of them.
            progress: False to show nothing.

        Raises:
            SessionEndedError: the session ended before it was ready; the text says why.
            SessionNotReadyError: the time is up.
        """
        shown = progress if isinstance(progress, Progress) else Progress()
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

    def close(self) -> None:
        """Closes the connections. The session itself runs on; `curc-llm stop` ends it."""
        if "openai" in self.__dict__:
            self.openai.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_ready(record: SessionRecord, model: str | None) -> bool:
    """True when there is nothing more to wait for."""
    phases = {engine.served_model_name: engine.phase for engine in record.engines}
    settled = {EnginePhase.READY, EnginePhase.FAILED}
    if record.status.is_over or not phases:
        return False
    if model is not None:
        return phases.get(model, EnginePhase.FAILED) in settled
    return EnginePhase.READY in phases.values() and settled.issuperset(phases.values())
