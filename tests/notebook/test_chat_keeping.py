from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.chats import ChatStore
from curc_llm.notebook.chat_file import ChatFileError
from curc_llm.notebook.chat_keeping import Keeping, find_title, make_lines
from curc_llm.notebook.conversation import Conversation, Question
from curc_llm.notebook.reply import Phase


def test_nothing_is_written_before_somebody_asks_for_it(tmp_path: Path) -> None:
    kept = Keeping()
    kept.add(Question(1, "Hi"))
    assert kept.path is None
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_is_still_coming_is_kept_when_it_is_whole(tmp_path: Path) -> None:
    talk = Conversation()
    talk.ask("Hi")
    reply = talk.answer({})
    kept = Keeping()
    kept.begin(tmp_path / "a.jsonl", make_lines("", "local-1", "", talk.entries))
    reply.add("text", "Hello")
    reply.stop()
    kept.add(reply)
    found, facts = Keeping().go_on(tmp_path / "a.jsonl")
    assert [entry.text for entry in found.entries] == ["Hi", "Hello"]
    assert facts["title"] == "Hi"


def test_it_begins_in_a_new_file_only(tmp_path: Path) -> None:
    Keeping().begin(tmp_path / "a.jsonl", make_lines("", "x", "", []))
    with pytest.raises(ChatFileError, match="there already"):
        Keeping().begin(tmp_path / "a.jsonl", [])


def test_what_cant_be_written_is_noted_and_no_more_is_tried(tmp_path: Path) -> None:
    kept = Keeping()
    kept.begin(tmp_path / "a.jsonl", make_lines("", "x", "", []))
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "a.jsonl").symlink_to("/dev/full")
    kept.add(Question(1, "Hi"))
    assert "can't be kept" in kept.note
    assert kept.path is None


def test_a_title_is_short() -> None:
    assert find_title([Question(1, "word\n" * 100)]).startswith("word word")
    assert len(find_title([Question(1, "word\n" * 100)])) <= 80
    assert find_title([]) == ""


def test_a_kernel_that_dies_leaves_what_had_come(tmp_path: Path) -> None:
    talk = Conversation()
    kept = Keeping()
    kept.begin(tmp_path / "a.jsonl", make_lines("", "local-1", "", talk.entries))
    kept.add(talk.ask("Hi"))
    reply = talk.answer({})
    kept.begin_answer(reply)
    for text in ("Hello", " there"):
        reply.add("text", text)
        kept.grow(reply)
    assert kept._answer is not None
    kept._answer.flush()
    found, _ = Keeping().go_on(tmp_path / "a.jsonl")
    assert [entry.text for entry in found.entries] == ["Hi", "Hello there"]
    assert found.replies[0].phase is Phase.STOPPED
    reply.stop()
    kept.add(reply)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl"]


def test_a_chat_of_the_page_goes_on_in_the_notebook_and_back(tmp_path: Path) -> None:
    store = ChatStore(tmp_path)
    writer = store.create(system="Be brief.")
    first = writer.append_question("One?")
    writer.append_answer("Yes.")
    writer.append_question("Other branch?", parent=None)
    writer.show(first.message_id)
    kept = Keeping()
    talk, facts = kept.go_on(writer.main)
    assert [entry.text for entry in talk.entries] == ["One?", "Yes."]
    assert facts["system"] == "Be brief."
    kept.add(talk.ask("Two?"))
    kept.add_line({"drop_from": talk.take_back()})
    reply = talk.answer({})
    reply.add("text", "Two.")
    reply.stop()
    kept.add(reply)
    assert [m.content for m in store.open(writer.chat.chat_id).path] == ["One?", "Yes.", "Two?", "Two."]
    assert len(store.open(writer.chat.chat_id).messages) == 5
