"""“Show as code”: the request that this conversation sends, as programs to copy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import gradio as gr

from curc_llm.chat.acts import render_acts
from curc_llm.chat.asking import find_question, prepare
from curc_llm.chat.choice import SETTINGS, read_choice
from curc_llm.chat.code_sample import render_curc_llm, render_curl, render_python
from curc_llm.chat.commands import parse_command
from curc_llm.chat.desk import Desk
from curc_llm.chat.desks import Desks
from curc_llm.chat.model_facts import ModelFactsShelf
from curc_llm.chat.page_view import Update
from curc_llm.chat.telling import tell
from curc_llm.chat.turns import Turns
from curc_llm.chats.message import Message
from curc_llm.errors import CurcLlmError
from curc_llm.session.key_source import KeySource
from curc_llm.session.keys import OWNER
from curc_llm.session.paths import SessionPaths

EXAMPLE = "Hello"
# No quotes or apostrophes in these: in some shells a pasted comment is no comment.
ABOUT_DRAFT = "The request for the message that stands in the box, after this conversation."
ABOUT_LAST = "The request for the last question of this conversation, with the settings as they are now."
ABOUT_EMPTY = f"This conversation is empty: the question {EXAMPLE} is a placeholder for yours."
NOTE = "The key is read where it is kept; the code never holds it. On the cluster it runs as it is."
NOTE_GUEST = "Put your own key into the environment variable CURC_LLM_API_KEY; the code never holds it."


class CodeActions:
    """Writes the code.

    Args:
        turns: knows the session.
        desks: what each page works on.
        models: what is known of the models.
        sessions: the folder of all sessions, for the key's file.
    """

    def __init__(self, turns: Turns, desks: Desks, models: ModelFactsShelf, sessions: Path) -> None:
        self._turns = turns
        self._desks = desks
        self._models = models
        self._sessions = sessions

    async def show(self, request: gr.Request, command: str, text: str, *settings: Any) -> Update:
        """Shows the code, when that is what was clicked."""
        asked = parse_command(command)
        if asked is None or asked.name != "code":
            return {}
        desk = self._desks.find(request)
        await asyncio.to_thread(desk.take_up, str(settings[-1] or ""))
        snapshot = await self._turns.eyes.look(desk.user)
        record = snapshot.record
        try:
            choice = await read_choice(dict(zip(SETTINGS, settings, strict=False)), snapshot, self._models)
            question, about = choose_question(desk, text)
            body = prepare(desk, choice, question).request.to_json()
        except CurcLlmError as error:
            tell(str(error), "No code")
            return {}
        if record is None or record.base_url is None:
            tell("The session has no endpoint yet. Try again when the model is ready.", "No code")
            return {}
        is_owner = desk.user == OWNER
        key = (
            KeySource(str(SessionPaths(self._sessions / record.session_id).api_key))
            if is_owner
            else KeySource()
        )
        url = record.base_url
        samples = await asyncio.to_thread(
            lambda: [
                ("Python (openai)", render_python(url, key, body)),
                (
                    "Python (curc_llm)",
                    render_curc_llm(record.session_id, body) if is_owner else render_curc_llm(url, body, key),
                ),
                ("curl", render_curl(url, key, body)),
            ]
        )
        told = [(name, f"# {about}\n{code}") for name, code in samples]
        return {
            "acts": render_acts({"act": "code", "samples": told, "note": NOTE if is_owner else NOTE_GUEST})
        }


def choose_question(desk: Desk, text: str) -> tuple[Message, str]:
    """The question whose request is shown, and a sentence that says which one that is.

    Args:
        desk: of the page.
        text: what stands in the message box.
    """
    if text.strip() or desk.attached:
        return desk.draft(text), ABOUT_DRAFT
    path = desk.path
    last = find_question(path, path[-1].message_id) if path else None
    return (desk.draft(EXAMPLE), ABOUT_EMPTY) if last is None else (last, ABOUT_LAST)
