from __future__ import annotations

import socket
import threading
import time
from types import SimpleNamespace

import pytest

from curc_llm.client import Session
from curc_llm.client.connection import connect
from curc_llm.errors import ApiError
from curc_llm.notebook import asking as asking_module
from curc_llm.notebook import session_end
from curc_llm.notebook.asking import Asking, can_answer
from curc_llm.notebook.reply import Phase, Reply
from curc_llm.session.record import EnginePhase, SessionStatus, Trouble
from tests.fakes.fake_session import FakeSession

STOPPED = Trouble(code="stopped", message="You stopped it.")


@pytest.fixture
def session(fake: FakeSession) -> Session:
    return connect()


def ask(session: Session, text: str, **options: object) -> Asking:
    asking = Asking(session, Reply(1), [{"role": "user", "content": text}], **options)  # type: ignore[arg-type]
    asking.start()
    return asking


def wait_for(condition: object, timeout_s: float = 5) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it didn't come about"
        time.sleep(0.01)


def test_the_answer_comes_in_a_thread_of_its_own(session: Session) -> None:
    changes, ends = [], []
    asking = ask(session, "[think] Hello", on_change=lambda: changes.append(1), on_end=lambda: ends.append(1))
    assert asking.wait(10)
    assert asking.reply.text == "You said: [think] Hello"
    assert asking.reply.thought == "Let me think."
    assert asking.reply.phase is Phase.DONE
    assert len(changes) >= 3
    assert ends == [1]


def test_stop_ends_the_generation_within_a_second(session: Session, fake: FakeSession) -> None:
    asking = ask(session, "[slow]")
    wait_for(lambda: "word3" in asking.reply.text)
    began = time.monotonic()
    asking.stop()
    assert time.monotonic() - began < 0.1
    assert asking.wait(0)
    assert asking.reply.phase is Phase.STOPPED
    assert fake.aborted.wait(1)
    assert "word3" in asking.reply.text


def test_stop_before_the_first_token_is_as_quick(session: Session) -> None:
    asking = ask(session, "[silent] [slow]")
    time.sleep(0.1)
    asking.stop()
    assert asking.wait(0)
    assert asking.reply.phase is Phase.STOPPED


class SilentServer:
    """Sends the head of a stream and then nothing; `left` is set when the caller has hung up."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self.asked, self.left = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with self._socket, self._socket.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n")
            self.asked.set()
            while connection.recv(65536):
                pass
            self.left.set()


def test_stop_hangs_up_on_an_engine_that_is_silent(fake: FakeSession) -> None:
    server = SilentServer()
    session = connect(base_url=server.url, api_key="x")
    stand_in = SimpleNamespace(status=lambda: fake.record, stream=session.stream)
    asking = Asking(stand_in, Reply(1), [{"role": "user", "content": "Hi"}], model="curc-guide")  # type: ignore[arg-type]
    asking.start()
    assert server.asked.wait(5)
    time.sleep(0.1)
    asking.stop()
    assert server.left.wait(1)


@pytest.mark.slow
def test_a_model_that_loads_is_waited_for_and_the_wait_is_told(session: Session, fake: FakeSession) -> None:
    fake.load()
    asking = ask(session, "Hello")
    wait_for(lambda: asking.reply.phase is Phase.LOADING)
    assert "loading 40 %" in asking.reply.doing
    assert fake.requests == []
    fake.get_ready()
    assert asking.wait(10)
    assert asking.reply.text == "You said: Hello"


@pytest.mark.slow
def test_waiting_can_be_stopped(session: Session, fake: FakeSession) -> None:
    fake.load()
    asking = ask(session, "Hello")
    wait_for(lambda: asking.reply.phase is Phase.LOADING)
    asking.stop()
    assert asking.reply.phase is Phase.STOPPED
    fake.get_ready()
    time.sleep(0.7)
    assert fake.requests == []


def test_a_session_that_ended_says_so(session: Session, fake: FakeSession) -> None:
    fake.end()
    asking = ask(session, "Hello")
    assert asking.wait(10)
    assert asking.reply.trouble is not None
    assert "has ended" in asking.reply.trouble.message
    assert asking.reply.trouble.remedy


def test_an_end_in_the_middle_of_an_answer_is_told_though_its_connection_stays_open(
    session: Session, fake: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_module, "END_POLL_S", 0.02)
    asking = ask(session, "[slow]")
    wait_for(lambda: "word3" in asking.reply.text)
    fake.change(status=SessionStatus.ENDED, reason=STOPPED)
    assert asking.wait(5)
    assert "has ended: You stopped it." in str(asking.reply.trouble)
    assert fake.aborted.wait(2)


def test_a_session_that_is_stopped_while_its_engine_is_silent_is_told_soon(
    fake: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_module, "END_POLL_S", 0.02)
    monkeypatch.setattr(session_end, "SILENCE_S", 0.1)
    server = SilentServer()
    session = connect(base_url=server.url, api_key="x")
    stand_in = SimpleNamespace(status=lambda: fake.record, stream=session.stream)
    asking = Asking(stand_in, Reply(1), [{"role": "user", "content": "Hi"}], model="curc-guide")  # type: ignore[arg-type]
    asking.start()
    assert server.asked.wait(5)
    fake.change(status=SessionStatus.DRAINING, reason=STOPPED)
    assert asking.wait(5)
    assert server.left.wait(2)
    assert "has ended: You stopped it." in str(asking.reply.trouble)


@pytest.mark.slow
def test_an_answer_goes_on_while_its_session_gives_it_time(
    session: Session, fake: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_module, "END_POLL_S", 0.02)
    asking = ask(session, "[slow]")
    wait_for(lambda: "word3" in asking.reply.text)
    fake.change(status=SessionStatus.DRAINING, reason=STOPPED)
    wait_for(lambda: "word9" in asking.reply.text)
    assert not asking.reply.is_over
    asking.stop()


@pytest.mark.slow
def test_a_connection_that_breaks_because_the_session_ends_says_that(
    session: Session, fake: FakeSession
) -> None:
    fake.change(status=SessionStatus.DRAINING, reason=STOPPED)
    asking = ask(session, "[cut] Hello")
    assert asking.wait(10)
    assert "has ended: You stopped it." in str(asking.reply.trouble)


@pytest.mark.slow
def test_an_answer_that_breaks_off_keeps_what_came(session: Session) -> None:
    asking = ask(session, "[cut] Hello")
    assert asking.wait(10)
    assert asking.reply.phase is Phase.FAILED
    assert asking.reply.text == "You said: [cut] Hello"
    assert "broke off" in str(asking.reply.trouble)


@pytest.mark.slow
def test_an_engine_that_starts_again_is_waited_for(session: Session, fake: FakeSession) -> None:
    fake.refusals.append((503, "engine_restarting", "The engine is being restarted."))
    asking = ask(session, "Hello")
    assert asking.wait(10)
    assert asking.reply.text == "You said: Hello"


def test_a_wrong_parameter_is_told_in_words(session: Session, fake: FakeSession) -> None:
    fake.refusals.append((400, "bad_request", "temperature must be at least 0."))
    asking = ask(session, "Hello", parameters={"temperature": -1})
    assert asking.wait(10)
    assert "temperature must be at least 0." in str(asking.reply.trouble)


def test_what_nobody_thought_of_is_told_too(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(session, "stream", break_down)
    asking = ask(session, "Hello")
    assert asking.wait(10)
    assert "RuntimeError: no such thing" in str(asking.reply.trouble)


def test_a_model_that_was_given_up_is_not_waited_for(fake: FakeSession) -> None:
    trouble = Trouble(code="oom", message="It ran out of memory.", remedy="Take a smaller one.")
    fake.change_engine(phase=EnginePhase.FAILED, trouble=trouble)
    with pytest.raises(ApiError, match=r"It ran out of memory\. Take a smaller one\."):
        can_answer(fake.record, None)


def test_a_status_that_nobody_knows_is_no_reason_to_wait(fake: FakeSession) -> None:
    fake.change(status=SessionStatus.UNKNOWN)
    assert can_answer(fake.record, None)


def test_no_thread_is_left_behind(session: Session) -> None:
    asking = ask(session, "Hello")
    asking.wait(10)
    asking.stop()
    asking._thread.join(5)
    assert not asking._thread.is_alive()
