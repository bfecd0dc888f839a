from __future__ import annotations

import sys
from pathlib import Path

import pytest

from curc_llm.chats.errors import ChatFileError, ChatNotFoundError
from curc_llm.chats.lines import join
from curc_llm.chats.names import PART
from curc_llm.chats.reading import fold_part, put_together, read_chat
from curc_llm.chats.store import ChatStore


def say(name: str, parent: str | None, at: float, text: str, role: str = "user") -> dict:
    return {"id": name, "parent": parent, "role": role, "at": at, "content": text}


def head(host: str, **more: object) -> dict:
    return {"chat": 2, "chat_id": "c", "host": host, "created_at": 1.0, **more}


def test_files_of_several_hosts_are_put_together_by_time() -> None:
    one = join(
        [
            head("h1", title="T"),
            say("a", None, 1, "A"),
            say("c", "b", 3, "C"),
            {"set": {"title": "X"}, "at": 4},
        ]
    )
    two = join([head("h2"), say("b", "a", 2, "B", "assistant"), {"set": {"title": "Y"}, "at": 3.5}])
    for files in ([("c.jsonl", one), ("c~h2.jsonl", two)], [("c~h2.jsonl", two), ("c.jsonl", one)]):
        chat = put_together(Path("c.jsonl"), files)
        assert [m.content for m in chat.path] == ["A", "B", "C"]
        assert chat.title == "X"


def test_an_answer_dated_before_its_question_by_a_slow_clock_still_follows_it() -> None:
    one = join([head("h1"), say("q", None, 100, "Q")])
    two = join([head("h2"), say("a", "q", 50, "A", "assistant")])
    chat = put_together(Path("c.jsonl"), [("c.jsonl", one), ("c~h2.jsonl", two)])
    assert [m.content for m in chat.path] == ["Q", "A"]


def test_lines_without_times_keep_their_files_order() -> None:
    lines = [say("b", None, 0, "First"), say("a", "b", 0, "Second")]
    chat = put_together(
        Path("c.jsonl"), [("c.jsonl", join([head("h"), *lines])), ("c~x.jsonl", join([head("x")]))]
    )
    assert [m.content for m in chat.path] == ["First", "Second"]


def test_pieces_without_a_head_are_nothing() -> None:
    assert fold_part([{"part": "x"}]) is None


def test_pieces_alone_are_a_chat_when_nothing_else_is_left() -> None:
    data = join([{"id": "a", "parent": "q", "role": "assistant", "at": 1}, {"part": "Left"}])
    assert put_together(Path("c.jsonl"), [("c~a.part", data)]).path[0].content == "Left"


def test_what_is_no_chat_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"some": "thing"}\n')
    with pytest.raises(ChatFileError, match="is no chat that can be read"):
        read_chat(tmp_path / "a.jsonl")
    with pytest.raises(ChatNotFoundError, match="can't be read: there is none"):
        read_chat(tmp_path / "b.jsonl")


def test_an_answer_that_ends_while_its_chat_is_read_is_there(tmp_path: Path) -> None:
    """Its pieces are gone then, and the main file was read before it had the whole answer."""
    writer = ChatStore(tmp_path).create()
    question = writer.append_question("Q")
    answer = writer.begin_answer(question.message_id)
    answer.add("A")
    answer.flush()
    ends = [True]

    def end(event: str, args: tuple[object, ...]) -> None:
        if event == "open" and str(args[0]).endswith(PART) and ends:
            ends.clear()
            answer.end()

    sys.addaudithook(end)  # stays, and does nothing any more
    assert [m.content for m in read_chat(writer.main).path] == ["Q", "A"]
    assert not ends
