"""What the page shows of the session, again and again, and what a person can do about it."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import math
import os
import time
from pathlib import Path

import gradio as gr
from gradio.components.chatbot import ExampleMessage

from curc_llm.chat.access import Access, describe_access
from curc_llm.chat.controls import NUMBERS
from curc_llm.chat.desks import Desks
from curc_llm.chat.engine_figures import EngineFigures, EngineFiguresWatch
from curc_llm.chat.examples import choose_examples
from curc_llm.chat.gateway_client import GatewayError
from curc_llm.chat.housekeeping import explain_limits
from curc_llm.chat.launched import LaunchedWith
from curc_llm.chat.model_facts import ModelFacts, ModelFactsShelf
from curc_llm.chat.page_parts import render_placeholder, render_settings_help
from curc_llm.chat.page_view import Update, find_model, find_user, render_desk_meter
from curc_llm.chat.panel_html import render_banner, render_header
from curc_llm.chat.session_html import SessionView, render_session
from curc_llm.chat.session_panel import is_ready, make_banner, make_state_word, make_status_line
from curc_llm.chat.session_watch import MAX_AGE_S, Snapshot, choose_model
from curc_llm.chat.swap_html import record_is_open, render_swap
from curc_llm.chat.turns import Turns
from curc_llm.session.keys import OWNER

BUSY_POLL_S = 1.0
CALM_POLL_S = 5.0
# Of all pages together: a look takes about 6 ms of CPU (idle pages in benchmarks/chat.py, 2026-11-22).
MOST_LOOKS_PER_S = 10.0
LONGEST_POLL_S = 30.0
SHOW_ALL_S = 30.0


class PanelActions:
    """The handlers that look at the session.

    Args:
        turns: knows the gateway and the session.
        desks: what each page works on.
        models: what is known of the models.
        state_dir: where the session's files are.
        demo_examples: example prompts of the bundled model.
    """

    def __init__(
        self,
        turns: Turns,
        desks: Desks,
        models: ModelFactsShelf,
        state_dir: Path,
        demo_examples: list[str],
    ) -> None:
        self._turns = turns
        self._desks = desks
        self._models = models
        self._launched = LaunchedWith(state_dir)
        self._figures = EngineFiguresWatch(turns.client)
        self._demo_examples = demo_examples

    def list_examples(self, model: str) -> list[ExampleMessage]:
        """The example prompts that fit a model."""
        return [{"text": text} for text in choose_examples(model, self._demo_examples)]

    async def look(self, model: str | None, request: gr.Request) -> Update:
        """Shows how the session is now."""
        self._desks.find(request).forget_shown()
        return await self._look(model, request, MAX_AGE_S)

    async def look_again(self, model: str | None, request: gr.Request) -> Update:
        """As `look`, for the timer: what has changed, and all now and then, lest something got lost."""
        update, desk = await self._look(model, request, MAX_AGE_S), self._desks.find(request)
        now = time.monotonic()
        if now - desk.shown_at >= SHOW_ALL_S:
            desk.shown, desk.shown_at = {}, now
        # Copies, for Gradio writes into what it is given.
        before, desk.shown = desk.shown, copy.deepcopy(update)
        return {name: value for name, value in update.items() if name not in before or before[name] != value}

    async def keep_going(self, model: str | None, request: gr.Request) -> Update:
        """Starts the idle clock again."""
        with contextlib.suppress(GatewayError):
            await self._turns.client.keep_going(find_user(request))
        self._desks.find(request).forget_shown()
        return await self._look(model, request, 0)

    async def look_at_model(self, model: str | None, request: gr.Request) -> Update:
        """Shows which models there are, and what is known of the chosen one."""
        user = find_user(request)
        snapshot = await self._turns.eyes.look(user, 0)
        desk = self._desks.find(request)
        desk.models = snapshot.models
        chosen = choose_model(snapshot, model or find_model(desk))
        access = describe_access(user, snapshot.record, os.environ)
        empty = gr.update(examples=self.list_examples(chosen), placeholder=render_placeholder(access.notice))
        known = show_model(await self._models.find(snapshot.engine(chosen)))
        # What is chosen already isn't told again: a chat that is opened meanwhile may choose another.
        value = {} if chosen == model else {"value": chosen or None}
        choices = gr.update(choices=snapshot.choices, visible=len(snapshot.models) > 1, **value)
        others = gr.update(choices=snapshot.choices, visible=len(snapshot.models) > 1)
        return {"model": choices, "other_model": others, "chatbot": empty, **known}

    async def _look(self, model: str | None, request: gr.Request, max_age_s: float) -> Update:
        user = find_user(request)
        snapshot = await self._turns.eyes.look(user, max_age_s)
        chosen = choose_model(snapshot, model)
        engine = snapshot.engine(chosen)
        banner = make_banner(snapshot, chosen)
        well = is_ready(snapshot, chosen)
        desk = self._desks.find(request)
        is_other_length = desk.learn_engine(engine)
        desk.models_with_eyes = list(
            dict.fromkeys(one.served_model_name for one in snapshot.engines if one.takes_images)
        )
        access = describe_access(user, snapshot.record, os.environ)
        can_keep_going = banner is not None and banner.can_keep_going and access.may_keep_going
        is_new = bool(snapshot.models) and (chosen != model or desk.models != snapshot.models)
        # An empty page has no meter, and what a quick person attaches to it shows one of its own.
        meter = render_desk_meter(desk) if is_other_length else ""
        return {
            **({"meter": meter} if meter else {}),
            "header": render_header(
                chosen or "curc-llm",
                make_status_line(snapshot, chosen),
                well,
                is_new,
                make_state_word(snapshot, chosen),
            ),
            "banner": render_banner(banner, is_owner=access.may_restart),
            "keep_going": gr.update(visible=can_keep_going),
            "timer": gr.update(value=choose_poll_s(well and banner is None, self._desks.count_open())),
            "swap": render_swap(engine, may_swap=access.may_restart and record_is_open(snapshot)),
            "session": render_session(await self._view(snapshot, access, request)),
        }

    async def _view(self, snapshot: Snapshot, access: Access, request: gr.Request) -> SessionView:
        launched = await asyncio.to_thread(self._launched.find, snapshot.record)
        is_in_portal = str(request.headers.get("x-curc-llm-prefix") or "").startswith("/node/")
        return SessionView(
            snapshot,
            await self._figures.look(OWNER) if access.may_see_others else EngineFigures(),
            launched.cost if access.may_see_cost else None,
            launched.logs if access.may_see_logs else "",
            is_in_portal,
            await asyncio.to_thread(explain_limits, access.is_owner),
            access.is_owner,
        )


def choose_poll_s(is_calm: bool, num_pages: int) -> float:
    """Seconds until a page looks again; with many pages they take turns.

    Example:
        >>> choose_poll_s(True, 1), choose_poll_s(False, 1), choose_poll_s(True, 100)
        (5.0, 1.0, 10.0)
    """
    turn_s = min(LONGEST_POLL_S, float(math.ceil(num_pages / MOST_LOOKS_PER_S)))
    return max(CALM_POLL_S if is_calm else BUSY_POLL_S, turn_s)


def show_model(facts: ModelFacts) -> Update:
    """What a model chooses by itself, in the empty fields; and how it can be told to reason."""
    defaults, levels = facts.defaults, facts.reasoning.levels
    update: Update = {name: gr.update(placeholder=defaults.render_placeholder(name)) for name in NUMBERS}
    update["help"] = render_settings_help(defaults.render_others())
    choices = [("model's choice", ""), *((level, level) for level in levels)]
    return {**update, "reasoning": gr.update(choices=choices, visible=bool(levels))}
