from __future__ import annotations

import threading
import time

import pytest

from curc_llm.notebook.pace import Pace


@pytest.mark.slow
def test_many_wishes_make_few_calls_and_the_last_one_is_granted() -> None:
    said: list[int] = []
    shown: list[int] = []
    pace = Pace(lambda: shown.append(said[-1]), every_s=0.05)
    began = time.monotonic()
    while time.monotonic() - began < 0.5:
        said.append(len(said))
        pace.ask()
        time.sleep(0.001)
    time.sleep(0.15)
    assert shown[-1] == said[-1]
    assert 5 <= len(shown) <= 12


def test_the_first_wish_is_granted_at_once() -> None:
    shown: list[float] = []
    Pace(lambda: shown.append(1)).ask()
    assert shown == [1]


def test_a_call_never_runs_twice_at_the_same_time() -> None:
    inside, overlaps = [0], [0]

    def call() -> None:
        inside[0] += 1
        overlaps[0] = max(overlaps[0], inside[0])
        time.sleep(0.02)
        inside[0] -= 1

    pace = Pace(call, every_s=0.0)
    threads = [threading.Thread(target=pace.flush) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [1]


def test_nothing_is_called_once_it_is_closed() -> None:
    shown: list[int] = []
    pace = Pace(lambda: shown.append(1), every_s=0.02)
    pace.ask()
    pace.ask()
    pace.close()
    pace.ask()
    pace.flush()
    time.sleep(0.06)
    assert shown == [1]
