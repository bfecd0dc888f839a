from __future__ import annotations

from pathlib import Path

from curc_llm.chats.lines import join
from curc_llm.chats.reading import read_chat

OLD = [
    {"chat": 1, "chat_id": "0123456789abcdef", "title": "Units", "session_id": "local-1", "created_at": 10.0},
    {"system": "Be brief.", "at": 10.0},
    {"id": 1, "role": "user", "content": "What is an SU?", "at": 11.0},
    {"id": 2, "role": "assistant", "content": "No idea.", "reasoning": "Hm.", "status": "done", "at": 12.0},
]


def test_a_chat_of_the_first_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(join(OLD))
    chat = read_chat(tmp_path / "a.jsonl")
    assert [(m.role, m.content, m.reasoning) for m in chat.path] == [
        ("user", "What is an SU?", ""),
        ("assistant", "No idea.", "Hm."),
    ]
    assert (chat.title, chat.system, chat.created_at) == ("Units", "Be brief.", 10.0)
    assert chat.head["session_id"] == "local-1"


def test_an_answer_that_was_asked_again_becomes_a_branch(tmp_path: Path) -> None:
    again = [{"drop_from": 2, "at": 13.0}, {**OLD[3], "id": 3, "content": "A service unit.", "at": 14.0}]
    (tmp_path / "a.jsonl").write_bytes(join([*OLD, *again]))
    chat = read_chat(tmp_path / "a.jsonl")
    assert [m.content for m in chat.path] == ["What is an SU?", "A service unit."]
    assert [m.content for m in chat.list_versions("3")] == ["No idea.", "A service unit."]


def test_an_answer_that_was_dropped_is_not_shown_though_no_other_came(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(join([*OLD, {"drop_from": 2, "at": 13.0}]))
    assert [m.content for m in read_chat(tmp_path / "a.jsonl").path] == ["What is an SU?"]


def test_dropping_the_first_question_leaves_nothing_shown(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(join([*OLD, {"drop_from": 1, "at": 13.0}]))
    chat = read_chat(tmp_path / "a.jsonl")
    assert chat.path == []
    assert len(chat.messages) == 2


def test_dropping_what_is_not_there_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(join([*OLD, {"drop_from": 99, "at": 13.0}]))
    assert len(read_chat(tmp_path / "a.jsonl").path) == 2
