"""Many write one chat: in one process, in several, on several hosts."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from curc_llm.chats import ChatStore, ChatWriter
from curc_llm.chats.reading import read_chat
from tests.chats.conftest import Start, kill_9

BUSY = """
import sys
from pathlib import Path
from curc_llm.chats import ChatStore
folder, chat_id, name, host, num = sys.argv[1:]
writer = ChatStore(Path(folder), host).write(chat_id)
print("ready", flush=True)
for number in range(int(num)):
    # From short lines to such as span pages: those a kernel might write in two goes.
    question = writer.append_question(f"{name} {number} " + "x" * (number * 997 % 9000))
    with writer.begin_answer(question.message_id) as answer:
        answer.add(f"answer {name} {number}")
        answer.end()
assert writer.trouble is None, writer.trouble
"""


def test_what_was_said_is_read_in_another_process(store: ChatStore, writer: ChatWriter) -> None:
    chat = ChatStore(store.folder).open(writer.chat.chat_id)
    assert [(m.role, m.content) for m in chat.path] == [
        ("user", "What is an SU?"),
        ("assistant", "A service unit."),
    ]
    assert chat.system == "Be brief."
    assert chat.title == "What is an SU?"


def test_the_file_is_private_and_each_line_is_json(store: ChatStore, writer: ChatWriter) -> None:
    path = store.find_file(writer.chat.chat_id)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert next(iter(lines[0])) == "chat"
    assert [line.get("role") for line in lines[1:]] == [None, "user", "assistant"]


def test_a_chat_without_messages_is_not_kept(store: ChatStore) -> None:
    store.create(system="Be brief.", title="Plans").set(pinned=True)
    assert not store.folder.exists()


def test_what_was_set_before_the_first_message_is_kept_with_it(store: ChatStore) -> None:
    writer = store.create(system="Be brief.", title="Plans")
    writer.set(pinned=True)
    writer.append_question("Hi")
    chat = store.open(writer.chat.chat_id)
    assert (chat.title, chat.system, chat.is_pinned) == ("Plans", "Be brief.", True)


def test_lines_are_only_ever_added(store: ChatStore, writer: ChatWriter) -> None:
    path = store.find_file(writer.chat.chat_id)
    before = path.read_bytes()
    writer.append_question("More?")
    writer.set(title="Units")
    writer.mark(writer.chat.path[1].message_id, rating=1)
    writer.show(writer.chat.path[0].message_id)
    assert path.read_bytes().startswith(before)
    chat = store.open(writer.chat.chat_id)
    assert chat.title == "Units"
    assert chat.messages[writer.chat.path[1].message_id].facts["rating"] == 1


def test_an_edit_makes_a_branch_and_keeps_the_other(store: ChatStore, writer: ChatWriter) -> None:
    first = writer.chat.path[0]
    writer.append_question("What's a GPU?", parent=first.parent)
    writer.append_answer("A processor.")
    chat = store.open(writer.chat.chat_id)
    assert [m.content for m in chat.path] == ["What's a GPU?", "A processor."]
    store.write(writer.chat.chat_id).show(first.message_id)
    assert [m.content for m in store.open(writer.chat.chat_id).path] == ["What is an SU?", "A service unit."]


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [("", "", "", ""), ("h1", "h2", "h3", "h4"), ("", "h2", "", "h2")])
def test_processes_that_write_the_same_chat_lose_nothing(
    store: ChatStore, writer: ChatWriter, start: Start, hosts: tuple[str, ...]
) -> None:
    num = 40
    chat_id = writer.chat.chat_id
    running = [start(BUSY, store.folder, chat_id, f"p{i}", host, num) for i, host in enumerate(hosts)]
    assert [process.wait(60) for process in running] == [0] * len(hosts)
    chat = store.open(chat_id)
    assert chat.num_skipped == 0
    said = {m.content.split(" x")[0].strip() for m in chat.messages.values()}
    wanted = {f"{kind}p{i} {n}" for kind in ("", "answer ") for i in range(len(hosts)) for n in range(num)}
    assert wanted <= said
    assert len(chat.messages) == 2 + 2 * num * len(hosts)
    for message in chat.messages.values():
        if message.role == "assistant" and message.content.startswith("answer"):
            assert chat.messages[str(message.parent)].content.startswith(
                message.content.removeprefix("answer ")
            )
    num_hosts = len({host or "own" for host in hosts} - {"own"})
    assert len(list(store.folder.glob(f"{chat_id}*"))) == 1 + num_hosts


@pytest.mark.slow
def test_processes_that_are_killed_leave_whole_lines_to_the_others(
    store: ChatStore, writer: ChatWriter, start: Start
) -> None:
    chat_id = writer.chat.chat_id
    victims = [start(BUSY, store.folder, chat_id, f"v{i}", "", 100_000) for i in range(2)]
    for victim in victims:
        assert victim.stdout is not None
        victim.stdout.readline()
    survivor = start(BUSY, store.folder, chat_id, "s", "", 60)
    assert survivor.wait(60) == 0
    for victim in victims:
        kill_9(victim)
    after = store.write(chat_id)
    after.append_question("After all that")
    chat = store.open(chat_id)
    assert {f"answer s {n}" for n in range(60)} <= {m.content for m in chat.messages.values()}
    assert chat.path[-1].content == "After all that"
    assert chat.num_skipped <= len(victims)


def test_threads_that_share_a_writer_lose_nothing(store: ChatStore, writer: ChatWriter) -> None:
    threads = [
        threading.Thread(target=lambda i=i: [writer.append_question(f"{i}-{n}", None) for n in range(20)])
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.open(writer.chat.chat_id).messages) == 2 + 80


def test_another_host_writes_a_file_of_its_own(store: ChatStore, writer: ChatWriter) -> None:
    chat_id = writer.chat.chat_id
    before = store.find_file(chat_id).read_bytes()
    other = ChatStore(store.folder, "otherhost").write(chat_id)
    other.append_question("From elsewhere")
    assert store.find_file(chat_id).read_bytes() == before
    assert (store.folder / f"{chat_id}~otherhost.jsonl").exists()
    assert [m.content for m in store.open(chat_id).path][-1] == "From elsewhere"
    assert len(store.list()) == 1
    assert store.list()[0].num_messages == 3
    back = store.write(chat_id)
    back.append_answer("Back home")
    assert [m.content for m in store.open(chat_id).path][-2:] == ["From elsewhere", "Back home"]


def test_a_file_that_does_not_say_whose_it_is_is_left_alone(store: ChatStore, writer: ChatWriter) -> None:
    path = store.find_file(writer.chat.chat_id)
    torn = path.read_bytes()[40:]
    path.write_bytes(torn)
    writer = store.write(writer.chat.chat_id)
    writer.append_question("More?")
    assert path.read_bytes() == torn
    chat = store.open(writer.chat.chat_id)
    assert [m.content for m in chat.path][-1] == "More?"
    assert chat.note == "1 line is damaged and left out."


def test_a_full_disk_is_told_and_the_chat_goes_on_in_memory(tmp_path: Path) -> None:
    store = ChatStore(tmp_path / "chats")
    store.folder.mkdir(mode=0o700)
    writer = store.create()
    path = store.find_file(writer.chat.chat_id)
    writer.append_question("One?")
    lines = path.read_bytes()
    path.unlink()
    path.symlink_to("/dev/full")
    answer = writer.begin_answer()
    answer.add("Yes.")
    answer.end()
    writer.append_question("Two?")
    assert writer.trouble is not None
    assert [m.content for m in writer.chat.path] == ["One?", "Yes.", "Two?"]
    path.unlink()
    path.write_bytes(lines)
    path.chmod(0o600)
    writer.append_answer("Room again.")
    assert writer.trouble is None
    assert [m.content for m in read_chat(path).path] == ["One?", "Yes.", "Two?", "Room again."]


def test_a_chat_that_was_purged_elsewhere_is_told(store: ChatStore, writer: ChatWriter) -> None:
    store.find_file(writer.chat.chat_id).unlink()
    writer.append_question("More?")
    assert writer.trouble is not None
    assert "was removed by somebody else" in writer.trouble.message
    assert not store.find_file(writer.chat.chat_id).exists()


def test_lone_surrogates_and_odd_facts_are_no_trouble(store: ChatStore, writer: ChatWriter) -> None:
    writer.append_question("a\ud800b", score=float("nan"), attachments=[{"name": "x\ud800"}])
    assert writer.trouble is None
    assert store.open(writer.chat.chat_id).path[-1].content == "a?b"
