"""The owner exchanges the model on the page: what fits, and the one that they choose."""

from __future__ import annotations

import os
from typing import Any

import gradio as gr

from curc_llm.chat.access import describe_access
from curc_llm.chat.acts import render_acts
from curc_llm.chat.commands import parse_command
from curc_llm.chat.desks import Desks
from curc_llm.chat.gateway_client import GatewayError
from curc_llm.chat.page_view import Update, find_user
from curc_llm.chat.panel_html import render_banner
from curc_llm.chat.session_panel import make_banner
from curc_llm.chat.telling import tell
from curc_llm.chat.turns import Turns


class SwapActions:
    """Lists what fits, and exchanges models. The gateway lets the owner alone do either.

    Args:
        turns: knows the gateway and the session.
        desks: what each page works on.
    """

    def __init__(self, turns: Turns, desks: Desks) -> None:
        self._turns = turns
        self._desks = desks

    async def run(self, request: gr.Request, command: str) -> Update:
        """Does what was clicked, when it is one of the two."""
        asked = parse_command(command)
        if asked is None or asked.name not in {"swap-list", "swap"}:
            return {}
        user = find_user(request)
        if asked.name == "swap-list":
            return await self._list(asked.value, user)
        try:
            await self._turns.client.swap(asked.text, asked.value, user)
        except GatewayError as error:
            return {"acts": _render_outcome(str(error))}
        snapshot = await self._turns.eyes.look(user, 0)
        access = describe_access(user, snapshot.record, os.environ)
        self._desks.find(request).forget_shown()
        banner = make_banner(snapshot, asked.value)
        return {
            "acts": _render_outcome(),
            "banner": render_banner(banner, is_owner=access.may_restart),
        }

    async def _list(self, engine: str, user: str) -> Update:
        try:
            found = await self._turns.client.list_swaps(user, engine)
        except GatewayError as error:
            tell(str(error), "No other model can be shown")
            return {}
        models = [describe_choice(one) for one in found.get("models") or () if isinstance(one, dict)]
        return {
            "acts": render_acts({"act": "swap", "engine": str(found.get("engine", "")), "models": models})
        }


def _render_outcome(refusal: str = "") -> str:
    """Closes the dialog, or says in it why nothing is exchanged: what was typed is kept."""
    return render_acts({"act": "swapped", "refusal": refusal})


def describe_choice(one: dict[str, Any]) -> dict[str, Any]:
    """A model as the list shows it: its name, and a line about it.

    Args:
        one: as `GET /swap` tells it.

    Example:
        >>> describe_choice({"model": "m", "weights_gib": 1.5, "max_model_len": 4096, "is_here": True})
        {'model': 'm', 'line': '1.5 GiB, context of 4,096 tokens'}
    """
    size, context = one.get("weights_gib"), one.get("max_model_len")
    far = "" if one.get("is_here") else " to download"
    parts = [
        ", ".join(str(use) for use in one.get("uses") or ()),
        f"{size:,.1f} GiB{far}" if isinstance(size, int | float) else far.strip(),
        f"context of {context:,} tokens" if isinstance(context, int) else "",
    ]
    return {"model": str(one.get("model", "")), "line": ", ".join(filter(None, parts))}
