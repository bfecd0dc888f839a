"""What the page does with saved chats: open, search, rename, pin, delete and undo, export, import."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gradio as gr

from curc_llm.chat.access import describe_access
from curc_llm.chat.acts import render_acts
from curc_llm.chat.attach_button import render_attach_menu
from curc_llm.chat.chat_list_html import SHOWN_AT_FIRST, render_chat_list, render_found, render_undo
from curc_llm.chat.commands import Command, parse_command
from curc_llm.chat.desk import Desk
from curc_llm.chat.desks import Desks
from curc_llm.chat.edit_actions import EditActions
from curc_llm.chat.guest_room import refuse_full
from curc_llm.chat.page_view import Update, render_desk_meter, show_chat, show_settings
from curc_llm.chat.prompt_actions import render_library
from curc_llm.chat.session_watch import choose_model
from curc_llm.chat.talk_actions import COLUMNS, find_turn_id
from curc_llm.chat.telling import tell
from curc_llm.chat.turns import Turns
from curc_llm.chats.export import EXPORTS, make_file_name, render_talk
from curc_llm.chats.taking_in import TakenIn, take_in
from curc_llm.errors import CurcLlmError

MORE = 500


class ShelfActions:
    """The handlers of the list of chats. The disk is waited for in threads.

    Args:
        turns: ends the answer that is being written when another chat is opened.
        desks: what each page works on.
        others: what else can be clicked, by name.
    """

    def __init__(
        self, turns: Turns, desks: Desks, others: Mapping[str, Callable[[Desk, Command], Update]]
    ) -> None:
        self._turns = turns
        self._desks = desks
        self._commands: dict[str, Callable[[Desk, Command], Update]] = {
            "open": self._open,
            "new": self._begin,
            "show": self._show,
            "rename": self._rename,
            "pin": self._pin,
            "unpin": self._pin,
            "delete": self._delete,
            "restore": self._restore,
            "export": self._export,
            "more": self._show_more,
            "copy": self._copy,
            **EditActions(self._is_answering, desks.state_dir).commands,
            **others,
        }

    async def run(self, request: gr.Request, text: str) -> Update:
        """Does what a person clicked."""
        command = parse_command(text)
        desk = self._desks.find(request)
        do = self._commands.get(command.name) if command else None
        if command is None or do is None or command.number in desk.done:
            return {}
        if command.number:
            desk.done.add(command.number)
        before = desk.writer
        if command.name == "open" and desk.max_model_len is None:
            # The page, or the chat process, is new; the meter of the chat that it opens needs a length.
            snapshot = await self._turns.eyes.look(desk.user)
            desk.learn_engine(snapshot.engine(choose_model(snapshot, None)))
        try:
            update = await asyncio.to_thread(do, desk, command)
        except CurcLlmError as error:
            tell(str(error), "That didn't work")
            return {"chats": await asyncio.to_thread(self.render_list, desk), **_stop_asking(command)}
        # The other chat is on the desk by now, so that the stream ends by showing it.
        if desk.writer is not before or command.name == "show":
            for column in COLUMNS:
                self._turns.stop(find_turn_id(desk.page_id, column), silently=True)
        return update

    async def search(self, request: gr.Request, text: str) -> Update:
        """Shows the chats that have all words; all of them when none is given."""
        desk = self._desks.find(request)
        desk.search = text.strip()
        return {"chats": await asyncio.to_thread(self.render_list, desk)}

    async def take_in(self, request: gr.Request, path: str) -> Update:
        """Adds the chats of a file that a person uploaded; a single one is opened."""
        desk = self._desks.find(request)
        try:
            taken = await asyncio.to_thread(_take_in, desk, Path(path), self._desks.state_dir)
        except CurcLlmError as error:
            tell(str(error), "Not imported")
            return {}
        tell(taken.text, "Imported", is_bad=False)
        if len(taken.chat_ids) > 1 or self._is_answering(desk):
            return {"chats": await asyncio.to_thread(self.render_list, desk)}
        await asyncio.to_thread(desk.open, taken.chat_ids[0])
        return await asyncio.to_thread(self._show_all, desk, {"act": "reveal"})

    async def refresh(self, request: gr.Request) -> Update:
        """The list and the meter as they are now."""
        desk = self._desks.find(request)
        return {"chats": await asyncio.to_thread(self.render_list, desk), "meter": render_desk_meter(desk)}

    async def fill(self, request: gr.Request) -> Update:
        """What an empty page begins with: no meter, for a quick person may have attached something by now."""
        desk = self._desks.find(request)
        chats = await asyncio.to_thread(self.render_list, desk)
        update: Update = {"chats": chats, "prompts": await asyncio.to_thread(render_library, desk)}
        if describe_access(desk.user, None, {}).may_attach_paths:
            return update
        return {**update, "attach_menu": render_attach_menu(has_paths=False)}

    def render_list(self, desk: Desk, before: str = "") -> str:
        """The list, or what was searched for; a sentence when it can't be read."""
        try:
            if desk.search:
                return before + render_found(desk.store.search(desk.search), desk.chat_id)
            chats = desk.store.list()
        except CurcLlmError as error:
            tell(str(error), "Saved chats")
            chats = []
        most = SHOWN_AT_FIRST + desk.num_more_shown
        return before + render_chat_list(chats, desk.chat_id, datetime.now(UTC).astimezone(), most)

    @staticmethod
    def _copy(desk: Desk, command: Command) -> Update:
        desk.take_up(command.value)
        return {"acts": render_acts({"act": "copied", "text": render_talk(desk.path)})}

    def _show_more(self, desk: Desk, command: Command) -> Update:
        shown = int(command.value) if command.value.isdecimal() else SHOWN_AT_FIRST
        desk.num_more_shown = shown + MORE - SHOWN_AT_FIRST
        return {"chats": self.render_list(desk)}

    def _open(self, desk: Desk, command: Command) -> Update:
        if command.value == desk.chat_id and self._is_answering(desk):
            return {}  # a page that loads slowly asks for its chat more than once
        desk.open(command.value)
        return self._show_all(desk)

    def _is_answering(self, desk: Desk) -> bool:
        turns = (find_turn_id(desk.page_id, column) for column in COLUMNS)
        return desk.asked is not None or any(map(self._turns.is_running, turns))

    def _begin(self, desk: Desk, _: Command) -> Update:
        desk.begin()
        return self._show_all(desk, {"act": "focus"})

    def _show_all(self, desk: Desk, *acts: dict[str, Any]) -> Update:
        rest = {"chats": self.render_list(desk), "chips": "", "meter": render_desk_meter(desk), "other": []}
        return {**show_chat(desk, *acts), **show_settings(desk), **rest}

    def _show(self, desk: Desk, command: Command) -> Update:
        if command.value in desk.writer.chat.messages:
            desk.writer.show(command.value)
        return {**show_chat(desk), "meter": render_desk_meter(desk)}

    def _rename(self, desk: Desk, command: Command) -> Update:
        self._change(desk, command.value, title=command.text.strip() or None)
        return {"chats": self.render_list(desk), "acts": render_acts(desk.describe(desk.path))}

    def _pin(self, desk: Desk, command: Command) -> Update:
        self._change(desk, command.value, pinned=command.name == "pin" or None)
        return {"chats": self.render_list(desk)}

    def _delete(self, desk: Desk, command: Command) -> Update:
        title = desk.store.open(command.value).title
        desk.store.delete(command.value)
        update: Update = {}
        if desk.chat_id == command.value:
            desk.begin()
            update = self._show_all(desk)
        return {**update, "chats": self.render_list(desk, before=render_undo(title, command.value))}

    def _restore(self, desk: Desk, command: Command) -> Update:
        desk.store.restore(command.value)
        return self._open(desk, command)

    def _export(self, desk: Desk, command: Command) -> Update:
        chat_id, _, kind = command.value.partition(" ")
        if kind not in EXPORTS:
            return {}
        chat = desk.store.open(chat_id)
        file = {"act": "download", "name": make_file_name(chat, kind), "text": EXPORTS[kind][1](chat)}
        return {"acts": render_acts(file)}

    def _change(self, desk: Desk, chat_id: str, **values: Any) -> None:
        """Changes a chat through the desk's own writer when it is the open one, so that both know."""
        writer = desk.writer if desk.chat_id == chat_id else desk.store.write(chat_id)
        writer.set(**values)
        if writer.trouble is not None:
            raise writer.trouble


def _stop_asking(command: Command) -> Update:
    """A page asks for its chat again and again until it is there, or can't be opened."""
    return {"acts": render_acts({"act": "gone", "id": command.value})} if command.name == "open" else {}


def _take_in(desk: Desk, path: Path, state_dir: Path) -> TakenIn:
    data = path.read_bytes()
    path.unlink(missing_ok=True)  # Gradio keeps uploads until the session ends
    refuse_full(state_dir, desk.user)
    return take_in(desk.store, data, path.name)
