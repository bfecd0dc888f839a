"""What is sent for a question: messages, pictures, tools and parameters in one request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from curc_llm.client.messages import Prompt, make_messages
from curc_llm.client.parameters import CHAT_PARAMETERS, check_parameters

# jupyter-server-proxy holds a stream back unless exactly this is asked for.
STREAM_HEADERS = {"Accept": "text/event-stream"}
# What `Session.chat` itself takes.
OWN_PARAMETERS = ("model", "system", "images", "tools", "retries")


def make_question(
    prompt: Prompt,
    system: str | None = None,
    images: Iterable[Any] = (),
    tools: Iterable[Any] = (),
    params: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The arguments of a chat request, the model left out.

    Args:
        prompt: a question, or messages with `role` and `content`.
        system: instructions that go first.
        images: pictures; see `images.make_data_url`.
        tools: functions or descriptions; see `tools.make_tools`.
        params: what goes along as it is.

    Raises:
        ParameterError: there is no parameter of that name.
        PromptError: the prompt is none.

    Example:
        >>> make_question("Hi", params={"temperature": 0})
        {'temperature': 0, 'messages': [{'role': 'user', 'content': 'Hi'}]}
    """
    check_parameters(params or {}, CHAT_PARAMETERS, others=OWN_PARAMETERS)
    messages = make_messages(prompt, system)
    if images := list(images):
        from curc_llm.client.images import add_images

        messages = add_images(messages, images)
    question = {**(params or {}), "messages": messages}
    if tools := list(tools):
        from curc_llm.client.tools import make_tools

        question["tools"] = [tool.definition for tool in make_tools(tools)]
    return question


def make_streamed(question: Mapping[str, Any]) -> dict[str, Any]:
    """The same question, to be answered piece by piece; its last event tells the token counts."""
    return {
        **question,
        "stream": True,
        "stream_options": {**(question.get("stream_options") or {}), "include_usage": True},
        "extra_headers": {**STREAM_HEADERS, **(question.get("extra_headers") or {})},
    }
