"""What the page does when a person talks: send, edit, retry, go on, stop, rate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import gradio as gr

from curc_llm.chat.acts import render_acts
from curc_llm.chat.asked import Asked
from curc_llm.chat.asking import find_question, prepare
from curc_llm.chat.chips import render_chips
from curc_llm.chat.choice import (
    OTHER,
    SETTINGS,
    keep_other,
    make_other,
    name_columns,
    read_choice,
    read_other,
)
from curc_llm.chat.desk import Desk
from curc_llm.chat.desks import Desks
from curc_llm.chat.guest_room import refuse_full
from curc_llm.chat.head_start import give_head_start
from curc_llm.chat.kept_answer import KeptAnswer
from curc_llm.chat.markup import parse_markdown
from curc_llm.chat.model_facts import ModelFactsShelf
from curc_llm.chat.page_view import Update, show_chat
from curc_llm.chat.telling import tell
from curc_llm.chat.transcript import CONTINUE
from curc_llm.chat.turns import Turns
from curc_llm.chats.message import Message
from curc_llm.errors import CurcLlmError

IDLE: Update = {"message": gr.update(submit_btn=True, stop_btn=False)}
COLUMNS = ("chatbot", "other")
KEEP_OTHER = "Go on with this answer"
TURN_END_S = 0.02
# A question that is drawn so much later still seems to be there with the key that sent it.
AT_ONCE_S = 0.05
Steps = AsyncGenerator[Update]


class TalkActions:
    """The handlers of the conversation's events. Gradio fills in `request` and `event` by type.

    Args:
        turns: runs what people ask for.
        desks: what each page works on.
        models: what is known of the models.
    """

    def __init__(self, turns: Turns, desks: Desks, models: ModelFactsShelf) -> None:
        self._turns = turns
        self._desks = desks
        self._models = models
        self._asking: set[str] = set()

    @contextlib.contextmanager
    def asking(self, request: gr.Request) -> Iterator[bool]:
        """While a page asks. False, when it does already: Enter was pressed twice."""
        page_id = self._desk(request).page_id
        if page_id in self._asking:
            yield False
            return
        self._asking.add(page_id)
        try:
            yield True
        finally:
            self._asking.discard(page_id)

    async def send(self, request: gr.Request, text: str, *settings: Any) -> Update:
        """Sends what stands in the message box, with what is attached."""
        desk = await self._take(request, settings)
        if not text.strip() and not desk.attached:
            return self._refuse(desk)
        return await self._accept(request, settings, lambda: desk.draft(text), clears=True)

    async def send_example(self, request: gr.Request, event: gr.SelectData, *settings: Any) -> Update:
        """Sends an example prompt."""
        desk = await self._take(request, settings)
        text = str(event.value["text"])
        return await self._accept(request, settings, lambda: desk.draft(text))

    async def edit(self, request: gr.Request, event: gr.EditData, *settings: Any) -> Update:
        """Asks an edited message; the old one and what followed it stay as a branch beside it."""
        desk = await self._take(request, settings)
        text = parse_markdown(str(event.value))
        message_id = desk.transcript.find_message(event.index)
        if message_id is None or not text.strip():
            return self._refuse(desk)
        return await self._accept(request, settings, lambda: desk.draft_anew(message_id, text))

    async def retry(self, request: gr.Request, event: gr.RetryData, *settings: Any) -> Update:
        """Asks for another answer; the one that is there stays as a branch beside it."""
        desk = await self._take(request, settings)
        question = find_question(desk.path, desk.transcript.find_message(event.index))
        if question is None:
            return self._refuse(desk)
        return await self._accept(request, settings, lambda: question)

    async def choose_option(self, request: gr.Request, event: gr.SelectData, *settings: Any) -> Update:
        """Goes on with an answer that was cut off."""
        desk = await self._take(request, settings)
        last = desk.path[-1] if desk.path else None
        question = find_question(desk.path, last.message_id if last else None)
        if event.value != CONTINUE or last is None or question is None or last.role != "assistant":
            return self._refuse(desk)
        return await self._accept(request, settings, lambda: question, begins_with=last)

    async def stream(self, request: gr.Request) -> Steps:
        """Asks what was accepted and shows the answer. It changes the conversation alone.

        Gradio builds each component of an event's outputs anew with every update, so that others would cost
        as much again.
        """
        desk = self._desk(request)
        asked, desk.asked = desk.asked, None
        async with contextlib.aclosing(self._answer(desk, asked, "chatbot")) as steps:
            async for step in steps:
                yield step

    async def stream_other(self, request: gr.Request) -> Steps:
        """The same for the second column."""
        desk = self._desk(request)
        asked, desk.asked_other = desk.asked_other, None
        async with contextlib.aclosing(self._answer(desk, asked, "other")) as steps:
            async for step in steps:
                yield step

    async def keep_other(self, request: gr.Request) -> Update:
        """Goes on with the answer of the second column; the first one ends, if it is still being written."""
        desk = self._desk(request)
        desk.taken = desk.answers.get("other", "")
        turn_id = find_turn_id(desk.page_id, "chatbot")
        self._turns.stop(turn_id, silently=True)
        while self._turns.is_running(turn_id):
            await asyncio.sleep(TURN_END_S)
        if desk.taken:
            await asyncio.to_thread(desk.writer.show, desk.taken)
        desk.answers = {}
        return {**show_chat(desk), "other": []}

    def show_columns(self, compare: bool) -> Update:
        """Shows or hides the second column."""
        return {"other": gr.update(visible=compare)}

    async def _answer(self, desk: Desk, asked: Asked | None, column: str) -> Steps:
        page_id = find_turn_id(desk.page_id, column)
        if asked is None or self._turns.is_running(page_id):
            yield {column: gr.skip()}
            return
        facts = {"model": asked.request.model, "parameters": asked.request.choice.controls.to_facts()}
        writer = desk.writer
        keep = KeptAnswer(writer, asked.question.message_id, facts, asked.request.begins_with)
        async with (
            contextlib.aclosing(self._turns.run(page_id, asked.request, keep)) as steps,
            contextlib.aclosing(give_head_start(steps, AT_ONCE_S)) as shown,
        ):
            async for rows in shown:
                yield {column: asked.rows + (rows or [])}
        if desk.writer is not writer:
            # Another chat was opened meanwhile; Gradio sends a stream's last value once more at its end.
            yield {column: desk.make_rows(desk.path, with_options=True) if column == "chatbot" else []}
            return
        if keep.is_refused and column == "chatbot":
            desk.take_back(asked.question)
        if keep.answer is not None and column == "chatbot":
            desk.learn(asked.request.messages, keep.answer)
        if (message := keep.message) is not None:
            await asyncio.to_thread(desk.settle, column, message)
            if column == "chatbot" and desk.taken:
                yield {column: desk.make_rows(desk.path, with_options=True)}
                return
            options = KEEP_OTHER if column == "other" and message.content.strip() else None
            yield {column: desk.make_rows(desk.find_path(message), with_options=True, option=options)}

    async def end(self, request: gr.Request) -> Update:
        """After an answer: Send is back, and the address and the arrows are right."""
        desk = self._desk(request)
        if self._is_busy(desk.page_id):
            return {}  # that was a click while another answer is being written
        if not desk.path:
            return dict(IDLE)  # the process was started anew: the page knows its chat, the desk doesn't yet
        back = (
            [{"act": "back", "text": desk.path[-1].content}]
            if desk.path[-1].message_id == desk.refused
            else []
        )
        # Of a first answer that came at once, the page saw nothing but this end.
        return {**IDLE, "acts": render_acts(desk.describe(desk.path), *back, *ask_other(desk))}

    def show_files(self, request: gr.Request) -> Update:
        """What is attached, when something is: files of a question that didn't fit lie ready again."""
        desk = self._desk(request)
        return {"chips": render_chips(desk.attached, ratio=desk.ratio)} if desk.attached else {}

    def stop(self, request: gr.Request) -> Update:
        """Ends the answer that is being written; brings Send back when none is (the stream broke off)."""
        desk = self._desk(request)
        page_id, desk.asked_other = desk.page_id, None
        for column in COLUMNS:
            self._turns.stop(find_turn_id(page_id, column))
        return {} if self._is_busy(page_id) else IDLE

    def _desk(self, request: gr.Request) -> Desk:
        return self._desks.find(request)

    def _is_busy(self, page_id: str) -> bool:
        return any(self._turns.is_running(find_turn_id(page_id, column)) for column in COLUMNS)

    async def _take(self, request: gr.Request, settings: tuple[Any, ...]) -> Desk:
        """The desk with the chat that the page shows, also after the chat process was started anew."""
        desk = self._desk(request)
        if not desk.path:
            await asyncio.to_thread(desk.take_up, str(settings[-1] or ""))
        return desk

    @staticmethod
    def _refuse(desk: Desk) -> Update:
        """There is nothing to ask, or the page was behind."""
        desk.asked = desk.asked_other = None
        return {}

    async def _accept(
        self,
        request: gr.Request,
        settings: tuple[Any, ...],
        draft: Callable[[], Message],
        *,
        clears: bool = False,
        begins_with: Message | None = None,
    ) -> Update:
        """Keeps a question, to be asked by `stream`; one that can't be sent is told, and nothing is lost."""
        desk = self._desk(request)
        if self._is_busy(desk.page_id):
            return {}
        try:
            snapshot = await self._turns.eyes.look(desk.user)
            values = dict(zip((*SETTINGS, *OTHER), settings[:-1], strict=True))
            choice = await read_choice(values, snapshot, self._models)
            question = draft()
            asked = prepare(desk, choice, question, begins_with)
            other, desk.asked_other = None if begins_with else make_other(values), None
            if other is not None:
                second = await read_other(other, snapshot, self._models)
                desk.asked_other = prepare(desk, second, question)
                desk.heads = name_columns(choice, second)
            await asyncio.to_thread(refuse_full, self._desks.state_dir, desk.user)
        except CurcLlmError as error:
            tell(str(error), "Not sent")
            return self._refuse(desk)
        kept = {**choice.to_settings(), **keep_other(values)}
        await asyncio.to_thread(desk.keep, asked.question, kept)
        desk.asked, desk.answers, desk.taken = asked, {}, ""
        cleared: dict[str, Any] = {"value": ""} if clears else {}
        return {
            "message": gr.update(submit_btn=False, stop_btn=True, **cleared),
            "acts": render_acts(desk.describe(asked.path), *ask_other(desk)),
            "chips": render_chips(desk.attached, ratio=desk.ratio),
        }


def ask_other(desk: Desk) -> list[dict[str, Any]]:
    """What makes the page ask for the second column's answer, as long as it hasn't."""
    return [] if desk.asked_other is None else [{"act": "other", "heads": desk.heads}]


def find_turn_id(page_id: str, column: str) -> str:
    """A page may have a turn in each column."""
    return f"{page_id} {column}"
