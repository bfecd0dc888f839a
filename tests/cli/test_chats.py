"""`curc-llm chats`: what a person and a script see of it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from curc_llm.chats import ChatStore
from tests.cli.conftest import Run


@pytest.fixture
def store(state_dir: Path) -> ChatStore:
    return ChatStore(state_dir / "chats")


@pytest.fixture
def chat_id(store: ChatStore) -> str:
    writer = store.create()
    writer.append_question("What is an SU?")
    writer.append_answer("A service unit.", model="llama")
    return writer.chat.chat_id


def test_chats_are_listed_for_people_and_for_scripts(run: Run, store: ChatStore, chat_id: str) -> None:
    store.pin(chat_id)
    shown = run("chats", "ls").stdout.splitlines()
    assert shown[0].split() == ["ID", "LAST", "MESSAGES", "MODEL", "TITLE"]
    assert shown[1].startswith(chat_id)
    assert shown[1].endswith("llama  * What is an SU?")
    value = json.loads(run("chats", "ls", "--json").stdout)
    assert (value[0]["chat_id"], value[0]["is_pinned"]) == (chat_id, True)


def test_without_chats_it_says_so(run: Run) -> None:
    result = run("chats", "ls")
    assert result.exit_code == 0
    assert result.stderr == "No chat is saved yet.\n"


def test_words_are_found_with_the_text_around_them(run: Run, chat_id: str) -> None:
    result = run("chats", "search", "SERVICE", "su")
    assert chat_id in result.stdout
    assert "A service unit." in result.stdout
    assert run("chats", "search", "service unit", "--json").exit_code == 0
    assert run("chats", "search", "unit service").exit_code == 1


def test_more_hits_than_shown_are_told(run: Run, store: ChatStore) -> None:
    for _ in range(3):
        store.create().append_question("word")
    assert run("chats", "search", "word", "--limit", "2").stderr == (
        "The latest 2 of 3 chats; --limit shows more.\n"
    )


def test_a_chat_is_shown_by_the_beginning_of_its_id(run: Run, chat_id: str) -> None:
    assert "## llama\n\nA service unit." in run("chats", "show", chat_id[:15]).stdout
    assert json.loads(run("chats", "show", chat_id, "--json").stdout)["title"] == "What is an SU?"
    result = run("chats", "show", "nothing")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (
        1,
        "Error: There is no saved chat 'nothing'.",
    )


def test_steering_characters_of_a_model_do_not_reach_the_terminal(run: Run, store: ChatStore) -> None:
    writer = store.create()
    writer.append_question("\x1b]0;owned\x07 word")
    for verb in (["ls"], ["search", "word"], ["show", writer.chat.chat_id]):
        assert "\x1b" not in run("chats", *verb).stdout


@pytest.mark.parametrize("kind", ["markdown", "json", "notebook"])
def test_an_export_is_private_and_overwrites_nothing(
    run: Run, chat_id: str, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "out"
    assert run("chats", "export", chat_id, "--as", kind, "-o", str(path)).stdout == f"{path}\n"
    assert "A service unit." in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = run("chats", "export", chat_id, "-o", str(path))
    assert (again.exit_code, again.stderr.splitlines()[0]) == (1, f"Error: {path} is there already.")
    assert "A service unit." in run("chats", "export", chat_id, "--as", kind).stdout


def test_an_export_can_be_imported(run: Run, chat_id: str, tmp_path: Path) -> None:
    text = run("chats", "export", chat_id, "--as", "json").stdout
    result = run("chats", "import", "-", typed=text)
    assert result.stderr == "Imported 1 chat with 2 messages.\n"
    assert "A service unit." in run("chats", "show", result.stdout.strip()).stdout
    (tmp_path / "a.md").write_text("# x")
    assert "a.md is Markdown or text" in run("chats", "import", str(tmp_path / "a.md")).stderr
    assert "can't be read: No such file" in run("chats", "import", str(tmp_path / "b.json")).stderr


def test_deleting_says_how_to_undo_it(run: Run, chat_id: str) -> None:
    assert (
        run("chats", "rm", chat_id[:-2]).stderr == f"Deleted 1. To undo: curc-llm chats restore {chat_id}\n"
    )
    assert chat_id not in run("chats", "ls").stdout
    assert chat_id in run("chats", "ls", "--deleted").stdout
    run("chats", "restore", chat_id)
    assert chat_id in run("chats", "ls").stdout


def test_renaming_and_pinning(run: Run, store: ChatStore, chat_id: str) -> None:
    run("chats", "rename", chat_id, "Units")
    run("chats", "pin", chat_id)
    assert (store.list()[0].title, store.list()[0].is_pinned) == ("Units", True)
    run("chats", "pin", chat_id, "--off")
    assert store.list()[0].is_pinned is False


@pytest.fixture
def old(store: ChatStore) -> str:
    writer = store.create()
    writer.add_lines([{"id": "q", "parent": None, "role": "user", "at": 1e9, "content": "Old"}])
    os.utime(writer.main, (1e9, 1e9))
    return writer.chat.chat_id


def test_a_purge_asks_first_and_a_dry_run_removes_nothing(
    run: Run, store: ChatStore, old: str, chat_id: str
) -> None:
    dry = run("chats", "purge", "--keep-days", "30", "--dry-run")
    assert "Chats are kept for 30 days, up to 1 GiB in all" in dry.stderr
    assert old in dry.stderr
    assert "would be removed" in dry.stderr
    run("chats", "purge", "--keep-days", "30", typed="n\n")
    assert len(store.list()) == 2
    done = run("chats", "purge", "--keep-days", "30", "--yes", "--json")
    assert json.loads(done.stdout)["removed"] == [old]
    assert [one.chat_id for one in store.list()] == [chat_id]


def test_limits_come_from_the_settings(run: Run, old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Nothing is to be removed." in run("chats", "purge").stderr
    monkeypatch.setenv("CURC_LLM_CHATS_KEEP_DAYS", "7")
    assert f"{old}" in run("chats", "purge", "--dry-run").stderr
