"""Latest: slow work for the last wish alone."""

from __future__ import annotations

import threading
import time

from curc_llm.notebook.latest import Latest


def test_of_many_wishes_the_first_and_the_last_are_done() -> None:
    done: list[int] = []
    began, go_on = threading.Event(), threading.Event()

    def work(wish: int) -> None:
        began.set()
        go_on.wait(5)
        done.append(wish)

    latest = Latest(work)
    latest.ask(1)
    assert began.wait(5)
    for wish in range(2, 50):
        latest.ask(wish)
    go_on.set()
    assert latest.wait(5)
    assert done == [1, 49]


def test_no_thread_is_left_when_there_is_nothing_to_do() -> None:
    latest = Latest(lambda _: None)
    latest.ask(1)
    assert latest.wait(5)
    time.sleep(0.05)
    assert not [t for t in threading.enumerate() if t.name == "curc-llm-latest"]
