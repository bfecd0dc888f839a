"""The page: which handler answers which event."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import gradio as gr

from curc_llm.chat.attach_actions import AttachActions
from curc_llm.chat.blocks import ThriftyBlocks, save_on_queue
from curc_llm.chat.choice import OTHER, SETTINGS
from curc_llm.chat.code_actions import CodeActions
from curc_llm.chat.controls import NUMBERS
from curc_llm.chat.mistakes import CHECKED, CHECKED_OTHER, render_mistakes
from curc_llm.chat.page_parts import Parts, make_parts
from curc_llm.chat.page_view import Update
from curc_llm.chat.panel_actions import PanelActions
from curc_llm.chat.restart_actions import RestartActions
from curc_llm.chat.shelf_actions import ShelfActions
from curc_llm.chat.swap_actions import SwapActions
from curc_llm.chat.talk_actions import TalkActions
from curc_llm.chat.telling import Told, listen, render_told

# Also the cap on events that run at once, streams among them; Gradio's default of 40 makes people wait.
MAX_THREADS = 300
# How often Gradio looks for events.
QUEUE_PAUSE_S = 0.01
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
TALK = ("message", "acts", "chips", "told")
SHELF = (
    *TALK,
    "chatbot",
    "chats",
    "meter",
    *SETTINGS,
    *OTHER,
    "beside",
    "more",
    "other",
    "prompts",
)
CONVERSE = (*TALK, "chatbot", "chats", "meter")
LOOK = ("header", "banner", "keep_going", "session", "swap", "timer", "meter")
MODEL = ("model", "other_model", "chatbot", "reasoning", "help", *NUMBERS)
FILES = ("chips", "meter", "told")
FOUND = ("chats", "told")


@dataclass(frozen=True)
class Actions:
    """What the page's events do.

    Args:
        talk: the conversation.
        shelf: the saved chats, and clicks on what is ours.
        attach: files.
        panel: looks at the session.
        code: the conversation as code.
        restart: starts a model again.
        swap: exchanges the model for another one.
    """

    talk: TalkActions
    shelf: ShelfActions
    attach: AttachActions
    panel: PanelActions
    code: CodeActions
    restart: RestartActions
    swap: SwapActions


def make_page(actions: Actions, model: str, title: str) -> gr.Blocks:
    """Builds the page.

    Args:
        actions: what its events do.
        model: the model that it starts with; empty when it isn't known yet.
        title: what the browser's tab says.
    """
    with ThriftyBlocks(title=title, fill_height=True, fill_width=True, analytics_enabled=False) as page:
        parts = make_parts(actions.panel.list_examples(model))
        _connect_talk(parts, actions.talk, actions.shelf)
        _connect_shelf(page, parts, actions.shelf, actions.attach)
        _connect_panel(page, parts, actions.panel)
        _connect_code(parts, actions.code)
        _connect_restart(parts, actions.restart)
        _connect_swap(parts, actions.swap)
        _connect_checks(parts)
    page.max_threads = MAX_THREADS
    page.queue(default_concurrency_limit=None, api_open=False)
    save_on_queue(page, QUEUE_PAUSE_S)
    return cast(gr.Blocks, page)


def _connect_talk(parts: Parts, talk: TalkActions, shelf: ShelfActions) -> None:
    at_once: dict[str, Any] = {"queue": False, **QUIET}

    def on(event: Any, handler: Callable[..., Any], inputs: list[Any]) -> None:
        run = _show(_converse(handler, talk, shelf), CONVERSE)
        # Gradio would drop what is sent between an answer's last word and the end of its event.
        often: dict[str, Any] = {"trigger_mode": "multiple", "concurrency_limit": None, **QUIET}
        asked = event(run, inputs, parts.list(*CONVERSE), **often)
        asked.failure(_show(talk.end, ("message", "acts")), None, parts.list("message", "acts"), **at_once)

    chatbot = parts.chatbot
    on(parts.message.submit, talk.send, [parts.message, *parts.settings])
    on(chatbot.example_select, talk.send_example, parts.settings)
    on(chatbot.retry, talk.retry, parts.settings)
    on(chatbot.edit, talk.edit, parts.settings)
    on(chatbot.option_select, talk.choose_option, parts.settings)
    other = {"outputs": parts.list("other"), "concurrency_limit": None, **QUIET}
    asked = parts.ask_other.click(_show(talk.stream_other, ("other",)), None, **other)
    asked.then(_show(talk.end, ("message", "acts")), None, parts.list("message", "acts"), **at_once)
    parts.compare.change(_show(talk.show_columns, ("other",)), parts.compare, parts.list("other"), **at_once)
    kept = ("chatbot", "acts", "other")
    parts.other.option_select(_show(talk.keep_other, kept), None, parts.list(*kept), **at_once)
    parts.message.stop(_show(talk.stop, ("message",)), None, parts.list("message"), **at_once)


def _converse(accept: Callable[..., Any], talk: TalkActions, shelf: ShelfActions) -> Callable[..., Any]:
    """What happens when a person asks, as one event: each event more is a request more, and 5 ms of CPU."""

    @functools.wraps(accept)
    async def steps(*args: Any) -> AsyncGenerator[Update]:
        request = next(one for one in args if isinstance(one, gr.Request))
        with talk.asking(request) as is_first:
            if not is_first:
                yield {}
                return
            with listen() as told:
                update = await accept(*args)
            if told:
                update = {**update, "told": render_told(told)}
            async with contextlib.aclosing(talk.stream(request)) as answer:
                async for step in answer:
                    yield {**update, **step}
                    update = {}
            last = {**await talk.end(request), **await shelf.refresh(request), **talk.show_files(request)}
        yield last

    return steps


def _connect_shelf(page: gr.Blocks, parts: Parts, shelf: ShelfActions, attach: AttachActions) -> None:
    at_once: dict[str, Any] = {"queue": False, **QUIET}
    only_list: dict[str, Any] = {"outputs": parts.list(*FOUND), **at_once}
    parts.command.change(_show(shelf.run, SHELF), parts.command, parts.list(*SHELF), **at_once)
    parts.search.change(_show(shelf.search, FOUND), parts.search, **only_list)
    parts.take_in.upload(_show(shelf.take_in, SHELF), parts.take_in, parts.list(*SHELF), **at_once)
    first = (*FOUND, "prompts", "attach_menu")
    page.load(_show(shelf.fill, first), None, parts.list(*first), **at_once)
    files: dict[str, Any] = {"outputs": parts.list(*FILES), **at_once}
    parts.attach.upload(_show(attach.upload, FILES), parts.attach, **files)


def _connect_panel(page: gr.Blocks, parts: Parts, panel: PanelActions) -> None:
    inputs, at_once = [parts.model], {"queue": False, **QUIET}
    look: dict[str, Any] = {"inputs": inputs, "outputs": parts.list(*LOOK), **at_once}
    model: dict[str, Any] = {"inputs": inputs, "outputs": parts.list(*MODEL), **at_once}
    parts.timer.tick(_show(panel.look_again, LOOK), **look)
    parts.keep_going.click(_show(panel.keep_going, LOOK), **look)
    page.load(_show(panel.look, LOOK), **look)
    # Not when the page is loaded: js/session.js asks, once the chat that it opens is there.
    for event in (parts.model.change, parts.look_again.click):
        event(_show(panel.look, LOOK), **look)
        event(_show(panel.look_at_model, MODEL), **model)


def _connect_code(parts: Parts, code: CodeActions) -> None:
    inputs = [parts.command, parts.message, *parts.settings]
    parts.command.change(
        _show(code.show, ("acts", "told")), inputs, parts.list("acts", "told"), queue=False, **QUIET
    )


def _connect_restart(parts: Parts, restart: RestartActions) -> None:
    names = ("banner", "told")
    run = _show(restart.run, names)
    parts.command.change(run, parts.command, parts.list(*names), queue=False, **QUIET)


def _connect_swap(parts: Parts, swap: SwapActions) -> None:
    names = ("acts", "banner", "told")
    run = _show(swap.run, names)
    parts.command.change(run, parts.command, parts.list(*names), queue=False, **QUIET)


def _connect_checks(parts: Parts) -> None:
    names = (*CHECKED, *CHECKED_OTHER)

    def check(*texts: str) -> Update:
        return {"mistakes": render_mistakes(dict(zip(names, texts, strict=True)))}

    at_once: dict[str, Any] = {"queue": False, "trigger_mode": "always_last", **QUIET}
    gr.on(
        [part.blur for part in parts.list(*names)],
        _show(check, ("mistakes",)),
        parts.list(*names),
        parts.list("mistakes"),
        **at_once,
    )


def _show(handler: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    """The handler as Gradio wants it: its update by component, and for all outputs that it was given."""

    def by_part(update: Update, told: Sequence[Told] = ()) -> list[Any]:
        if told:
            update = {**update, "told": render_told(told)}
        unknown = update.keys() - set(names)
        assert not unknown, f"{unknown} are no outputs of {handler}"  # noqa: S101 - ours, found by any test
        return [update.get(name, gr.skip()) for name in names]

    if inspect.isasyncgenfunction(handler):

        async def steps(*args: Any) -> AsyncGenerator[Any]:
            async with contextlib.aclosing(handler(*args)) as updates:
                async for update in updates:
                    yield _one_or_all(by_part(update))

        return _name_as(handler, steps)
    if inspect.iscoroutinefunction(handler):

        async def wait(*args: Any) -> Any:
            with listen() as told:
                return _one_or_all(by_part(await handler(*args), told))

        return _name_as(handler, wait)

    def run(*args: Any) -> Any:
        with listen() as told:
            return _one_or_all(by_part(handler(*args), told))

    return _name_as(handler, run)


def _name_as(handler: Callable[..., Any], wrapper: Any) -> Callable[..., Any]:
    """The wrapper with the handler's name and arguments. Gradio reads them at each event."""
    functools.update_wrapper(wrapper, handler)
    wrapper.__signature__ = inspect.signature(handler, eval_str=True)
    wrapper.__annotations__ = inspect.get_annotations(handler, eval_str=True)
    return cast("Callable[..., Any]", wrapper)


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
