from __future__ import annotations

import html
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curc_llm.chat import guest_room
from curc_llm.chat.commands import Command
from curc_llm.chat.context import Counted
from curc_llm.chat.desk import Desk
from curc_llm.chat.edit_actions import EditActions
from curc_llm.chat.messages import make_request_messages
from curc_llm.chats.store import ChatStore


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(ChatStore(tmp_path / "chats"), "owner", "owner page")


@pytest.fixture
def edits(tmp_path: Path) -> EditActions:
    return EditActions(lambda _: False, tmp_path)


def ask(desk: Desk, text: str, answer: str, **facts: Any) -> str:
    """Returns what the page sends of the answer: the chat, and the answer in it."""
    desk.keep(desk.draft(text), {})
    message = desk.writer.append_answer(answer, **facts)
    return f"{desk.chat_id} {message.message_id}"


def do(edits: EditActions, desk: Desk, name: str, value: str, text: str = "") -> dict[str, Any]:
    return dict(edits.commands[name](desk, Command(name, value, text)))


def read_acts(update: dict[str, Any]) -> list[dict[str, Any]]:
    found = update["acts"].partition('data-curc-acts="')[2].rpartition('"')[0]
    return list(json.loads(html.unescape(found)))


def test_an_answer_is_given_as_it_was_written(edits: EditActions, desk: Desk) -> None:
    value = ask(desk, "Hi", "a <b> and $x$")
    assert read_acts(do(edits, desk, "answer", value))[0]["text"] == "a <b> and $x$"


def test_an_edited_answer_is_a_version_and_the_next_question_goes_on_from_it(
    edits: EditActions, desk: Desk
) -> None:
    value = ask(desk, "Hi", "Wrong.", model="llama", completion_tokens=3, reasoning="Hm")
    update = do(edits, desk, "answer-edit", value, "Right.")
    shown, rows = read_acts(update)[0], json.dumps(update["chatbot"])
    assert shown["rows"][-1]["version"][:2] == [2, 2]
    assert "Right." in rows
    assert "edited" in rows
    assert "3 tokens" not in rows  # they are those of the text before
    desk.keep(desk.draft("And?"), {})
    saved = desk.store.open(desk.chat_id)
    sent = make_request_messages(saved.path)
    assert [one["content"] for one in sent] == ["Hi", "Right.", "And?"]
    assert [one.content for one in saved.messages.values()] == ["Hi", "Wrong.", "Right.", "And?"]
    assert saved.path[1].reasoning == "Hm"


def test_what_the_engine_counted_of_the_models_own_text_isnt_taken_for_the_new_one(
    edits: EditActions, desk: Desk
) -> None:
    value = ask(desk, "Hi", "Wrong.")
    desk.counted = Counted([{"role": "user", "content": "Hi"}], 9, 2000)
    do(edits, desk, "answer-edit", value, "Right.")
    assert desk.counted.answer_tokens is None


def test_the_same_text_is_no_version(edits: EditActions, desk: Desk) -> None:
    value = ask(desk, "Hi", "Fine.")
    update = do(edits, desk, "answer-edit", value, "Fine.")
    assert read_acts(update)[-1] == {"act": "edited"}
    assert len(desk.writer.chat.messages) == 2


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_answer_is_refused_where_it_is_written(edits: EditActions, desk: Desk, text: str) -> None:
    value = ask(desk, "Hi", "Fine.")
    act = read_acts(do(edits, desk, "answer-edit", value, text))[0]
    assert act["refusal"].startswith("The answer is empty.")
    assert len(desk.writer.chat.messages) == 2


def test_nothing_is_changed_below_an_answer_that_is_being_written(desk: Desk, tmp_path: Path) -> None:
    value = ask(desk, "Hi", "Fine.")
    act = read_acts(do(EditActions(lambda _: True, tmp_path), desk, "answer-edit", value, "Better."))[0]
    assert act["refusal"].startswith("An answer is being written.")
    assert len(desk.writer.chat.messages) == 2


def test_a_question_and_another_chats_answer_are_refused(edits: EditActions, desk: Desk) -> None:
    value = ask(desk, "Hi", "Fine.")
    question = f"{desk.chat_id} {desk.path[0].message_id}"
    other = ask(Desk(desk.store, "owner", "owner other"), "Hi", "Fine.")
    for wrong in (question, other, f"{desk.chat_id} gone", ""):
        assert "isn't in the chat" in read_acts(do(edits, desk, "answer-edit", wrong, "x"))[0]["refusal"]
    assert read_acts(do(edits, desk, "answer", value))[0]["text"] == "Fine."


def test_a_guest_whose_room_is_full_keeps_no_version(
    tmp_path: Path, edits: EditActions, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = SimpleNamespace(is_full=True, used_bytes=2**30, max_bytes=2**29)
    monkeypatch.setattr(guest_room, "measure_room", lambda *_: room)
    guest = Desk(ChatStore(tmp_path / "guest"), "lab-mate", "lab-mate page")
    value = ask(guest, "Hi", "Fine.")
    act = read_acts(do(edits, guest, "answer-edit", value, "Better."))[0]
    assert "a guest may have" in act["refusal"]
    assert len(guest.writer.chat.messages) == 2
