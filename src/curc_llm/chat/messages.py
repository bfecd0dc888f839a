"""A conversation as Gradio's rows, and as the messages of the OpenAI API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from curc_llm.attachments import list_attachments, make_past_content
from curc_llm.attachments.content import Content
from curc_llm.chat.answer import Answer
from curc_llm.chat.markup import ASIDE, render_json_block, render_markdown, render_own_markdown
from curc_llm.chat.pieces import render_pieces
from curc_llm.chats.message import Message

# A message as Gradio's Chatbot has it. With a title in its metadata it is an aside, no part of the talk.
ChatMessage = dict[str, Any]


def make_request_messages(
    path: Iterable[Message], system_prompt: str = "", takes_images: bool | None = None
) -> list[dict[str, Any]]:
    """Makes the `messages` of a request; neighbours of one role become one message.

    Many chat templates refuse two user messages in a row, which a failed answer would leave behind.

    Args:
        path: the branch of a saved chat that is shown, with what was attached.
        system_prompt: empty for none.
        takes_images: whether the model sees; None when that isn't known.

    Example:
        >>> make_request_messages([Message("1", None, "user", "Hi", 0.0)], "Be brief.")
        [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hi'}]
    """
    messages: list[dict[str, Any]] = []
    if system_prompt.strip():
        messages.append({"role": "system", "content": system_prompt.strip()})
    for message in path:
        content = make_past_content(
            message.content, list_attachments(message.facts.get("attachments")), takes_images
        )
        if not content or (isinstance(content, str) and not content.strip()):
            continue
        if messages and messages[-1]["role"] == message.role:
            messages[-1]["content"] = _join(messages[-1]["content"], content)
        else:
            messages.append({"role": message.role, "content": content})
    return messages


def _join(first: Content, second: Content) -> Content:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_make_parts(first), *_make_parts(second)]


def _make_parts(content: Content) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


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


def make_answer_messages(answer: Answer, *, is_json: bool = False) -> list[ChatMessage]:
    """What an answer looks like while it grows: reasoning, folded once the text comes, then the text.

    Args:
        answer: as far as it came.
        is_json: the text is JSON, by a schema.
    """
    messages = []
    if answer.reasoning:
        messages.append(_make_reasoning(answer))
    if answer.text or not answer.reasoning:
        messages += make_text_messages(answer.text, is_json=is_json)
    return messages


def make_text_messages(text: str, *, is_json: bool = False) -> list[ChatMessage]:
    """What the model wrote; a long text in several rows, which Gradio shows one after the other.

    Args:
        text: as it is kept.
        is_json: it is JSON, by a schema: shown as code.
    """
    if is_json and text.strip():
        return [{"role": "assistant", "content": render_json_block(text)}]
    return [{"role": "assistant", "content": piece} for piece in render_pieces(text)]


def _make_reasoning(answer: Answer) -> ChatMessage:
    thinking = not answer.text
    seconds = answer.reasoning_s
    title = "Reasoning" if thinking or not seconds or seconds < 0.1 else f"Reasoning ({seconds:.1f} s)"
    return make_aside(title, render_markdown(answer.reasoning), "pending" if thinking else "done")


def make_notice(message: str, remedy: str = "") -> ChatMessage:
    """A failure in words, in the conversation; never sent to the model."""
    return make_aside(ALERT + render_markdown(message), render_markdown(remedy or RETRY), status="")


def make_note(sentence: str) -> list[ChatMessage]:
    """What a person must know of the answer that follows, such as what the model didn't see."""
    return [make_aside(f"ⓘ {render_markdown(sentence)}", "")] if sentence else []


ALERT = '<span class="curc-alert">⚠</span> '
RETRY = "Retry with the arrow below, or edit the message."
