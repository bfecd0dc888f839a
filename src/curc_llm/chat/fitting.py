"""Makes a conversation fit into the model's context: counts, leaves out, or has the model write a summary."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable

from curc_llm.chat.fit import Fitted, fit_counted, refuse_again
from curc_llm.chat.gateway_client import GatewayClient
from curc_llm.chat.messages import ChatMessage, make_aside
from curc_llm.chat.stream import AnswerStream, Pace
from curc_llm.chat.summary import Summary, make_summary, make_summary_request
from curc_llm.chat.turn_request import ApiMessage, TurnRequest


class Fitting:
    """Fits one conversation. `fitted` is the result, once `run` is through.

    Args:
        client: where requests go.
        pace: how often a page is updated.
        watch_stream: told of the stream that writes a summary, so that Stop can end it.
    """

    def __init__(
        self, client: GatewayClient, pace: Pace, watch_stream: Callable[[AnswerStream], None]
    ) -> None:
        self._client = client
        self._pace = pace
        self._watch_stream = watch_stream
        self.fitted = Fitted([])

    async def run(self, request: TurnRequest) -> AsyncGenerator[list[ChatMessage]]:
        """Yields what to show while a summary is written; nothing when all fits."""
        self.fitted = await self._fit(request, request.summary)
        if not self.fitted.num_to_summarise:
            return
        async with contextlib.aclosing(self._summarise(request)) as steps:
            async for rows in steps:
                yield rows

    async def _fit(self, request: TurnRequest, summary: Summary | None) -> Fitted:
        use = request.use
        if use.room_tokens is None:
            return Fitted(request.messages)

        async def count(messages: list[ApiMessage]) -> int | None:
            tokens = await self._client.count_tokens(request.to_json(messages), request.user)
            if tokens is not None:
                request.learn_count(messages, tokens)
            return tokens

        return await fit_counted(
            request.messages,
            use.room_tokens,
            request.choice.controls.when_full,
            count,
            used_tokens=use.used_tokens,
            gauge=request.counted.gauge if request.counted else None,
            summary=summary,
        )

    async def _summarise(self, request: TurnRequest) -> AsyncGenerator[list[ChatMessage]]:
        asked, num = self.fitted, self.fitted.num_to_summarise
        wanted = make_summary_request(
            request.messages, num, request.use.room_tokens or 0, earlier=request.summary
        )
        body = wanted.to_json(request.model, request.choice.facts.reasoning)
        stream = AnswerStream(self._client, body, request.user, self._pace)
        self._watch_stream(stream)
        async with contextlib.aclosing(stream.updates()) as updates:
            async for answer in updates:
                yield [
                    make_aside(
                        f"Summarising what came before ({answer.tokens:,} tokens)", asked.sentence, "pending"
                    )
                ]
        answer = stream.answer
        if answer.problem is not None or not answer.text.strip():
            why = answer.problem.message if answer.problem else "The model wrote nothing."
            self.fitted = refuse_again(asked, why)
            return
        summary = make_summary(request.messages, num, answer.text, request.model)
        request.keep_summary(summary)
        self.fitted = await self._fit(request, summary)
        if self.fitted.num_to_summarise:
            self.fitted = refuse_again(self.fitted, "The summary is too long as well.")
