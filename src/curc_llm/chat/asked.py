"""A question that can be sent."""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.chat.messages import ChatMessage
from curc_llm.chat.turn_request import TurnRequest
from curc_llm.chats.message import Message


@dataclass(frozen=True)
class Asked:
    """A question with all that is needed to send it.

    Args:
        question: the message; not kept yet when it is new.
        path: the branch that ends with it.
        rows: the branch as it is shown.
        request: what is sent.
    """

    question: Message
    path: list[Message]
    rows: list[ChatMessage]
    request: TurnRequest
