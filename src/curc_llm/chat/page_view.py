"""What a handler gives back: new values for parts of the page, by the parts' names."""

from __future__ import annotations

from typing import Any

import gradio as gr

from curc_llm.chat.acts import render_acts
from curc_llm.chat.choice import render_settings
from curc_llm.chat.context import measure
from curc_llm.chat.desk import Desk
from curc_llm.chat.messages import make_request_messages
from curc_llm.chat.meter_html import render_meter

# Names are fields of page_parts.Parts.
Update = dict[str, Any]


def show_chat(desk: Desk, *acts: dict[str, Any]) -> Update:
    """The conversation as it stands."""
    path = desk.path
    return {
        "chatbot": desk.make_rows(path, with_options=True),
        "acts": render_acts(desk.describe(path), *acts),
    }


def show_settings(desk: Desk) -> Update:
    """What was set for the chat, in the settings' fields."""
    return dict(render_settings(desk.writer.chat.settings))


def render_desk_meter(desk: Desk) -> str:
    """How much of the context the conversation takes, with what is attached; empty while there is nothing."""
    path = desk.path
    if not path and not desk.attached:
        return ""
    messages = make_request_messages(path, desk.writer.chat.system)
    attached = round(desk.ratio * sum(one.num_tokens for one in desk.attached))
    return render_meter(
        measure(messages, attachment_tokens=attached, counted=desk.counted, max_model_len=desk.max_model_len)
    )


def find_user(request: gr.Request) -> str:
    """In whose name a request comes: the gateway says so in a header, and lets nobody else set it.

    Raises:
        PermissionError: it doesn't say, so it isn't the gateway who asks.
    """
    user = str(request.headers.get("x-curc-llm-user") or "")
    if not user:
        raise PermissionError("A request without a name: the chat answers the gateway alone.")
    return user
