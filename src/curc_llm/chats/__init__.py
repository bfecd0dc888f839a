"""Saved chats: kept while they go on, found again in the next session, whatever died meanwhile.

Pure Python, without Gradio: the chat page, the notebook and `curc-llm chats` use the same files. `lines` has
the format and why nothing in it gets lost or mixed up.

Example:
    >>> from curc_llm.chats import ChatStore
    >>> store = ChatStore(settings.state_dir / "chats")                     # doctest: +SKIP
    >>> writer = store.create(system="Be brief.")                           # doctest: +SKIP
    >>> question = writer.append_question("What is an SU?")                 # doctest: +SKIP
    >>> with writer.begin_answer(model="llama") as answer:                  # doctest: +SKIP
    ...     for piece in stream:
    ...         answer.add(piece)
    ...     answer.end(finish_reason="stop")
    >>> store.search("su").hits[0].summary.title                            # doctest: +SKIP
    'What is an SU?'
"""

from __future__ import annotations

from curc_llm.chats.answer import AnswerWriter
from curc_llm.chats.chat import Chat
from curc_llm.chats.errors import ChatFileError, ChatImportError, ChatNotFoundError
from curc_llm.chats.message import Message
from curc_llm.chats.store import ChatStore
from curc_llm.chats.summary import ChatSummary
from curc_llm.chats.writer import ChatWriter

__all__ = [
    "AnswerWriter",
    "Chat",
    "ChatFileError",
    "ChatImportError",
    "ChatNotFoundError",
    "ChatStore",
    "ChatSummary",
    "ChatWriter",
    "Message",
]
