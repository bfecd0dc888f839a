"""What a handler gives back: new values for parts of the page, by the parts' names."""

from __future__ import annotations

from typing import Any

import gradio as gr

from curc_llm.chat.acts import render_acts
from curc_llm.chat.choice import BESIDE, render_settings
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
    """What was set for the chat, in the settings' fields; folds that hide some of it are opened."""
    fields = render_settings(desk.writer.chat.settings)
    folds = {"beside": fields["compare"], "more": fields["stop"] or fields["json_schema"]}
    opened = {name: gr.update(open=True) for name, is_used in folds.items() if is_used}
    model = find_model(desk)
    return {**fields, **opened, **({"model": model} if model else {})}


def find_model(desk: Desk) -> str:
    """The model that the chat goes on with: the one that answered last, if it is served; else empty.

    One that answered beside it, in the second column, was asked for comparison.
    """
    beside = desk.writer.chat.settings.get(BESIDE)
    other = beside.get("other_model") if isinstance(beside, dict) else None
    names = [message.model for message in desk.path if message.model and message.model != other]
    return names[-1] if names and names[-1] in desk.models else ""


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
