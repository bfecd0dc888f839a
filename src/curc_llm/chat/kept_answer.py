"""An answer that goes into its chat's file while it comes."""

from __future__ import annotations

import asyncio
from typing import Any

from curc_llm.chat.answer import Answer
from curc_llm.chat.figures import EARLIER, EARLIER_ROUGH, ENDED_BY, PAGE, count_tokens, is_rough, make_facts
from curc_llm.chats.answer import AnswerWriter
from curc_llm.chats.message import Message
from curc_llm.chats.writer import ChatWriter


class KeptAnswer:
    """Keeps one answer. Nothing is kept before its first piece, for the model may not be ready after all.

    Args:
        writer: of the chat.
        parent: id of the question.
        facts: what is known before: `model`, `parameters`.
        begins_with: the answer that this one goes on from, when it was cut off.

    Attributes:
        is_kept: whether there is something of it in the file.
        note: what a person must know of it; set before its first piece.
        is_refused: the question wasn't sent, since it doesn't fit.
        answer: as it ended; None before.
    """

    def __init__(
        self, writer: ChatWriter, parent: str, facts: dict[str, Any], begins_with: Message | None = None
    ) -> None:
        self._writer, self._parent, self._facts = writer, parent, facts
        self._begins_with = begins_with
        self._answer: AnswerWriter | None = None
        self._text_length = self._thought_length = 0
        self.is_kept = False
        self.note = ""
        self.is_refused = False
        self.answer: Answer | None = None

    @property
    def message(self) -> Message | None:
        """The answer as it is kept; None while nothing of it is."""
        return self._answer.message if self._answer is not None else None

    def grow(self, answer: Answer) -> None:
        """Takes what is new; costs microseconds, for a thread of the store's own writes it."""
        kept = self._begin()
        if len(answer.reasoning) > self._thought_length:
            kept.add_thought(answer.reasoning[self._thought_length :])
            self._thought_length = len(answer.reasoning)
        if len(answer.text) > self._text_length:
            kept.add(answer.text[self._text_length :])
            self._text_length = len(answer.text)

    async def end(self, answer: Answer) -> None:
        """Saves the whole answer, well or not; the disk is waited for in another thread."""
        self.answer = answer
        if self._answer is None and answer.problem is None and not answer.finish_reason:
            return
        is_whole = bool(answer.finish_reason) and not answer.stopped
        status = "failed" if answer.problem else "done" if is_whole else "stopped"
        # Nobody stopped it, and it didn't fail: the page that asked for it is gone.
        left = {ENDED_BY: PAGE} if status == "stopped" and not answer.stopped else {}
        await asyncio.shield(asyncio.to_thread(self._begin().end, status, **make_facts(answer), **left))

    def _begin(self) -> AnswerWriter:
        if self._answer is None:
            self.is_kept = True
            continues = describe_beginning(self._begins_with) if self._begins_with else {}
            note = {"note": self.note} if self.note else {}
            self._answer = self._writer.begin_answer(self._parent, **self._facts, **continues, **note)
            if self._begins_with is not None:
                self._answer.add_thought(self._begins_with.reasoning)
                self._answer.add(self._begins_with.content)
        return self._answer


def describe_beginning(before: Message) -> dict[str, Any]:
    """Facts of an answer that goes on from another one: its id, and how many tokens are there already."""
    rough = {EARLIER_ROUGH: True} if is_rough(before) else {}
    return {"continues": before.message_id, EARLIER: count_tokens(before.facts), **rough}
