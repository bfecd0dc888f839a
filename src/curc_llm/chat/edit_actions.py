"""An answer that a person changes: kept as a version of its own, beside the one that the model wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from curc_llm.chat.acts import render_acts
from curc_llm.chat.commands import Command
from curc_llm.chat.desk import Desk
from curc_llm.chat.guest_room import refuse_full
from curc_llm.chat.page_view import Update, render_desk_meter, show_chat
from curc_llm.chat.telling import tell
from curc_llm.chats.message import Message
from curc_llm.errors import CurcLlmError, SettingsError


class EditActions:
    """The handlers of the pencil under an answer.

    Args:
        is_answering: whether an answer is being written on a desk.
        state_dir: the owner's state folder, in which a guest has so much room.
    """

    def __init__(self, is_answering: Callable[[Desk], bool], state_dir: Path) -> None:
        self._is_answering = is_answering
        self._state_dir = state_dir
        self.commands = {"answer": self._give, "answer-edit": self._keep}

    @staticmethod
    def _give(desk: Desk, command: Command) -> Update:
        """The answer as it is kept, to be changed. Value: the chat, and the answer in it."""
        answer = find_answer(desk, command.value)
        return {"acts": render_acts({"act": "edit", "id": answer.message_id, "text": answer.content})}

    def _keep(self, desk: Desk, command: Command) -> Update:
        """Keeps what was made of it. What can't be kept is said in the dialog, which still has the text."""
        try:
            answer = find_answer(desk, command.value)
            self._check(desk, command.text)
        except CurcLlmError as error:
            return {"acts": render_acts({"act": "edited", "refusal": str(error)})}
        if command.text != answer.content:
            desk.edit_answer(answer.message_id, command.text)
        if (trouble := desk.writer.trouble) is not None:
            tell(str(trouble), "Not on disk yet")
        return {**show_chat(desk, {"act": "edited"}), "meter": render_desk_meter(desk)}

    def _check(self, desk: Desk, text: str) -> None:
        if self._is_answering(desk):
            raise SettingsError("An answer is being written.", "Save this one when it has come.")
        if not text.strip():
            raise SettingsError("The answer is empty.", "Write what the model should have said.")
        refuse_full(self._state_dir, desk.user)


def find_answer(desk: Desk, value: str) -> Message:
    """The answer that was clicked, also after the chat process was started anew.

    Args:
        desk: of the page.
        value: ids of the chat and of the answer.

    Raises:
        SettingsError: it isn't in the chat that is open.
    """
    chat_id, _, message_id = value.partition(" ")
    desk.take_up(chat_id)
    found = desk.writer.chat.messages.get(message_id) if desk.chat_id == chat_id else None
    if found is None or found.role != "assistant":
        raise SettingsError("That answer isn't in the chat that is open.", "Open its chat again.")
    return found
