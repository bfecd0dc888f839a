"""A conversation in which the model asks for functions until it can answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from curc_llm.client.answer import Answer
from curc_llm.client.messages import Prompt, make_messages
from curc_llm.client.tools import make_tools, run_tool
from curc_llm.errors import ToolError


def hold_tool_rounds(
    chat: Callable[..., Answer],
    prompt: Prompt,
    given: Iterable[Any],
    max_rounds: int,
    params: Mapping[str, Any],
) -> Answer:
    """Asks, calls what the model asks for, tells it the results, and so on; see `Session.run_tools`.

    Args:
        chat: asks the model; `Session.chat`.
        prompt: a question, or a conversation.
        given: functions or descriptions.
        max_rounds: how often the model may ask for functions.
        params: what goes along with each question.
    """
    tools = make_tools(given)
    # Instructions and pictures belong to the first question, which stays in the conversation.
    options = dict(params)
    messages = make_messages(prompt, options.pop("system", None))
    images = list(options.pop("images", ()))
    if images:
        from curc_llm.client.images import add_images

        messages = add_images(messages, images)
    for _ in range(max_rounds + 1):
        answer = chat(messages, tools=tools, **options)
        messages = [*messages, make_turn(answer)]
        if not answer.tool_calls:
            answer.messages = messages
            return answer
        results = ((call, run_tool(tools, call)) for call in answer.tool_calls)
        messages += [{"role": "tool", "tool_call_id": c.call_id, "content": text} for c, text in results]
    raise ToolError(
        f"The model still asks for functions after {max_rounds} rounds.",
        "Raise max_rounds, or ask for less at once.",
    )


def make_turn(answer: Answer) -> dict[str, Any]:
    """The model's answer as a message of the conversation."""
    turn: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.tool_calls:
        turn["tool_calls"] = [call.to_json() for call in answer.tool_calls]
    return turn
