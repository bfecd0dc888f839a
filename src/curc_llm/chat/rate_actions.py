"""What a person thinks of an answer: kept with it."""

from __future__ import annotations

from curc_llm.chat.acts import render_acts
from curc_llm.chat.commands import Command
from curc_llm.chat.desk import Desk
from curc_llm.chat.page_view import Update

RATINGS = {"Like": 1, "Dislike": -1}


class RateActions:
    """The handler of the two thumbs under an answer."""

    def __init__(self) -> None:
        self.commands = {"rate": self._rate}

    @staticmethod
    def _rate(desk: Desk, command: Command) -> Update:
        """Value: the chat, and the answer in it. Text: `Like`, `Dislike`, or nothing for neither."""
        chat_id, _, message_id = command.value.partition(" ")
        desk.take_up(chat_id)
        if desk.chat_id != chat_id or message_id not in desk.writer.chat.messages:
            return {}  # the page is behind
        desk.writer.mark(message_id, rating=RATINGS.get(command.text))
        return {"acts": render_acts(desk.describe(desk.path))}
