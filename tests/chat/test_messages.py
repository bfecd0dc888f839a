from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from curc_llm.attachments import read_attachment, to_facts
from curc_llm.chat.answer import Answer
from curc_llm.chat.messages import (
    make_answer_messages,
    make_note,
    make_notice,
    make_request_messages,
    make_user_message,
)
from curc_llm.chats.message import Message


def say(role: str, text: str, **facts: Any) -> Message:
    return Message(text, None, role, text, 0.0, facts=facts)


def test_a_request_holds_the_talk_in_its_order() -> None:
    path = [say("user", "2+2?"), say("assistant", "4"), say("user", "Sure?")]
    assert make_request_messages(path, " Be brief. ") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "Sure?"},
    ]


def test_reasoning_isnt_sent_again() -> None:
    answer = Message("a", None, "assistant", "4", 0.0, reasoning="2+2")
    assert make_request_messages([answer]) == [{"role": "assistant", "content": "4"}]


def test_a_message_without_an_answer_joins_the_next_one() -> None:
    path = [say("user", "a"), say("assistant", " "), say("user", "b")]
    assert make_request_messages(path, "  ") == [{"role": "user", "content": "a\n\nb"}]


def test_text_and_a_picture_of_two_questions_join_in_parts(tmp_path: Path) -> None:
    Image.new("RGB", (4, 3), "red").save(tmp_path / "red.png")
    picture = to_facts(read_attachment(tmp_path / "red.png"))
    messages = make_request_messages([say("user", "a"), say("user", "b", attachments=[picture])], "", True)
    assert len(messages) == 1
    parts = messages[0]["content"]
    assert parts[0] == {"type": "text", "text": "a"}
    assert [part["type"] for part in parts].count("image_url") == 1
    assert "b" in "".join(part.get("text", "") for part in parts[1:])


def test_a_growing_answer_shows_reasoning_open_then_folded() -> None:
    messages = make_answer_messages(Answer(reasoning="Hmm", deltas=1))
    assert [m["metadata"]["status"] for m in messages] == ["pending"]
    messages = make_answer_messages(Answer(reasoning="Hmm", text="Yes", deltas=2))
    assert messages[0]["metadata"]["status"] == "done"
    assert messages[1]["content"] == "Yes"
    assert len(messages) == 2


def test_reasoning_says_how_long_it_took() -> None:
    answer = Answer(reasoning="Hmm", text="Yes", first_at=1.0, reasoned_until=3.5, last_at=4.0, deltas=2)
    assert "Reasoning (2.5 s)" in make_answer_messages(answer)[0]["metadata"]["title"]


def test_a_failure_stands_unfolded_with_what_to_do() -> None:
    notice = make_notice("The engine stopped.", "Use a shorter context.")
    assert "The engine stopped." in notice["metadata"]["title"]
    assert "status" not in notice["metadata"]
    assert "Use a shorter context." in notice["content"]
    assert "Retry" in make_notice("It broke.")["content"]


def test_an_error_message_and_a_note_are_shown_as_text() -> None:
    evil = "Bad <img src=x onerror=alert(1)>"
    assert "<img" not in make_notice(evil)["metadata"]["title"]
    assert "<img" not in make_note(evil)[0]["metadata"]["title"]


def test_no_note_is_no_row() -> None:
    assert make_note("") == []


def test_a_persons_own_markup_is_shown_as_written() -> None:
    assert "<b>" not in make_user_message("a <b>bold</b> claim")["content"]
