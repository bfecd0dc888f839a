from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from curc_llm.client import Session, connect
from curc_llm.client.source import LocalSource
from curc_llm.errors import ModelNotFoundError, SessionEndedError, SessionNotFoundError, SessionNotReadyError
from curc_llm.session.record import SessionRecord, SessionStatus
from tests.fakes.fake_session import FakeSession


class Shown:
    """Notes what it is to show, and then lets something happen."""

    def __init__(self, then: Callable[[], None]) -> None:
        self.phases: list[str] = []
        self.closed = 0
        self._then = then

    def show(self, record: SessionRecord) -> None:
        self.phases.append(str(record.engines[0].phase))
        self._then()

    def close(self) -> None:
        self.closed += 1


def make_patient(fake: FakeSession, shown: Shown) -> Session:
    return Session(LocalSource(fake.paths), wait=shown)


@pytest.mark.slow
def test_a_patient_session_waits_for_the_model_and_shows_how_far_it_is(fake: FakeSession) -> None:
    shown = Shown(fake.get_ready)
    fake.load()
    with make_patient(fake, shown) as session:
        assert session.chat("Hi") == "You said: Hi"
    assert shown.phases == ["loading"]
    assert shown.closed == 1


@pytest.mark.slow
def test_streams_and_embeddings_wait_too(fake: FakeSession) -> None:
    for ask in (lambda s: "".join(s.stream("Hi")), lambda s: s.embed("Hi", model="curc-guide")):
        fake.load()
        with make_patient(fake, Shown(fake.get_ready)) as session:
            assert ask(session)


@pytest.mark.slow
async def test_waiting_does_not_hold_up_the_event_loop(fake: FakeSession) -> None:
    fake.load()
    async with make_patient(fake, Shown(lambda: None)) as session:
        asking = asyncio.create_task(session.achat("Hi"))
        await asyncio.sleep(0.3)
        assert not asking.done()
        fake.get_ready()
        assert await asking == "You said: Hi"


@pytest.mark.slow
def test_a_patient_session_gives_up_when_the_session_ends(fake: FakeSession) -> None:
    fake.load()
    shown = Shown(lambda: fake.end("engine_gave_up", "Too little memory.", "Ask less."))
    with make_patient(fake, shown) as session, pytest.raises(SessionEndedError, match="Too little memory"):
        session.chat("Hi")


def test_a_session_that_only_says_that_it_is_ready_is_not_asked_for_ever(
    fake: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curc_llm.client.link.POLL_S", 0.01)
    fake.refusals = [(503, "engine_restarting", "Back soon.")] * 50
    with make_patient(fake, Shown(lambda: None)) as session, pytest.raises(SessionNotReadyError):
        session.chat("Hi")
    assert len(fake.refusals) > 40


def test_an_impatient_session_says_at_once_that_it_loads(fake: FakeSession, session: Session) -> None:
    fake.load()
    with pytest.raises(SessionNotReadyError, match="loading 40 %"):
        session.chat("Hi")


def test_a_session_without_engines_yet_is_not_ready(fake: FakeSession, session: Session) -> None:
    fake.change(engines=(), status=SessionStatus.STARTING)
    with pytest.raises(SessionNotReadyError, match="models aren't known yet"):
        session.chat("Hi")


def test_a_job_that_slurm_started_again_is_found_at_its_new_address_with_its_new_key(
    fake: FakeSession, state_dir: Path, tmp_path: Path
) -> None:
    session = connect()
    assert session.chat("Hi") == "You said: Hi"
    first = session.openai
    assert session.openai is first
    with FakeSession(tmp_path / "other") as again:
        fake.hang_up()
        fake.paths.api_key.write_text(again.key + "\n")
        fake.change(base_url=again.url)
        assert session.chat("Hi") == "You said: Hi"
        assert again.requests[-1]["path"] == "/v1/chat/completions"
        session.close()


def test_streams_ask_for_events_so_that_no_proxy_holds_them_back(fake: FakeSession, session: Session) -> None:
    list(session.stream("Hi", extra_headers={"X-Mine": "1"}, stream_options={"continuous_usage_stats": True}))
    sent = fake.requests[-1]
    headers = {name.lower(): value for name, value in sent["headers"].items()}
    assert (headers["accept"], headers["x-mine"]) == ("text/event-stream", "1")
    assert sent["body"]["stream_options"] == {"continuous_usage_stats": True, "include_usage": True}


def test_a_closed_session_opens_again_when_it_is_asked(session: Session) -> None:
    session.chat("Hi")
    session.close()
    assert session.chat("Hi") == "You said: Hi"


def test_two_kinds_of_models_have_a_default_each(fake: FakeSession, session: Session) -> None:
    writer = fake.record.engines[0]
    embedder = writer.model_copy(update={"served_model_name": "e", "runner": "pooling"})
    fake.change(engines=(embedder, writer))
    assert (session.default_model, session.default_embedder) == ("curc-guide", "e")
    fake.change(engines=(embedder,))
    with pytest.raises(ModelNotFoundError, match=r"no model that writes text.*there is 'e'"):
        session.chat("Hi")


def test_stopping_ends_the_process_and_a_second_time_does_nothing(state_dir: Path) -> None:
    import subprocess
    import sys

    script = Path(__file__).parents[1] / "fakes" / "fake_session.py"
    process = subprocess.Popen([sys.executable, script, state_dir], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        session = connect()
        threading.Thread(target=process.wait).start()  # its parent collects it, as init would
        session.stop()
        assert session.status().status is SessionStatus.ENDED
        session.stop()
        assert session.status().status is SessionStatus.ENDED
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_stopping_a_session_that_died_removes_its_keys(fake: FakeSession, session: Session) -> None:
    fake.change(pid_started=1)
    session.stop()
    assert not fake.paths.api_key.exists()
    assert not fake.paths.keys.exists()


def test_a_session_known_by_address_alone_cannot_be_stopped_from_here(fake: FakeSession) -> None:
    with (
        connect(fake.url, api_key=fake.key) as session,
        pytest.raises(SessionNotFoundError, match="curc-llm stop local-fake01"),
    ):
        session.stop()
    assert fake.record.status is SessionStatus.READY
