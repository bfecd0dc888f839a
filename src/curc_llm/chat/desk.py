"""What one open page works on: the saved chat that it shows, and what lies ready to be sent."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from curc_llm.attachments import Attachment, to_facts
from curc_llm.chat.answer import Answer
from curc_llm.chat.asked import Asked
from curc_llm.chat.context import Counted
from curc_llm.chat.figures import EDITED
from curc_llm.chat.messages import ChatMessage
from curc_llm.chat.summary import FACT as SUMMARY
from curc_llm.chat.summary import Summary, read_summary
from curc_llm.chat.transcript import Transcript, make_row_map, make_transcript
from curc_llm.chats.message import Message, make_id
from curc_llm.chats.store import ChatStore
from curc_llm.chats.writer import ChatWriter
from curc_llm.errors import CurcLlmError
from curc_llm.session.record import EngineRecord

KEPT_OF_EDITED = ("model", "parameters", "reasoning_s", "note")


class Desk:
    """One page of one person. What it does with the disk blocks: call it in another thread.

    Args:
        store: the person's chats.
        user: whose page it is.
        page_id: tells the page from all others.
    """

    def __init__(self, store: ChatStore, user: str, page_id: str) -> None:
        self.store = store
        self.user = user
        self.page_id = page_id
        self.writer: ChatWriter = store.create()
        self.max_model_len: int | None = None
        # Whether the chosen model sees, None when that isn't known; and which ones of the session do.
        self.takes_images: bool | None = None
        self.models_with_eyes: list[str] = []
        # Which models the session serves, as the page was told last.
        self.models: list[str] = []
        self.attached: list[Attachment] = []
        self.counted: Counted | None = None
        self.asked: Asked | None = None
        # What was attached to the latest question, and the question that wasn't sent, since it doesn't fit.
        self.sent: list[Attachment] = []
        self.refused = ""
        # What the page's timer showed last, and when it showed all, in seconds on the monotonic clock.
        self.shown: dict[str, Any] = {}
        self.shown_at = float("-inf")
        self.heard_at = float("-inf")
        # Of the second column: what is asked there, what stands over both, the two answers to choose from,
        # and that it was taken.
        self.asked_other: Asked | None = None
        self.heads = ("", "")
        self.answers: dict[str, str] = {}
        self.taken = ""
        # The numbers of the clicks that were done: Gradio may send one again when another follows at once.
        self.done: set[int] = set()
        # What the list of chats shows: those that a search finds, or more of all than at first.
        self.search = ""
        self.num_more_shown = 0

    def forget_shown(self) -> None:
        """The page was shown something else than its timer knows of: the next tick shows all."""
        self.shown = {}

    @property
    def chat_id(self) -> str:
        """The chat's id; it is on disk once it has a message."""
        return self.writer.chat.chat_id

    @property
    def path(self) -> list[Message]:
        """The branch that is shown."""
        return self.writer.chat.path

    @property
    def ratio(self) -> float:
        """Tokens that the engine counted in this chat for each one that was estimated."""
        return self.counted.text_ratio if self.counted is not None else 1.0

    @property
    def transcript(self) -> Transcript:
        """What the conversation shows."""
        return make_transcript(self.path, self.max_model_len)

    @property
    def summary(self) -> Summary | None:
        """The latest summary of the older part of what is shown."""
        found = (read_summary(message.facts.get(SUMMARY)) for message in reversed(self.path))
        return next((one for one in found if one is not None), None)

    def make_rows(
        self, path: Sequence[Message], *, with_options: bool = False, option: str | None = None
    ) -> list[ChatMessage]:
        """The rows of a branch.

        Args:
            path: the branch.
            with_options: with what can be done at its end, such as going on with an answer.
            option: what a button under the last row says instead.
        """
        rows = make_transcript(path, self.max_model_len, with_options=with_options and option is None).rows
        if option is not None and rows:
            rows[-1] = {**rows[-1], "options": [{"value": option, "label": option}]}
        return rows

    def describe(self, path: Sequence[Message]) -> dict[str, Any]:
        """What page.js is to know of the chat that is shown."""
        chat = self.writer.chat
        rows = make_row_map(chat, path, self.ratio)
        return {"act": "chat", "id": chat.chat_id if path else "", "title": chat.title, "rows": rows}

    def begin(self) -> None:
        """Puts the chat away and begins a new one."""
        self.writer, self.counted, self.attached = self.store.create(), None, []

    def open(self, chat_id: str) -> None:
        """Takes up a saved chat.

        Raises:
            ChatFileError: it isn't there, or can't be read.
        """
        self.writer, self.counted, self.attached = self.store.write(chat_id), None, []

    def take_up(self, chat_id: str) -> None:
        """Opens the chat that the page shows, when this desk has none: the process was started anew.

        Args:
            chat_id: as the page has it; empty for a new chat. One that can't be opened is passed over.
        """
        if chat_id and not self.path and chat_id != self.chat_id:
            attached = self.attached
            with contextlib.suppress(CurcLlmError):
                self.open(chat_id)
            self.attached = attached

    def draft(self, text: str) -> Message:
        """A question after what is shown, with what is attached; not kept yet."""
        facts = {"attachments": [to_facts(one) for one in self.attached]} if self.attached else {}
        tip = self.writer.chat.tip
        # In the place of one that didn't fit, which would be sent along and keep this one from fitting.
        parent = self.writer.chat.messages[tip].parent if tip and tip == self.refused else tip
        return self._make(text, parent, facts)

    def draft_anew(self, message_id: str, text: str) -> Message:
        """A question in the place of another one, which stays as a branch beside it; not kept yet."""
        old = self.writer.chat.messages[message_id]
        kept = {name: old.facts[name] for name in ("attachments",) if name in old.facts}
        return self._make(text, old.parent, kept)

    def edit_answer(self, message_id: str, text: str) -> Message:
        """Keeps a changed answer as a version beside the model's own, and shows it.

        Its figures stay with the model's: they aren't of this text.
        """
        old = self.writer.chat.messages[message_id]
        kept = {name: old.facts[name] for name in KEPT_OF_EDITED if name in old.facts}
        new = self._make(text, old.parent, {**kept, EDITED: True})
        answer = replace(new, role=old.role, reasoning=old.reasoning)
        self.writer.add_lines([answer.to_line()])
        if self.counted is not None:
            self.counted = replace(self.counted, answer_tokens=None)
        return answer

    def find_path(self, question: Message) -> list[Message]:
        """The branch that ends with a question, kept or not."""
        messages = self.writer.chat.messages
        path, parent = [question], question.parent
        while parent is not None and parent in messages:
            path.append(messages[parent])
            parent = messages[parent].parent
        return path[::-1]

    def keep(self, question: Message, settings: Mapping[str, Any]) -> None:
        """Keeps a question, with what was set for the chat."""
        now = self.writer.chat.settings
        changed = {name: value for name, value in settings.items() if now.get(name) != value}
        if changed:
            self.writer.plan(**changed)
        if question.message_id in self.writer.chat.messages:
            self.writer.show(question.message_id, is_end=True)
            if question.message_id == self.refused:
                self.attached, self.refused = [], ""
        else:
            self.writer.add_lines([question.to_line()])
            self.sent, self.attached = self.attached, []

    def take_back(self, question: Message) -> None:
        """A question wasn't sent, since it doesn't fit: what was attached to it lies ready again."""
        self.refused = question.message_id
        self.attached, self.sent = [*self.sent, *self.attached], []

    def settle(self, column: str, message: Message) -> None:
        """Of two answers the first column's is shown, whichever ended last, unless the other one was taken.

        Args:
            column: whose answer has ended.
            message: that answer.
        """
        self.answers[column] = message.message_id
        if self.taken:
            self.writer.show(self.taken)
        elif "chatbot" in self.answers and len(self.answers) > 1:
            self.writer.show(self.answers["chatbot"])

    def keep_summary(self, message_id: str, summary: Summary) -> None:
        """Keeps a summary of what comes before a question."""
        self.writer.mark(message_id, **{SUMMARY: summary.to_facts()})

    def learn_engine(self, engine: EngineRecord | None) -> bool:
        """Remembers what the chosen model's engine takes; tells whether the length of its context is new."""
        before = self.max_model_len
        self.max_model_len = engine.max_model_len if engine else None
        self.takes_images = engine.takes_images if engine else None
        return before != self.max_model_len

    def learn_count(self, messages: list[dict[str, Any]], tokens: int) -> None:
        """Remembers the engine's count of what wasn't sent, for it may have been too long."""
        self.counted = Counted(messages, tokens)

    def learn(self, messages: list[dict[str, Any]], answer: Answer) -> None:
        """Remembers what the engine counted."""
        if answer.prompt_tokens is not None:
            again = None if answer.reasoning else answer.completion_tokens
            self.counted = Counted(messages, answer.prompt_tokens, again)

    @staticmethod
    def _make(text: str, parent: str | None, facts: Mapping[str, Any]) -> Message:
        clean = text.encode("utf-8", "replace").decode("utf-8")
        return Message(make_id(), parent, "user", clean, round(time.time(), 3), facts=facts)
