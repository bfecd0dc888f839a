"""One turn of a conversation: waits until the model can answer, streams the answer, says what went wrong."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator

from curc_llm.chat.answer import Answer
from curc_llm.chat.fit import Fitted
from curc_llm.chat.fitting import Fitting
from curc_llm.chat.gateway_client import GatewayClient, GatewayError
from curc_llm.chat.kept_answer import KeptAnswer
from curc_llm.chat.messages import ChatMessage, make_answer_messages, make_aside, make_note, make_notice
from curc_llm.chat.session_eyes import SessionEyes
from curc_llm.chat.session_panel import can_restart, explain_retry, find_dead_end, is_ready, make_waiting_line
from curc_llm.chat.session_watch import Snapshot
from curc_llm.chat.stream import AnswerStream, Pace
from curc_llm.chat.turn_request import TurnRequest
from curc_llm.session.keys import OWNER
from curc_llm.session.record import EnginePhase, EngineRecord

WAIT_S = 1.0
REASON_LOOKS = 4
REASON_WAIT_S = 0.4
WAITING = "Your message is sent as soon as the model is ready. Stop takes it back."
NOT_SENT = "Retry with the arrow below, or edit the message."
THINKING = make_aside("Waiting for the first token", "", "pending")
COMES_BACK = "It is being started again: retry, and your message waits until it is ready."
# An engine that was dead before it was asked says so at once: such a question is asked again when it is back.
# One that took longer may have killed it, and isn't sent twice. How soon is a choice, not a measurement.
DEAD_ALREADY_S = 0.25
ENGINE_CODES = frozenset({"engine_failed", "engine_restarting", "unreachable", "model_loading"})


class Turn:
    """Runs one turn; `stop` ends it from outside.

    Args:
        client: where requests go.
        eyes: tell how the session is.
        pace: how often a page is updated.
        keep: puts the answer into the chat's file while it comes.
    """

    def __init__(self, client: GatewayClient, eyes: SessionEyes, pace: Pace, keep: KeptAnswer) -> None:
        self._client = client
        self._eyes = eyes
        self._pace = pace
        self._keep = keep
        self._stopped = asyncio.Event()
        self._stream: AnswerStream | None = None
        self._is_ready = False
        self._is_resent = False
        self._fitted: Fitted | None = None
        self.is_dropped = False

    def stop(self) -> None:
        """Ends the turn; what has come so far stays."""
        self._stopped.set()
        if self._stream is not None:
            self._stream.stop()

    async def run(self, request: TurnRequest) -> AsyncGenerator[list[ChatMessage]]:
        """Yields the answer's rows again and again: while the model gets ready, and as the answer grows."""
        self._is_ready = False
        while not self._is_ready:
            async with contextlib.aclosing(self._wait(request)) as waiting:
                async for messages in waiting:
                    yield messages
            if not self._is_ready:
                return
            async with contextlib.aclosing(self._fit(request)) as fitting:
                async for messages in fitting:
                    yield messages
            if self._fitted is None or self._fitted.is_refused or self._stopped.is_set():
                return
            async with contextlib.aclosing(self._answer(request, self._fitted)) as answering:
                async for messages in answering:
                    yield messages

    async def _wait(self, request: TurnRequest) -> AsyncGenerator[list[ChatMessage]]:
        """Yields what to show until the model is ready, or until it is plain that it never will be."""
        while not self._stopped.is_set():
            snapshot = await self._eyes.look(request.user)
            trouble = find_dead_end(snapshot, request.model)
            if trouble is not None:
                retry = explain_retry(request.user) if can_restart(snapshot, request.model) else ""
                yield [make_notice(trouble.message, f"{trouble.remedy} {retry}".strip())]
                return
            if is_ready(snapshot, request.model):
                self._is_ready = True
                return
            yield [make_aside(make_waiting_line(snapshot, request.model), WAITING, "pending")]
            await self._pause()
        yield [make_aside("Stopped before the model answered", NOT_SENT)]

    async def _fit(self, request: TurnRequest) -> AsyncGenerator[list[ChatMessage]]:
        """Makes the conversation fit, once; yields what to show meanwhile, and why nothing was sent."""
        if self._fitted is not None:
            return
        fitting = Fitting(self._client, self._pace, self._watch_stream)
        async with contextlib.aclosing(fitting.run(request)) as steps:
            async for messages in steps:
                yield messages
        self._fitted = fitting.fitted
        if self._stopped.is_set():
            yield [make_aside("Stopped before the model answered", NOT_SENT)]
        elif self._fitted.is_refused:
            self._keep.is_refused = True
            yield [make_notice(self._fitted.sentence, self._fitted.remedy)]
        elif self._fitted.sentence:
            self._keep.note = self._fitted.sentence

    def _watch_stream(self, stream: AnswerStream) -> None:
        self._stream = stream

    async def _answer(self, request: TurnRequest, fitted: Fitted) -> AsyncGenerator[list[ChatMessage]]:
        """Yields the answer's rows. A model that isn't ready after all sets `_is_ready` back."""
        body = request.to_json(fitted.messages)
        stream = AnswerStream(self._client, body, request.user, self._pace, self._keep.grow)
        self._stream, began = stream, time.monotonic()
        try:
            async with contextlib.aclosing(stream.updates()) as updates:
                async for answer in updates:
                    shown = (
                        [THINKING]
                        if answer.is_empty
                        else make_answer_messages(request.go_on(answer), is_json=request.is_json)
                    )
                    yield make_note(fitted.sentence) + shown
            await self._look_after(stream.answer, request, time.monotonic() - began)
        finally:
            # Also when the tab was closed: what came is kept.
            if self._is_ready:
                await self._keep.end(stream.answer)
        if not self._is_ready:
            await self._pause()
        elif not self._keep.is_kept:
            yield [make_aside("Stopped before the model answered", NOT_SENT)]

    async def _look_after(self, answer: Answer, request: TurnRequest, took_s: float) -> None:
        """After an answer: why it failed, if it did, or that the model wasn't ready yet."""
        problem = answer.problem
        if problem is None:
            return
        snapshot = await self._look_for_reason(problem, request)
        was_dead = problem.code == "engine_failed" and took_s < DEAD_ALREADY_S and not self._is_resent
        if (problem.is_passing or was_dead) and answer.is_empty and not answer.stopped:
            self._is_ready = False
            self._is_resent |= was_dead
        else:
            answer.problem = explain_problem(problem, snapshot.engine(request.model), request.user)

    async def _look_for_reason(self, problem: GatewayError, request: TurnRequest) -> Snapshot:
        """The session after a failure. When the engine failed, the record may take a moment to say why."""
        snapshot = await self._eyes.look(request.user, max_age_s=0)
        for _ in range(REASON_LOOKS):
            if problem.code not in ENGINE_CODES or not is_ready(snapshot, request.model):
                break
            await asyncio.sleep(REASON_WAIT_S)
            snapshot = await self._eyes.look(request.user, max_age_s=0)
        return snapshot

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), WAIT_S)


def explain_problem(problem: GatewayError, engine: EngineRecord | None, user: str = OWNER) -> GatewayError:
    """Adds what the session's record knows of the failure: why the engine died, and what to do.

    Args:
        problem: what the gateway said.
        engine: the engine that was asked, as the record has it after the failure.
        user: who asked.
    """
    trouble = engine.trouble if engine is not None and engine.phase is not EnginePhase.READY else None
    if trouble is None or problem.code not in ENGINE_CODES:
        return problem
    message = (
        problem.message if trouble.message in problem.message else f"{problem.message} {trouble.message}"
    )
    remedy = trouble.remedy
    comes_back = engine is not None and engine.phase is not EnginePhase.FAILED
    remedy = f"{remedy} {COMES_BACK if comes_back else explain_retry(user)}".strip()
    return GatewayError(message, remedy, problem.code)
