"""The page's parts and where they stand. What they do is in page.py."""

from __future__ import annotations

import html
import os
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr
from gradio.components.chatbot import ExampleMessage

from curc_llm.chat.attach_button import make_attach_button, render_attach_menu
from curc_llm.chat.choice import OTHER, SETTINGS
from curc_llm.chat.markup import LATEX_DELIMITERS
from curc_llm.session.notice import read_data_notice

BUSY_POLL_S = 1.0
SETTINGS_HELP = "These hold for this chat and are kept with it. Empty: the model's own default."


@dataclass(frozen=True)
class Parts:
    """The components that handlers read and change."""

    chats: gr.Markdown
    search: gr.Textbox
    take_in: gr.UploadButton
    header: gr.Markdown
    banner: gr.Markdown
    keep_going: gr.Button
    chatbot: gr.Chatbot
    other: gr.Chatbot
    message: gr.Textbox
    model: gr.Dropdown
    swap: gr.Markdown
    system_prompt: gr.Textbox
    temperature: gr.Textbox
    top_p: gr.Textbox
    max_tokens: gr.Textbox
    seed: gr.Textbox
    more: gr.Accordion
    stop: gr.Textbox
    json_schema: gr.Textbox
    reasoning: gr.Dropdown
    when_full: gr.Dropdown
    beside: gr.Accordion
    compare: gr.Checkbox
    other_model: gr.Dropdown
    other_temperature: gr.Textbox
    other_system: gr.Textbox
    prompts: gr.Markdown
    help: gr.Markdown
    session: gr.Markdown
    attach: gr.UploadButton
    attach_menu: gr.Markdown
    chips: gr.Markdown
    meter: gr.Markdown
    command: gr.Textbox
    current: gr.Textbox
    acts: gr.Markdown
    told: gr.Markdown
    mistakes: gr.Markdown
    look_again: gr.Button
    ask_other: gr.Button
    timer: gr.Timer

    @property
    def settings(self) -> list[Any]:
        """What holds for a chat, in the order that handlers take it; and which chat the page shows."""
        return self.list(*SETTINGS, *OTHER, "current")

    def list(self, *names: str) -> list[Any]:
        """Parts by their names; all of them when none is given."""
        return [getattr(self, name) for name in names or [field.name for field in fields(self)]]


def make_parts(examples: list[ExampleMessage]) -> Parts:
    """Makes the parts, inside `gr.Blocks`.

    Args:
        examples: example prompts of an empty conversation.
    """
    return Parts(**_make_shelf(), **_make_talk(examples), **_make_settings(), **_make_hidden())


def _make_shelf() -> dict[str, Any]:
    with gr.Sidebar(label="Chats", position="left", open=True, width=280, elem_id="curc-shelf"):
        _make_html("curc-new-slot", NEW_CHAT)
        search = gr.Textbox(
            elem_id="curc-search",
            label="Search all chats",
            show_label=False,
            placeholder="Search all chats",
            max_lines=1,
            container=False,
        )
        chats = _make_html("curc-chats")
        take_in = gr.UploadButton(
            "Import a chat", elem_id="curc-import", size="sm", file_count="single", type="filepath"
        )
    return {"chats": chats, "search": search, "take_in": take_in}


NEW_CHAT = '<button type="button" class="curc-new" data-curc-do="new">New chat</button>'


def _make_talk(examples: list[ExampleMessage]) -> dict[str, Any]:
    with gr.Row(elem_id="curc-top", equal_height=True):
        header = _make_html("curc-title")
        _make_html("curc-copy-slot", COPY_CHAT)
    with gr.Row(elem_id="curc-notice"):
        banner = _make_html("curc-banner-slot")
        keep_going = gr.Button("Keep going", elem_id="curc-keep-going", visible=False, size="sm", scale=0)
    with gr.Row(elem_id="curc-columns", scale=1):
        chatbot, other = _make_chatbot(examples), _make_other()
    chips = _make_html("curc-chips")
    with gr.Row(elem_id="curc-composer"):
        attach_menu = _make_html("curc-attach-slot", render_attach_menu(has_paths=True))
        attach = make_attach_button()
        message = _make_message_box()
    meter = _make_html("curc-meter")
    return {
        "header": header,
        "banner": banner,
        "keep_going": keep_going,
        "chatbot": chatbot,
        "other": other,
        "chips": chips,
        "attach": attach,
        "attach_menu": attach_menu,
        "message": message,
        "meter": meter,
    }


COPY_CHAT = (
    '<div><button type="button" class="curc-copy-chat" data-curc-act="copy-chat" '
    'aria-label="Copy conversation" title="Copy conversation"><span aria-hidden="true"></span></button></div>'
)


def _make_message_box() -> gr.Textbox:
    return gr.Textbox(
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


def render_placeholder(notice: str) -> str:
    """What an empty conversation says.

    Args:
        notice: what a person must know of their data.
    """
    return f"### What can I help with?\n\n<small>{html.escape(notice)}</small>"


# What a model writes is hostile, in whichever column it stands.
SAFE: dict[str, Any] = {
    "elem_classes": "curc-conversation",
    "show_label": False,
    "height": None,
    "layout": "bubble",
    "latex_delimiters": LATEX_DELIMITERS,
    "sanitize_html": True,
    "allow_tags": False,
    "allow_file_downloads": False,
}


def _make_chatbot(examples: list[ExampleMessage]) -> gr.Chatbot:
    return gr.Chatbot(
        elem_id="curc-chat",
        label="Conversation",
        scale=1,
        buttons=["copy"],
        editable="user",
        placeholder=render_placeholder(read_data_notice(os.environ)),
        examples=examples,
        autoscroll=False,  # follow.js does it
        feedback_options=None,  # rows.js has them, by message
        **SAFE,
    )


def _make_other() -> gr.Chatbot:
    """The second column, when one question goes to two models or settings."""
    return gr.Chatbot(
        elem_id="curc-other",
        label="The other answer",
        visible=False,
        buttons=["copy"],
        feedback_options=None,
        **SAFE,
    )


def render_settings_help(others: str = "") -> str:
    """What holds for all settings, above their fields.

    Args:
        others: a sentence about what the model sets besides.
    """
    return f"<p>{html.escape(f'{SETTINGS_HELP} {others}'.strip())}</p>"


def _make_settings() -> dict[str, Any]:
    with (
        gr.Sidebar(label="Settings", position="right", open=False, width=340, elem_id="curc-settings"),
        gr.Tabs(),
    ):
        with gr.Tab("Settings"):
            help_line = _make_html("curc-help", render_settings_help())
            settings = {**_make_fields(), "help": help_line}
        with gr.Tab("Session"):
            settings["session"] = _make_html("curc-session")
    return settings


def _make_fields() -> dict[str, Any]:
    fields: dict[str, Any] = {
        "model": gr.Dropdown(
            label="Model", choices=[], visible=False, interactive=True, allow_custom_value=True
        ),
        "swap": _make_html("curc-swap-slot"),
        "system_prompt": gr.Textbox(
            elem_id=find_field_id("system_prompt"),
            label="System prompt",
            lines=3,
            max_lines=10,
            placeholder="How the model should behave.",
        ),
    }
    fields["prompts"] = _make_html("curc-prompts")
    with gr.Row():
        fields |= {name: _make_number(name, label, info) for name, label, info in NUMBERS}
    fields["reasoning"] = gr.Dropdown(
        label="Reasoning", choices=[("model's choice", "")], value="", visible=False, allow_custom_value=True
    )
    fields["when_full"] = gr.Dropdown(label="When the context is full", choices=WHEN_FULL, value="refuse")
    with gr.Accordion("Side by side", open=False) as fields["beside"]:
        fields["compare"] = gr.Checkbox(label="Answer twice, side by side", value=False)
        fields["other_model"] = gr.Dropdown(
            label="Other model", choices=[], visible=False, interactive=True, allow_custom_value=True
        )
        fields["other_temperature"] = _make_number("other_temperature", "Other temperature", empty="the same")
        fields["other_system"] = gr.Textbox(
            elem_id=find_field_id("other_system"),
            label="Other system prompt",
            lines=2,
            max_lines=8,
            placeholder="the same",
        )
    with gr.Accordion("More", open=False) as fields["more"]:
        fields["stop"] = gr.Textbox(
            elem_id=find_field_id("stop"),
            label="Stop texts, one per line",
            info="An answer ends before the first of them.",
            lines=2,
            max_lines=6,
            placeholder="END\n###",
        )
        fields["json_schema"] = gr.Textbox(
            elem_id=find_field_id("json_schema"),
            label="JSON schema that answers must fit",
            info="Each answer is then JSON with these fields.",
            lines=3,
            max_lines=12,
            placeholder='{"type": "object",\n "properties": {\n  "year": {"type": "integer"}}}',
        )
    return fields


def find_field_id(name: str) -> str:
    """Under which id the page's script finds a field of the settings."""
    return f"curc-set-{name.replace('_', '-')}"


NUMBERS = (
    ("temperature", "Temperature", "0: the likeliest word; higher: more varied."),
    ("top_p", "Top-p", "Only the likeliest words of this total share."),
    ("max_tokens", "Max. tokens", "Longest answer; a token is about ¾ of a word."),
    ("seed", "Seed", "The same one mostly gives the same answer."),
)
WHEN_FULL = [
    ("Tell me, and send nothing", "refuse"),
    ("Leave out the oldest messages", "trim"),
    ("Summarise the oldest messages", "summarise"),
]


def _make_hidden() -> dict[str, Any]:
    command = gr.Textbox(elem_id="curc-command", label="Command")
    current = gr.Textbox(elem_id="curc-current", label="Chat")
    acts, told = _make_html("curc-acts"), _make_html("curc-told-slot")
    mistakes = _make_html("curc-mistakes-slot")
    look_again = gr.Button("Look again", elem_id="curc-look-again")
    ask_other = gr.Button("Ask the other", elem_id="curc-ask-other")
    hidden = {
        "command": command,
        "current": current,
        "acts": acts,
        "told": told,
        "mistakes": mistakes,
        "look_again": look_again,
        "ask_other": ask_other,
    }
    return {**hidden, "timer": gr.Timer(BUSY_POLL_S)}


def _make_html(elem_id: str, html: str = "") -> gr.Markdown:
    # gr.HTML fills its template with eval, which the content policy forbids. This HTML is ours, and escaped.
    return gr.Markdown(html, elem_id=elem_id, sanitize_html=False, latex_delimiters=[], container=False)


def _make_number(name: str, label: str, info: str | None = None, empty: str = "default") -> gr.Textbox:
    # gr.Number can't be empty: it sends 0, which is a temperature.
    return gr.Textbox(
        elem_id=find_field_id(name), label=label, info=info, placeholder=empty, min_width=110, max_lines=1
    )
