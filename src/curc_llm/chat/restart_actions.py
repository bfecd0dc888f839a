"""“Start the model again”: the owner's click on the banner of a model that failed for good."""

from __future__ import annotations

import os

import gradio as gr

from curc_llm.chat.access import describe_access
from curc_llm.chat.commands import parse_command
from curc_llm.chat.desks import Desks
from curc_llm.chat.gateway_client import GatewayError
from curc_llm.chat.page_view import Update, find_user
from curc_llm.chat.panel_html import render_banner
from curc_llm.chat.session_panel import make_banner
from curc_llm.chat.telling import tell
from curc_llm.chat.turns import Turns

# A second click before the banner is drawn anew: the first one does it.
ALREADY = "nothing_failed"


class RestartActions:
    """Starts models again.

    Args:
        turns: knows the gateway and the session.
        desks: what each page works on.
    """

    def __init__(self, turns: Turns, desks: Desks) -> None:
        self._turns = turns
        self._desks = desks

    async def run(self, request: gr.Request, command: str) -> Update:
        """Starts the model again, when that is what was clicked; the gateway lets the owner alone do it."""
        asked = parse_command(command)
        if asked is None or asked.name != "restart":
            return {}
        user = find_user(request)
        try:
            await self._turns.client.restart(asked.value, user)
        except GatewayError as error:
            if error.code != ALREADY:
                tell(str(error), "Not started again")
        snapshot = await self._turns.eyes.look(user, 0)
        access = describe_access(user, snapshot.record, os.environ)
        banner = make_banner(snapshot, asked.value)
        self._desks.find(request).forget_shown()
        return {"banner": render_banner(banner, is_owner=access.may_restart)}
