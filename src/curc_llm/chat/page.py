"""The page: its parts and where they stand. What they do is in page_actions.py."""

from __future__ import annotations

import html
import os
from dataclasses import dataclass
from typing import Any, cast

import gradio as gr
from gradio.components.chatbot import ExampleMessage

from curc_llm.chat.markup import LATEX_DELIMITERS
from curc_llm.chat.page_actions import PageActions
from curc_llm.session.notice import read_data_notice

# Also the cap on events that run at once, streams among them; Gradio's default of 40 makes people wait.
MAX_THREADS = 300
BUSY_POLL_S = 1.0
# How often Gradio looks for events. Its own millisecond keeps an idle session at 6 to 9 % of a core.
QUEUE_PAUSE_S = 0.02
PLACEHOLDER = "### What can I help with?\n\n<small>{notice}</small>"


@dataclass(frozen=True)
class Parts:
    """The components that actions read and change."""

    header: gr.Markdown
    banner: gr.Markdown
    keep_going: gr.Button
    chatbot: gr.Chatbot
    message: gr.Textbox
    model: gr.Dropdown
    system_prompt: gr.Textbox
    sampling: list[Any]
    timer: gr.Timer


def make_page(actions: PageActions, model: str, title: str) -> gr.Blocks:
    """Builds the page.

    Args:
        actions: what its events do.
        model: the model that it starts with; empty when it isn't known yet.
        title: what the browser's tab says.
    """
    with gr.Blocks(title=title, fill_height=True, fill_width=True, analytics_enabled=False) as page:
        parts = _make_parts(actions.list_examples(model))
        _connect(page, parts, actions)
    page.max_threads = MAX_THREADS
    page.queue(default_concurrency_limit=None, api_open=False)
    queue = page._queue  # noqa: SLF001 - Gradio has no setting for it
    queue.sleep_when_free = queue.progress_update_sleep_when_free = QUEUE_PAUSE_S
    return cast(gr.Blocks, page)


def _make_parts(examples: list[ExampleMessage]) -> Parts:
    with gr.Row(elem_id="curc-top", equal_height=True):
        header = _make_html("curc-title")
    with gr.Row(elem_id="curc-notice"):
        banner = _make_html("curc-banner-slot")
        keep_going = gr.Button("Keep going", elem_id="curc-keep-going", visible=False, size="sm", scale=0)
    chatbot = _make_chatbot(examples)
    message = gr.Textbox(
        elem_id="curc-message",
        label="Your message",
        show_label=False,
        placeholder="Write a message …",
        lines=1,
        max_lines=12,
        autofocus=True,
        submit_btn=True,
        container=False,
    )
    model, system_prompt, sampling = _make_settings()
    return Parts(
        header, banner, keep_going, chatbot, message, model, system_prompt, sampling, gr.Timer(BUSY_POLL_S)
    )


def _make_html(elem_id: str, html: str = "") -> gr.Markdown:
    # gr.HTML fills its template with eval, which the content policy forbids. This HTML is ours, and escaped.
    return gr.Markdown(html, elem_id=elem_id, sanitize_html=False, latex_delimiters=[], container=False)


def _make_chatbot(examples: list[ExampleMessage]) -> gr.Chatbot:
    return gr.Chatbot(
        elem_id="curc-chat",
        show_label=False,
        label="Conversation",
        height=None,
        scale=1,
        buttons=["copy", "copy_all"],
        latex_delimiters=LATEX_DELIMITERS,
        sanitize_html=True,
        allow_tags=False,
        editable="user",
        placeholder=PLACEHOLDER.format(notice=html.escape(read_data_notice(os.environ))),
        examples=examples,
        layout="bubble",
        feedback_options=None,
        allow_file_downloads=False,
    )


def _make_settings() -> tuple[gr.Dropdown, gr.Textbox, list[Any]]:
    with gr.Sidebar(label="Settings", position="right", open=False, width=320, elem_id="curc-settings"):
        gr.Markdown("### Settings")
        model = gr.Dropdown(
            label="Model", choices=[], visible=False, interactive=True, allow_custom_value=True
        )
        system_prompt = gr.Textbox(
            label="System prompt", lines=3, max_lines=10, placeholder="How the model should behave."
        )
        with gr.Row():
            sampling: list[Any] = [_make_number("Temperature"), _make_number("Top-p")]
        with gr.Row():
            sampling += [_make_number("Max. tokens"), _make_number("Seed")]
        _make_html("curc-help", SETTINGS_HELP)
    return model, system_prompt, sampling


def _make_number(label: str) -> gr.Textbox:
    # gr.Number can't be empty: it sends 0, which is a temperature.
    return gr.Textbox(label=label, placeholder="default", min_width=110, max_lines=1)


SETTINGS_HELP = """<div class="curc-help">
<p><b>Temperature</b>: 0 picks the likeliest word each time, higher is more varied.</p>
<p><b>Top-p</b>: picks among the likeliest words that make up this share.</p>
<p><b>Max. tokens</b>: longest answer; a token is about three quarters of a word.</p>
<p><b>Seed</b>: the same seed mostly gives the same answer again.</p>
<p>Empty: the model's own default.</p>
<p>Enter sends, Shift+Enter starts a new line.
Conversations are not kept: closing the page ends them.</p></div>"""


def _connect(page: gr.Blocks, parts: Parts, actions: PageActions) -> None:
    settings = [parts.model, parts.system_prompt, *parts.sampling]
    outputs = [parts.message, parts.chatbot]
    turn: dict[str, Any] = {"outputs": outputs, "show_progress": "hidden", "concurrency_limit": None, **QUIET}
    parts.message.submit(actions.send, [parts.message, parts.chatbot, *settings], **turn)
    parts.chatbot.example_select(actions.send_example, [parts.chatbot, *settings], **turn)
    parts.chatbot.retry(actions.retry, [parts.chatbot, *settings], **turn)
    parts.chatbot.edit(actions.edit, [parts.chatbot, *settings], **turn)
    parts.chatbot.undo(actions.undo, [parts.chatbot], outputs, queue=False, show_progress="hidden", **QUIET)
    parts.chatbot.clear(actions.drop, None, None, queue=False, show_progress="hidden", **QUIET)
    parts.message.stop(actions.stop, None, [parts.message], queue=False, show_progress="hidden", **QUIET)
    panel = [parts.header, parts.banner, parts.keep_going, parts.model, parts.chatbot, parts.timer]
    look: dict[str, Any] = {"outputs": panel, "queue": False, "show_progress": "hidden", **QUIET}
    page.load(actions.look_first, [parts.model], **look)
    parts.timer.tick(actions.look, [parts.model], **look)
    parts.model.input(actions.look_first, [parts.model], **look)
    parts.keep_going.click(actions.keep_going, [parts.model], **look)


QUIET: dict[str, Any] = {"api_visibility": "private"}
