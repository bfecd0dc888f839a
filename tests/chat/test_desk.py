from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.attachments import read_attachment
from curc_llm.attachments.tokens import estimate_tokens
from curc_llm.chat.answer import Answer
from curc_llm.chat.context import Counted
from curc_llm.chat.desk import Desk
from curc_llm.chat.messages import make_request_messages
from curc_llm.chat.summary import make_summary
from curc_llm.chats.errors import ChatNotFoundError
from curc_llm.chats.store import ChatStore


@pytest.fixture
def store(tmp_path: Path) -> ChatStore:
    return ChatStore(tmp_path / "chats")


@pytest.fixture
def desk(store: ChatStore) -> Desk:
    return Desk(store, "owner", "owner page")


def ask(desk: Desk, text: str, answer: str = "") -> str:
    """Keeps a question, and an answer if one is given; returns the question's id."""
    question = desk.draft(text)
    desk.keep(question, {})
    if answer:
        desk.writer.append_answer(answer, parent=question.message_id)
    return question.message_id


def test_nothing_is_on_disk_before_the_first_question(desk: Desk, store: ChatStore) -> None:
    desk.draft("Hi")
    assert store.list() == []
    assert desk.describe(desk.path)["id"] == ""
    ask(desk, "Hi")
    assert [one.title for one in store.list()] == ["Hi"]
    assert desk.describe(desk.path)["id"] == desk.chat_id


def test_settings_are_kept_with_the_question_and_only_what_changed(desk: Desk, store: ChatStore) -> None:
    question = desk.draft("Hi")
    desk.keep(question, {"system": "Be brief.", "controls": None})
    desk.keep(desk.draft("And?"), {"system": "Be brief.", "controls": None})
    chat = store.open(desk.chat_id)
    assert chat.system == "Be brief."
    assert desk.writer.main.read_text().count("Be brief.") == 1


def test_an_edited_question_stands_beside_the_old_one_with_its_files(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a\n1\n")
    desk.attached = [read_attachment(tmp_path / "data.csv")]
    first = ask(desk, "Hi", "Hello")
    assert desk.attached == []  # sent once
    anew = desk.draft_anew(first, "Hi again")
    desk.keep(anew, {})
    assert [message.content for message in desk.path] == ["Hi again"]
    assert anew.facts["attachments"] == desk.writer.chat.messages[first].facts["attachments"]
    assert len(desk.writer.chat.list_versions(first)) == 2


def test_a_question_that_is_asked_again_is_shown_without_its_answer(desk: Desk) -> None:
    first = ask(desk, "Hi", "Hello")
    desk.keep(desk.writer.chat.messages[first], {})
    assert [message.content for message in desk.path] == ["Hi"]


def test_the_path_of_a_question_that_isnt_kept_yet_ends_with_it(desk: Desk) -> None:
    ask(desk, "Hi", "Hello")
    assert [message.content for message in desk.find_path(desk.draft("And?"))] == ["Hi", "Hello", "And?"]


def test_a_saved_chat_is_taken_up_and_put_away(desk: Desk, store: ChatStore, tmp_path: Path) -> None:
    ask(desk, "Hi", "Hello")
    other = Desk(store, "owner", "another page")
    (tmp_path / "a.txt").write_text("a")
    other.attached = [read_attachment(tmp_path / "a.txt")]
    other.open(desk.chat_id)
    assert [message.content for message in other.path] == ["Hi", "Hello"]
    assert other.attached == []
    other.begin()
    assert other.path == []
    assert other.chat_id != desk.chat_id
    with pytest.raises(ChatNotFoundError):
        other.open("nosuchchat")


def test_what_the_engine_counted_is_remembered_for_this_chat_alone(desk: Desk) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    desk.learn(messages, Answer(prompt_tokens=12, completion_tokens=3))
    assert desk.counted is not None
    assert (desk.counted.prompt_tokens, desk.counted.answer_tokens) == (12, 3)
    desk.learn(messages, Answer(prompt_tokens=12, completion_tokens=3, reasoning="Hm"))
    assert desk.counted.answer_tokens is None  # reasoning isn't sent again
    desk.begin()
    assert desk.counted is None


def test_the_latest_summary_of_the_branch_is_found(desk: Desk) -> None:
    first = ask(desk, "Hi", "Hello")
    assert desk.summary is None
    desk.keep_summary(first, make_summary([{"role": "user", "content": "Hi"}], 1, "Short."))
    assert desk.summary is not None
    assert desk.summary.text == "Short."


def test_a_text_that_no_file_can_hold_is_mended(desk: Desk, store: ChatStore) -> None:
    ask(desk, "half \ud800 a sign")
    assert store.open(desk.chat_id).path[0].content == "half ? a sign"


def test_a_count_of_the_engine_corrects_what_is_shown_of_files(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("word " * 400)
    desk.attached = [read_attachment(tmp_path / "data.txt")]
    tokens = desk.attached[0].num_tokens
    ask(desk, "Hi")
    assert desk.describe(desk.path)["rows"][0]["attachments"][0][2] == tokens
    desk.learn_count(make_request_messages(desk.path), 2 * tokens)
    assert desk.describe(desk.path)["rows"][0]["attachments"][0][2] > 1.5 * tokens


def test_a_question_that_does_not_fit_gives_its_files_back_and_is_not_sent_along(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "data.csv").write_text("a\n1\n")
    file = read_attachment(tmp_path / "data.csv")
    ask(desk, "Hi", "Hello")
    desk.attached = [file]
    long = desk.draft("Too long")
    desk.keep(long, {})
    desk.take_back(long)
    assert desk.attached == [file]
    desk.keep(desk.draft("Shorter"), {})
    assert [message.content for message in desk.path] == ["Hi", "Hello", "Shorter"]
    assert "Too long" in [message.content for message in desk.writer.chat.messages.values()]


def test_a_question_that_did_not_fit_and_is_asked_again_leaves_nothing_in_the_box(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "data.csv").write_text("a\n1\n")
    desk.attached = [read_attachment(tmp_path / "data.csv")]
    long = desk.draft("Too long")
    desk.keep(long, {})
    desk.take_back(long)
    desk.keep(long, {})  # with another setting
    assert desk.attached == []


def test_attachments_are_measured_by_their_own_estimate(desk: Desk) -> None:
    table = "1234567,7654321\n" * 200
    desk.counted = Counted([{"role": "user", "content": table}], estimate_tokens(table))
    assert desk.ratio == 1.0
    desk.counted = Counted([{"role": "user", "content": table}], 2 * estimate_tokens(table))
    assert desk.ratio == 2.0
    desk.counted = Counted([{"role": "user", "content": "Hi"}], 40)
    assert desk.ratio == 1.0
