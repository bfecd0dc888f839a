from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from curc_llm.client.answer import Answer, Usage
from curc_llm.errors import CurcLlmError
from curc_llm.notebook.chat_file import ChatFile, ChatFileError, make_head, make_line
from curc_llm.notebook.conversation import Conversation
from curc_llm.notebook.reply import Phase


@pytest.fixture
def talk() -> Conversation:
    talk = Conversation()
    talk.ask("Frage? ☂")
    reply = talk.answer({"temperature": 0.5, "stop": ["a"]})
    reply.add("reasoning", "Hm.")
    reply.add("text", "Answer\n\u2028 $x$")
    reply.finish(Answer("x", usage=Usage(5, 9), finish_reason="stop", model="m"))
    reply.sent_at, reply.first_at, reply.last_at, reply.reasoned_until = 1.0, 1.5, 2.5, 2.0
    talk.ask("More?")
    talk.answer({}).fail(CurcLlmError("It broke.", "Ask again."))
    return talk


def keep(talk: Conversation, path: Path) -> ChatFile:
    file = ChatFile(path)
    lines = [make_head("Title", "local-1"), {"system": "Be brief.", "at": 1}]
    file.append([*lines, *map(make_line, talk.entries)])
    return file


def test_a_chat_comes_back_as_it_was(talk: Conversation, tmp_path: Path) -> None:
    found, facts = keep(talk, tmp_path / "chats" / "a.jsonl").read()
    assert found.to_json() == talk.to_json()
    assert facts["title"] == "Title"
    assert facts["system"] == "Be brief."
    assert found.replies[0].usage == Usage(5, 9)
    assert found.replies[0].parameters == {"temperature": 0.5}
    assert found.next_id() == 5


def test_only_its_owner_can_read_it(talk: Conversation, tmp_path: Path) -> None:
    file = keep(talk, tmp_path / "chats" / "a.jsonl")
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_lines_are_only_ever_added(talk: Conversation, tmp_path: Path) -> None:
    file = keep(talk, tmp_path / "a.jsonl")
    before = file.path.read_bytes()
    file.append([{"drop_from": 3, "at": 2}])
    assert file.path.read_bytes().startswith(before)
    found, _ = file.read()
    assert [entry.text for entry in found.entries] == [entry.text for entry in talk.entries[:2]]


def test_each_line_is_json_though_texts_have_line_ends(talk: Conversation, tmp_path: Path) -> None:
    lines = keep(talk, tmp_path / "a.jsonl").path.read_text().split("\n")
    assert [json.loads(line).get("role") for line in lines if line] == [
        None, None, "user", "assistant", "user", "assistant",
    ]  # fmt: skip


def test_a_line_that_was_cut_off_costs_that_line_alone(talk: Conversation, tmp_path: Path) -> None:
    file = keep(talk, tmp_path / "a.jsonl")
    with file.path.open("ab") as stream:
        stream.write(b'{"id": 5, "role": "user", "cont')
    file.append([{"id": 6, "role": "user", "content": "After", "at": 1}])
    found, _ = file.read()
    assert [entry.text for entry in found.entries][-1] == "After"
    assert len(found.entries) == 5


def test_what_a_later_version_adds_is_skipped(tmp_path: Path) -> None:
    file = ChatFile(tmp_path / "a.jsonl")
    file.append([make_head("", ""), {"star": 1}, {"id": 1, "role": "tool", "content": "x"}, {"id": "x"}])
    assert file.read()[0].entries == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(ChatFileError, match=r"can't be kept in .*a\.jsonl"):
        ChatFile(tmp_path / "a.jsonl").append([{}])
    assert (tmp_path / "target").read_text() == "mine"


def test_a_file_that_is_no_chat_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"some": "thing"}\n')
    with pytest.raises(ChatFileError, match="is no chat"):
        ChatFile(tmp_path / "a.jsonl").read()
    with pytest.raises(ChatFileError, match="can't be read"):
        ChatFile(tmp_path / "b.jsonl").read()


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(ChatFileError, match="No space left on device"):
        ChatFile(Path("/dev/full")).append([{"id": 1}])


def test_failures_keep_their_words(talk: Conversation, tmp_path: Path) -> None:
    found, _ = keep(talk, tmp_path / "a.jsonl").read()
    assert found.replies[1].phase is Phase.FAILED
    assert str(found.replies[1].trouble) == "It broke. Ask again."
