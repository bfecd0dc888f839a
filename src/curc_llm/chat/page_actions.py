"""What the page does when a person acts, or time passes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any, cast

import gradio as gr
from gradio.components.chatbot import ExampleMessage

from curc_llm.chat.examples import choose_examples
from curc_llm.chat.gateway_client import GatewayError
from curc_llm.chat.messages import ChatMessage, cut_history, make_user_message
from curc_llm.chat.panel_html import render_banner, render_header
from curc_llm.chat.sampling import parse_sampling
from curc_llm.chat.session_panel import is_ready, make_banner, make_status_line
from curc_llm.chat.session_watch import MAX_AGE_S, Snapshot
from curc_llm.chat.turn import TurnRequest
from curc_llm.chat.turns import Turns
from curc_llm.errors import SettingsError

Step = tuple[Any, Any]
BUSY_POLL_S = 1.0
CALM_POLL_S = 5.0


class PageActions:
    """The handlers of the page's events. Gradio fills in `request` and `event` by type, if they come first.

    Args:
        turns: runs what people ask for.
        demo_examples: example prompts of the bundled model.
    """

    def __init__(self, turns: Turns, demo_examples: list[str]) -> None:
        self._turns = turns
        self._demo_examples = demo_examples

    def list_examples(self, model: str) -> list[ExampleMessage]:
        """The example prompts that fit a model."""
        return [{"text": text} for text in choose_examples(model, self._demo_examples)]

    async def send(
        self, request: gr.Request, text: str, history: list[ChatMessage], *settings: Any
    ) -> AsyncGenerator[Step]:
        """Sends what stands in the message box."""
        if not text.strip():
            yield gr.skip(), gr.skip()
            return
        async for step in self._run([*history, make_user_message(text)], settings, request, clear=True):
            yield step

    async def send_example(
        self, request: gr.Request, event: gr.SelectData, history: list[ChatMessage], *settings: Any
    ) -> AsyncGenerator[Step]:
        """Sends an example prompt."""
        async for step in self._run([*history, make_user_message(event.value["text"])], settings, request):
            yield step

    async def retry(
        self, request: gr.Request, event: gr.RetryData, history: list[ChatMessage], *settings: Any
    ) -> AsyncGenerator[Step]:
        """Asks for another answer to the last message."""
        before, text = cut_history(history, cast(int, event.index))
        async for step in self._run([*before, make_user_message(text)], settings, request):
            yield step

    async def edit(
        self, request: gr.Request, event: gr.EditData, history: list[ChatMessage], *settings: Any
    ) -> AsyncGenerator[Step]:
        """Asks again from a message that was edited; what came after it is dropped."""
        before, text = cut_history(history, cast(int, event.index))
        async for step in self._run([*before, make_user_message(text)], settings, request):
            yield step

    def undo(self, history: list[ChatMessage], event: gr.UndoData) -> Step:
        """Takes the last message and its answer back; the message can be written anew."""
        before, text = cut_history(history, cast(int, event.index))
        return gr.update(value=text), before

    def stop(self, request: gr.Request) -> Any:
        """Ends the answer that is being written; brings Send back when none is (the stream broke off)."""
        page_id = str(request.session_hash)
        self._turns.stop(page_id)
        return gr.skip() if self._turns.is_running(page_id) else gr.update(submit_btn=True, stop_btn=False)

    def drop(self, request: gr.Request) -> None:
        """Ends the answer that is being written, and shows no more of it: the conversation was cleared."""
        self._turns.stop(str(request.session_hash), silently=True)

    async def look_first(self, model: str | None, request: gr.Request) -> list[Any]:
        """Fills the page when it is opened, or another model is chosen."""
        return await self._look(model, request, max_age_s=0, with_examples=True)

    async def look(self, model: str | None, request: gr.Request) -> list[Any]:
        """Shows how the session is now."""
        return await self._look(model, request)

    async def keep_going(self, model: str | None, request: gr.Request) -> list[Any]:
        """Starts the idle clock again."""
        with contextlib.suppress(GatewayError):
            await self._turns.client.keep_going(find_user(request))
        return await self._look(model, request, max_age_s=0)

    async def _look(
        self,
        model: str | None,
        request: gr.Request,
        max_age_s: float = MAX_AGE_S,
        with_examples: bool = False,
    ) -> list[Any]:
        snapshot = await self._turns.watch.look(find_user(request), max_age_s)
        chosen = choose_model(snapshot, model)
        banner = make_banner(snapshot, chosen)
        well = is_ready(snapshot, chosen)
        return [
            render_header(chosen or "curc-llm", make_status_line(snapshot, chosen), well),
            render_banner(banner),
            gr.update(visible=banner is not None and banner.can_keep_going),
            gr.update(choices=snapshot.models, value=chosen or None, visible=len(snapshot.models) > 1),
            gr.update(examples=self.list_examples(chosen)) if with_examples or chosen != model else gr.skip(),
            gr.Timer(CALM_POLL_S if well and banner is None else BUSY_POLL_S),
        ]

    async def _run(
        self, history: list[ChatMessage], settings: tuple[Any, ...], request: gr.Request, clear: bool = False
    ) -> AsyncGenerator[Step]:
        page_id = str(request.session_hash)
        if self._turns.is_running(page_id):
            yield gr.skip(), gr.skip()
            return
        try:
            turn = await self._make_request(history, settings, find_user(request))
        except SettingsError as error:
            gr.Warning(str(error), title="Not sent")
            yield gr.skip(), gr.skip()
            return
        cleared: dict[str, Any] = {"value": ""} if clear else {}
        yield gr.update(submit_btn=False, stop_btn=True, **cleared), history
        async with contextlib.aclosing(self._turns.run(page_id, turn)) as steps:
            async for messages in steps:
                yield gr.skip(), messages
        yield gr.update(submit_btn=True, stop_btn=False), gr.skip()

    async def _make_request(
        self, history: list[ChatMessage], settings: tuple[Any, ...], user: str
    ) -> TurnRequest:
        model, system_prompt, *numbers = settings
        snapshot = await self._turns.watch.look(user)
        sampling = parse_sampling(*numbers)
        return TurnRequest(history, choose_model(snapshot, model), system_prompt or "", sampling, user)


def find_user(request: gr.Request) -> str:
    """In whose name a request comes: the gateway says so in a header, and lets nobody else set it."""
    return str(request.headers.get("x-curc-llm-user") or "owner")


def choose_model(snapshot: Snapshot, model: str | None) -> str:
    """The model that was chosen if it is still served, else the first; empty when none is known."""
    return model if model in snapshot.models else next(iter(snapshot.models), "")
