"""One turn of a conversation: waits until the model can answer, streams the answer, says what went wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from curc_llm.chat.gateway_client import GatewayClient, GatewayError
from curc_llm.chat.messages import (
    ChatMessage,
    make_answer_messages,
    make_aside,
    make_notice,
    make_request_messages,
)
from curc_llm.chat.sampling import Sampling
from curc_llm.chat.session_panel import find_dead_end, is_ready, make_waiting_line
from curc_llm.chat.session_watch import MAX_AGE_S, SessionWatch, Snapshot
from curc_llm.chat.stream import AnswerStream, Pace
from curc_llm.session.record import EnginePhase, EngineRecord

WAIT_S = 1.0
REASON_LOOKS = 4
REASON_WAIT_S = 0.4
WAITING = "Your message is sent as soon as the model is ready. Stop takes it back."
NOT_SENT = "Nothing was sent. Retry with the arrow below."
THINKING = make_aside("Waiting for the first token", "", "pending")
COMES_BACK = "It is being started again: retry, and your message waits until it is ready."
ENGINE_CODES = frozenset({"engine_failed", "engine_restarting", "unreachable", "model_loading"})


@dataclass(frozen=True)
class TurnRequest:
    """What a person asks for.

    Args:
        history: the conversation, ending with the person's message.
        model: served name of the model.
        system_prompt: empty for none.
        user: in whose name, as the gateway told us.
    """

    history: list[ChatMessage]
    model: str
    system_prompt: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    user: str = "owner"

    def to_json(self) -> dict[str, Any]:
        """The request as the OpenAI API has it."""
        return {
            "model": self.model,
            "messages": make_request_messages(self.history, self.system_prompt),
            "stream": True,
            "stream_options": {"include_usage": True},
            **self.sampling.to_json(),
        }


class Turn:
    """Runs one turn; `stop` ends it from outside.

    Args:
        client: where requests go.
        watch: tells how the session is.
        pace: how often a page is updated.
    """

    def __init__(self, client: GatewayClient, watch: SessionWatch, pace: Pace) -> None:
        self._client = client
        self._watch = watch
        self._pace = pace
        self._stopped = asyncio.Event()
        self._stream: AnswerStream | None = None
        self._is_ready = False
        self.is_dropped = False

    def stop(self) -> None:
        """Ends the turn; what has come so far stays."""
        self._stopped.set()
        if self._stream is not None:
            self._stream.stop()

    async def run(self, request: TurnRequest) -> AsyncGenerator[list[ChatMessage]]:
        """Yields the conversation again and again: while the model gets ready, and as its answer grows."""
        self._is_ready = False
        while not self._is_ready:
            async with contextlib.aclosing(self._wait(request)) as waiting:
                async for messages in waiting:
                    yield request.history + messages
            if not self._is_ready:
                return
            async with contextlib.aclosing(self._answer(request)) as answering:
                async for messages in answering:
                    yield request.history + messages

    async def _wait(self, request: TurnRequest) -> AsyncGenerator[list[ChatMessage]]:
        """Yields what to show until the model is ready, or until it is plain that it never will be."""
        while not self._stopped.is_set():
            snapshot = await self._watch.look(request.user)
            trouble = find_dead_end(snapshot, request.model)
            if trouble is not None:
                yield [make_notice(GatewayError(trouble.message, trouble.remedy, trouble.code))]
                return
            if is_ready(snapshot, request.model):
                self._is_ready = True
                return
            yield [make_aside(make_waiting_line(snapshot, request.model), WAITING, "pending")]
            await self._pause()
        yield [make_aside("Stopped before the model answered", NOT_SENT)]

    async def _answer(self, request: TurnRequest) -> AsyncGenerator[list[ChatMessage]]:
        """Yields the answer's messages. A model that isn't ready after all sets `_is_ready` back."""
        self._stream = AnswerStream(self._client, request.to_json(), request.user, self._pace)
        async with contextlib.aclosing(self._stream.updates()) as updates:
            async for answer in updates:
                yield [THINKING] if answer.is_empty else make_answer_messages(answer, done=False)
        answer = self._stream.answer
        problem = answer.problem
        snapshot = await self._look_after(problem, request)
        if problem is not None and problem.is_passing and answer.is_empty and not answer.stopped:
            self._is_ready = False
            await self._pause()
            return
        engine = snapshot.engine(request.model)
        answer.problem = explain_problem(problem, engine) if problem else None
        yield make_answer_messages(answer, True, engine.max_model_len if engine else None)

    async def _look_after(self, problem: GatewayError | None, request: TurnRequest) -> Snapshot:
        """The session after an answer. When the engine failed, the record may take a moment to say why."""
        snapshot = await self._watch.look(request.user, max_age_s=0 if problem else MAX_AGE_S)
        for _ in range(REASON_LOOKS):
            if problem is None or problem.code not in ENGINE_CODES or not is_ready(snapshot, request.model):
                break
            await asyncio.sleep(REASON_WAIT_S)
            snapshot = await self._watch.look(request.user, max_age_s=0)
        return snapshot

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), WAIT_S)


def explain_problem(problem: GatewayError, engine: EngineRecord | None) -> GatewayError:
    """Adds what the session's record knows of the failure: why the engine died, and what to do.

    Args:
        problem: what the gateway said.
        engine: the engine that was asked, as the record has it after the failure.
    """
    trouble = engine.trouble if engine is not None and engine.phase is not EnginePhase.READY else None
    if trouble is None or problem.code not in ENGINE_CODES:
        return problem
    message = (
        problem.message if trouble.message in problem.message else f"{problem.message} {trouble.message}"
    )
    remedy = trouble.remedy
    if engine is not None and engine.phase is not EnginePhase.FAILED:
        remedy = f"{remedy} {COMES_BACK}".strip()
    return GatewayError(message, remedy, problem.code)
