"""From a question to what is sent for it. Refuses what can't be answered before anything is kept or sent."""

from __future__ import annotations

import functools

from curc_llm.attachments import list_attachments, make_content
from curc_llm.chat.asked import Asked
from curc_llm.chat.choice import Choice
from curc_llm.chat.desk import Desk
from curc_llm.chat.fit import fit
from curc_llm.chat.messages import make_request_messages
from curc_llm.chat.turn_request import TurnRequest
from curc_llm.chats.message import Message
from curc_llm.errors import SettingsError


def prepare(desk: Desk, choice: Choice, question: Message, begins_with: Message | None = None) -> Asked:
    """Makes the request for a question.

    Args:
        desk: of the page.
        choice: model, system prompt and controls.
        question: new or kept.
        begins_with: an answer that was cut off, and is to go on.

    Raises:
        ImagesRefusedError: there is an image, and the model takes none.
        SettingsError: the conversation is surely too long, and nothing may be left out of it.
    """
    sees = choice.facts.takes_images
    make_content(
        question.content, list_attachments(question.facts.get("attachments")), sees, desk.models_with_eyes
    )
    path = desk.find_path(question)
    desk.max_model_len = choice.max_model_len
    request = TurnRequest(
        make_request_messages(path, choice.system, sees),
        choice,
        desk.user,
        begins_with,
        desk.counted,
        desk.summary,
        functools.partial(desk.keep_summary, question.message_id),
        desk.learn_count,
    )
    refuse_overlong(request)
    return Asked(question, path, desk.make_rows(path), request)


def refuse_overlong(request: TurnRequest) -> None:
    """Refuses what is too long by any estimate, while the text still stands in the message box.

    Near the limit the engine counts, when it is asked.

    Raises:
        SettingsError: says how long it is, and what can be done.
    """
    use = request.use
    if use.room_tokens is None or use.used_tokens < SURELY * use.room_tokens:
        return
    fitted = fit(
        request.messages, use.room_tokens, request.choice.controls.when_full, used_tokens=use.used_tokens
    )
    if fitted.is_refused:
        raise SettingsError(fitted.sentence.removeprefix("Not sent: ").capitalize(), fitted.remedy)


# An estimate is off by a third at most for prose and code.
SURELY = 1.5


def find_question(path: list[Message], message_id: str | None) -> Message | None:
    """The question that a message is, or answers; None when the message isn't in the branch."""
    names = [message.message_id for message in path]
    if message_id is None or message_id not in names:
        return None
    until = path[: names.index(message_id) + 1]
    return next((message for message in reversed(until) if message.role == "user"), None)
