"""An answer while it is written: what a reader sees of it, and what a killed process leaves."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

import pytest

from curc_llm.chats import ChatStore, ChatWriter
from curc_llm.chats.answer import AnswerWriter
from curc_llm.chats.flusher import Flusher
from curc_llm.chats.message import Message
from tests.chats.conftest import Start, kill_9, wait_until

KILLED = """
import os, sys, time
from pathlib import Path
from curc_llm.chats import ChatStore
writer = ChatStore(Path(sys.argv[1])).create()
writer.append_question("Count")
print(writer.chat.chat_id, flush=True)
answer = writer.begin_answer(model="m")
for number in range(100_000):
    answer.add(f"{number} {time.time():.6f}\\n")
    os.write(1, b"%.6f\\n" % time.time())
    time.sleep(0.003)
"""


def last_of(store: ChatStore, chat_id: str) -> Message:
    return store.open(chat_id).path[-1]


def list_parts(store: ChatStore) -> list[Path]:
    return sorted(store.folder.glob("*.part"))


def test_the_question_is_on_disk_before_anything_of_the_answer(store: ChatStore) -> None:
    writer = store.create()
    writer.append_question("What is an SU?")
    assert [m.content for m in store.open(writer.chat.chat_id).path] == ["What is an SU?"]


def test_a_reader_sees_the_answer_grow_and_then_whole(store: ChatStore, writer: ChatWriter) -> None:
    answer = writer.begin_answer(model="m")
    answer.add_thought("Hm. ")
    answer.add_thought("Well.")
    answer.add("It ")
    wait_until(lambda: last_of(store, writer.chat.chat_id).content == "It ")
    growing = last_of(store, writer.chat.chat_id)
    assert (growing.status, growing.reasoning, growing.model) == ("unfinished", "Hm. Well.", "m")
    answer.add("is.")
    answer.end(finish_reason="stop")
    whole = last_of(store, writer.chat.chat_id)
    assert (whole.content, whole.status, whole.facts["finish_reason"]) == ("It is.", "done", "stop")
    assert whole.message_id == growing.message_id
    assert list_parts(store) == []


@pytest.mark.slow
def test_kill_9_costs_less_than_the_last_100_ms(store: ChatStore, start: Start) -> None:
    # The median: on a machine under load a thread may wait for its turn.
    assert statistics.median(find_lost_s(store, start) for _ in range(7)) < 0.1


def find_lost_s(store: ChatStore, start: Start) -> float:
    """Seconds between the last piece that came before kill -9 and the last that a reader finds."""
    process = start(KILLED, store.folder)
    assert process.stdout is not None
    chat_id = process.stdout.readline().strip()
    until = time.time() + random.uniform(0.3, 0.6)
    while float(process.stdout.readline()) < until:
        pass
    kill_9(process)
    said = [float(line) for line in process.stdout.read().splitlines()]
    found = last_of(store, chat_id)
    assert found.status == "unfinished"
    rows = [line.split() for line in found.content.splitlines()]
    assert [int(row[0]) for row in rows] == list(range(len(rows)))
    return (said or [until])[-1] - float(rows[-1][1])


def test_a_piece_is_not_left_waiting_when_no_other_comes(store: ChatStore, writer: ChatWriter) -> None:
    answer = writer.begin_answer()
    answer.add("one")
    wait_until(lambda: bool(list_parts(store)))
    time.sleep(0.2)
    answer.add(" two")
    wait_until(lambda: last_of(store, writer.chat.chat_id).content == "one two")


def test_what_was_left_unfinished_stays_beside_what_came_later(store: ChatStore, writer: ChatWriter) -> None:
    broken = writer.begin_answer()
    broken.add("Half")
    broken.flush()
    time.sleep(0.01)
    later = store.write(writer.chat.chat_id)
    assert later.chat.path[-1].content == "Half"
    asked = later.chat.path[-1].parent
    later.append_answer("Whole", parent=asked)
    chat = store.open(writer.chat.chat_id)
    assert chat.path[-1].content == "Whole"
    assert {m.content for m in chat.list_versions(chat.path[-1].message_id)} >= {"Half", "Whole"}


def test_leaving_ends_it(writer: ChatWriter) -> None:
    with writer.begin_answer() as answer:
        answer.add("x")
    assert answer.message.status == "stopped"
    answer = writer.begin_answer()
    answer.add("y")
    answer.__exit__(OSError, OSError(), None)
    assert answer.message.status == "failed"
    assert answer.end("done") is answer.message
    answer.add("too late")
    assert writer.chat.path[-1].content == "y"


def test_a_full_disk_holds_nothing_up_and_all_is_written_when_there_is_room(tmp_path: Path) -> None:
    path, kept = tmp_path / "full.part", []
    path.symlink_to("/dev/full")

    def keep(message: Message) -> bool:
        kept.append(message)
        return not path.is_symlink()

    answer = AnswerWriter(Message("a", None, "assistant", "", 1.0), path, keep, Flusher(60.0))
    answer.add("one ")
    answer.flush()
    assert answer.trouble is not None
    path.unlink()
    answer.add("two")
    answer._not_before = 0.0
    answer.flush()
    assert answer.trouble is None
    assert path.read_text().count("one") == 1
    assert "two" in path.read_text()
    assert answer.end().content == "one two"
    assert not path.exists()


def test_adding_a_piece_costs_microseconds(writer: ChatWriter) -> None:
    answer = writer.begin_answer()
    began = time.thread_time()
    for _ in range(10_000):
        answer.add("token ")
    assert (time.thread_time() - began) / 10_000 < 0.0001
    assert answer.end().content == "token " * 10_000
