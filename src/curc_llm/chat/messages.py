"""Gradio's history ↔ the messages of the OpenAI API."""

from __future__ import annotations

from typing import Any

from curc_llm.chat.answer import Answer, render_details, render_figures
from curc_llm.chat.gateway_client import GatewayError
from curc_llm.chat.markup import ASIDE, parse_markdown, render_markdown, render_own_markdown

# A message as Gradio's Chatbot has it. With a title in its metadata it is an aside, no part of the talk.
ChatMessage = dict[str, Any]


def make_request_messages(history: list[ChatMessage], system_prompt: str = "") -> list[dict[str, str]]:
    """Makes the `messages` of a request: asides are left out, and neighbours of one role become one message.

    Many chat templates refuse two user messages in a row, which a failed answer would leave behind.

    Example:
        >>> make_request_messages([{"role": "user", "content": "Hi"}], "Be brief.")
        [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hi'}]
    """
    messages = [{"role": "system", "content": system_prompt.strip()}] if system_prompt.strip() else []
    for entry in history:
        text = parse_markdown(parse_text(entry))
        if is_aside(entry) or not text.strip():
            continue
        if messages and messages[-1]["role"] == entry["role"]:
            messages[-1]["content"] += "\n\n" + text
        else:
            messages.append({"role": entry["role"], "content": text})
    return messages


def is_aside(entry: ChatMessage) -> bool:
    """True for what is shown in the conversation but isn't part of it: reasoning, figures, notices."""
    return bool((entry.get("metadata") or {}).get("title"))


def parse_text(entry: ChatMessage) -> str:
    """The text of an entry, whose content is a string or a list of parts (attachments are left out)."""
    content = entry.get("content") or ""
    if isinstance(content, str):
        return content
    parts = [content] if isinstance(content, dict) else content
    return "\n".join(part["text"] for part in parts if isinstance(part, dict) and part.get("text"))


def make_user_message(text: str) -> ChatMessage:
    """A person's message."""
    return {"role": "user", "content": render_own_markdown(text)}


def make_aside(title: str, text: str, status: str = "done") -> ChatMessage:
    """Something that folds: `pending` shows a spinner, `done` folds it.

    Args:
        title: one line of Markdown.
        text: Markdown below it.
        status: `pending`, `done`, or empty for unfolded.
    """
    metadata: dict[str, Any] = {"title": ASIDE + title}
    if status:
        metadata["status"] = status
    return {"role": "assistant", "content": text + ASIDE, "metadata": metadata}


def make_answer_messages(answer: Answer, done: bool, max_model_len: int | None = None) -> list[ChatMessage]:
    """What an answer looks like: reasoning folded, then the text, then its figures, then what went wrong."""
    messages = []
    if answer.reasoning:
        messages.append(_make_reasoning(answer, done))
    if answer.text or not answer.reasoning:
        messages.append({"role": "assistant", "content": render_markdown(answer.text)})
    if done and not answer.is_empty:
        messages.append(make_aside(render_figures(answer), render_details(answer, max_model_len)))
    if answer.problem is not None:
        messages.append(make_notice(answer.problem))
    return messages


def _make_reasoning(answer: Answer, done: bool) -> ChatMessage:
    thinking = not done and not answer.text
    seconds = answer.reasoning_s
    title = "Reasoning" if thinking or not seconds or seconds < 0.1 else f"Reasoning ({seconds:.1f} s)"
    return make_aside(title, render_markdown(answer.reasoning), "pending" if thinking else "done")


def make_notice(problem: GatewayError) -> ChatMessage:
    """A failure in words, in the conversation; never sent to the model."""
    return make_aside(
        ALERT + render_markdown(problem.message), render_markdown(problem.remedy or RETRY), status=""
    )


ALERT = '<span class="curc-alert">⚠</span> '
RETRY = "Retry with the arrow below; to leave this message out, edit it or undo it."


def cut_history(history: list[ChatMessage], index: int) -> tuple[list[ChatMessage], str]:
    """Splits a history before a user's message.

    Args:
        history: the whole conversation.
        index: where that message stands.

    Returns:
        What comes before it, and its text.
    """
    return history[:index], parse_markdown(parse_text(history[index]))
