from __future__ import annotations

import threading
import time

from curc_llm.chats.flusher import Flusher


class Note:
    def __init__(self) -> None:
        self.times: list[float] = []
        self.is_written = threading.Event()

    def flush(self) -> None:
        self.times.append(time.monotonic())
        self.is_written.set()


def test_many_pieces_are_one_write() -> None:
    flusher, note = Flusher(0.05), Note()
    for _ in range(1000):
        flusher.soon(note)
    assert note.is_written.wait(10)
    assert len(note.times) == 1


def test_what_comes_later_is_written_later() -> None:
    flusher, note = Flusher(0.01), Note()
    for _ in range(2):
        note.is_written.clear()
        flusher.soon(note)
        assert note.is_written.wait(10)
    assert len(note.times) == 2


def test_all_that_waits_is_written_when_the_process_ends() -> None:
    flusher, notes = Flusher(60.0), [Note(), Note()]
    for note in notes:
        flusher.soon(note)
    flusher.flush()
    assert [len(note.times) for note in notes] == [1, 1]
