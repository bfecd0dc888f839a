"""Watch: one thread per session, however many look; none when nobody does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curc_llm.client.source import LocalSource
from curc_llm.notebook.watch import Look, Watch, find_watch, stop_watches
from curc_llm.session.paths import SessionPaths
from curc_llm.session.slurm_note import SlurmNote, write_slurm_note
from tests.fakes.fake_session import FakeSession
from tests.fakes.fake_slurm import FakeSlurm


@pytest.fixture(autouse=True)
def _no_watch_is_left() -> Iterator[None]:
    yield
    stop_watches()


def wait_until(is_so: Callable[[], bool], timeout_s: float = 5) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it didn't come about"
        time.sleep(0.01)


def count_threads() -> int:
    return sum(thread.name == "curc-llm-watch" for thread in threading.enumerate())


def test_however_many_listen_one_thread_asks(fake: FakeSession) -> None:
    watch = Watch(LocalSource(fake.paths), poll_s=0.02)
    heard: list[list[Look]] = [[], [], []]
    listeners = [looks.append for looks in heard]
    for listen in listeners:
        watch.listen(listen)
    wait_until(lambda: all(len(looks) > 3 for looks in heard))
    assert count_threads() == 1
    for listen in listeners:
        watch.leave(listen)
    wait_until(lambda: count_threads() == 0)


def test_all_who_ask_for_a_session_get_the_same_watch(fake: FakeSession) -> None:
    assert find_watch(LocalSource(fake.paths)) is find_watch(LocalSource(fake.paths))


def test_a_watch_begins_again_when_somebody_comes_back(fake: FakeSession) -> None:
    watch = Watch(LocalSource(fake.paths), poll_s=0.02)
    looks: list[Look] = []
    watch.listen(looks.append)
    watch.leave(looks.append)
    wait_until(lambda: not watch.is_running)
    looks.clear()
    again = looks.append
    watch.listen(again)
    wait_until(lambda: bool(looks))
    watch.leave(again)


def test_the_end_of_the_session_is_told_and_ends_the_thread(fake: FakeSession) -> None:
    watch = Watch(LocalSource(fake.paths), poll_s=0.02)
    looks: list[Look] = []
    listener = looks.append
    watch.listen(listener)
    wait_until(lambda: bool(looks))
    fake.end("wall_time", "Its time was up.")
    wait_until(lambda: not watch.is_running)
    assert looks[-1].is_over
    assert looks[-1].record is not None
    assert looks[-1].record.reason is not None


def test_a_record_that_is_gone_is_trouble_and_not_the_end_of_the_watch(fake: FakeSession) -> None:
    watch = Watch(LocalSource(fake.paths), poll_s=0.01)
    assert watch.look().record is not None
    fake.paths.record.rename(fake.paths.root / "elsewhere")
    look = watch.look()
    assert look.trouble is not None
    assert "has no record any more" in look.trouble.message
    assert look.record is not None  # the last one stays
    (fake.paths.root / "elsewhere").rename(fake.paths.record)
    assert watch.look().trouble is None


def test_metrics_are_asked_for_only_when_somebody_wants_them(fake: FakeSession) -> None:
    asked: list[int] = []
    watch = Watch(LocalSource(fake.paths), lambda: asked.append(1), poll_s=0.02)
    plain: list[Look] = []
    curious: list[Look] = []
    hear_plain, hear_curious = plain.append, curious.append
    watch.listen(hear_plain)
    wait_until(lambda: len(plain) > 2)
    assert not asked
    watch.listen(hear_curious, wants_metrics=True)
    wait_until(lambda: len(asked) > 1)
    watch.leave(hear_plain)
    watch.leave(hear_curious)


def test_a_listener_that_fails_does_not_blind_the_others(fake: FakeSession) -> None:
    watch = Watch(LocalSource(fake.paths), poll_s=0.02)
    looks: list[Look] = []

    def fail(_: Look) -> None:
        raise RuntimeError("a closed widget")

    hear = looks.append
    watch.listen(fail)
    watch.listen(hear)
    wait_until(lambda: len(looks) > 2)
    watch.leave(fail)
    watch.leave(hear)


def test_a_waiting_job_has_a_reason_and_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slurm = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{slurm.folder}:/usr/bin:/bin")
    paths = SessionPaths(tmp_path / "sessions" / "slurm-abc")
    paths.make()
    write_slurm_note(paths.slurm, SlurmNote(job_id="77", submitted_at=time.time()))
    slurm.queue("77", "PENDING", "Priority")
    look = Watch(LocalSource(paths)).look()
    assert look.job is not None
    assert look.job.why_waiting == "others are before it in the queue"
    assert look.record is not None
    assert look.record.slurm_job_id == "77"
