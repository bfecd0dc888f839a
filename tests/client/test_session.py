from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest

from curc_llm.client import Session, connect
from curc_llm.client.progress import Progress
from curc_llm.errors import (
    ApiError,
    CurcLlmError,
    ModelNotFoundError,
    SessionEndedError,
    SessionNotReadyError,
)
from curc_llm.session.record import EnginePhase, SessionStatus
from tests.fakes.fake_session import FakeSession


def test_a_question_is_answered_with_a_string_that_knows_more(session: Session) -> None:
    answer = session.chat("Hi there [think]", system="Be brief.", temperature=0)
    assert answer == "You said: Hi there [think]"
    assert isinstance(answer, str)
    assert answer.reasoning == "Let me think."
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (3, 8)
    assert (answer.finish_reason, answer.model) == ("stop", "curc-guide")


def test_system_messages_and_parameters_reach_the_session(fake: FakeSession, session: Session) -> None:
    session.chat("Hi", system="Be brief.", temperature=0.2, top_k=5, extra_body={"min_p": 0.1})
    body = fake.requests[-1]["body"]
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]
    assert (body["temperature"], body["top_k"], body["min_p"]) == (0.2, 5, 0.1)


def test_a_conversation_is_sent_as_it_is(fake: FakeSession, session: Session) -> None:
    talk = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert session.chat(talk) == "You said: c"
    assert fake.requests[-1]["body"]["messages"] == talk


def test_a_completion_continues_a_text(fake: FakeSession, session: Session) -> None:
    answer = session.complete("Once upon", max_tokens=5)
    assert answer.text == "You said: Once upon"
    assert fake.requests[-1]["path"] == "/v1/completions"


def test_the_default_model_is_the_first_that_writes_text(fake: FakeSession, session: Session) -> None:
    embedder = fake.record.engines[0].model_copy(
        update={"served_model_name": "embedder", "runner": "pooling"}
    )
    writer = fake.record.engines[0].model_copy(update={"served_model_name": 'a "b"\nc'})
    fake.change(engines=(embedder, writer))
    assert session.chat("Hi").model == 'a "b"\nc'
    fake.change(engines=(embedder,))
    with pytest.raises(ModelNotFoundError, match="serves no model that writes text"):
        session.chat("Hi")


def test_undecodable_bytes_and_huge_prompts_arrive(session: Session) -> None:
    assert session.chat("caf\udce9") == "You said: caf?"
    huge = "x" * 3_000_000
    assert len(session.chat(huge)) == len(huge) + len("You said: ")


def test_an_unknown_model_lists_those_there_are(session: Session) -> None:
    with pytest.raises(ApiError, match="'curc-guide'") as caught:
        session.chat("Hi", model="no'such\nmodel")
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")


def test_a_wrong_key_says_where_the_right_one_is(fake: FakeSession) -> None:
    with connect(fake.url, api_key="curc-wrong") as session, pytest.raises(ApiError) as caught:
        session.chat("Hi", model="curc-guide")
    assert caught.value.status == 401
    assert "curc-llm endpoint" in caught.value.remedy
    assert "curc-wrong" not in str(caught.value)


def test_a_wrong_key_for_the_status_is_told_too(fake: FakeSession) -> None:
    with connect(fake.url, api_key="curc-wrong") as session, pytest.raises(ApiError, match="refuses the key"):
        session.status()


def test_a_loading_model_says_its_phase_and_how_long(fake: FakeSession, session: Session) -> None:
    fake.load()
    with pytest.raises(SessionNotReadyError, match=r"loading 40 %, 12 s of about 45 s.*wait_until_ready"):
        session.chat("Hi")


def test_a_session_without_a_port_is_only_starting(fake: FakeSession, session: Session) -> None:
    fake.change(base_url=None, status=SessionStatus.STARTING, ready_at=None)
    with pytest.raises(SessionNotReadyError, match="no port yet"):
        session.chat("Hi")
    assert session.health().phase == "unreachable"


def test_a_session_that_ended_meanwhile_says_why(fake: FakeSession, session: Session) -> None:
    assert session.chat("Hi")
    fake.end("wall_time", "Its hours are over.")
    with pytest.raises(SessionEndedError, match="Its hours are over"):
        session.chat("Hi")


def test_a_session_that_ends_answers_with_its_reason(fake: FakeSession, session: Session) -> None:
    fake.refusals = [(503, "session_ending", "The session ends in 10 s.")]
    with pytest.raises(SessionEndedError, match="ends in 10 s"):
        session.chat("Hi")


def test_a_session_that_does_not_answer_tells_its_host(fake: FakeSession, session: Session) -> None:
    fake.hang_up()
    with pytest.raises(ApiError, match="can't be reached"):
        session.chat("Hi", model="curc-guide")


@pytest.mark.slow
def test_silence_is_given_up_after_the_time_that_was_asked(fake: FakeSession) -> None:
    with connect(timeout_s=0.2) as session, pytest.raises(ApiError, match="fell silent"):
        session.chat("[silent]")


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (413, "request_too_large", "Send less"),
        (429, "rate_limit_exceeded", "try again"),
        (500, "internal", "curc-llm status"),
        (400, "bad_request", ""),
    ],
)
def test_refusals_carry_message_code_and_remedy(
    fake: FakeSession, session: Session, status: int, code: str, remedy: str
) -> None:
    fake.refusals = [(status, code, "Plain words.")]
    with pytest.raises(ApiError, match="Plain words") as caught:
        session.chat("Hi")
    assert (caught.value.status, caught.value.code) == (status, code)
    assert remedy in caught.value.remedy


@pytest.mark.slow
def test_a_generation_is_sent_once_unless_retries_are_asked_for(fake: FakeSession, session: Session) -> None:
    fake.refusals = [(503, "overloaded", "Busy.")]
    with pytest.raises(ApiError, match="Busy"):
        session.chat("Hi")
    assert [r["path"] for r in fake.requests] == ["/v1/chat/completions"]
    fake.refusals = [(503, "overloaded", "Busy."), (429, "rate_limit_exceeded", "Slow down.")]
    assert session.chat("Hi", retries=2) == "You said: Hi"
    assert len(fake.requests) == 4


def test_the_ready_made_clients_never_repeat_a_request(session: Session) -> None:
    assert session.openai.max_retries == session.async_openai.max_retries == 0


async def test_the_async_client_answers(session: Session) -> None:
    async with session.async_openai as client:
        talk = await client.chat.completions.create(
            model="curc-guide", messages=[{"role": "user", "content": "Hi"}]
        )
    assert talk.choices[0].message.content == "You said: Hi"


def test_models_and_health_survive_a_broken_connection(fake: FakeSession, session: Session) -> None:
    assert session.models() == ["curc-guide"]
    fake.broken_health = 1
    health = session.health()
    assert health
    assert health.phase == "ready"
    fake.load()
    assert not session.health()
    assert session.health().phase == "loading"


@pytest.mark.slow
def test_waiting_ends_with_the_reason_when_the_session_ends(fake: FakeSession, session: Session) -> None:
    fake.load()
    timer = threading.Timer(0.2, fake.end, ("engine_gave_up", "The GPU has too little memory.", "Ask less."))
    timer.start()
    with pytest.raises(SessionEndedError, match="too little memory"):
        session.wait_until_ready(progress=False)
    timer.join()


@pytest.mark.slow
def test_waiting_too_long_tells_the_phase(fake: FakeSession, session: Session) -> None:
    fake.load()
    with pytest.raises(SessionNotReadyError, match="loading 40 %"):
        session.wait_until_ready(0.01, progress=False)


def test_a_model_is_waited_for_alone_and_one_that_failed_for_good_not_at_all(state_dir: Path) -> None:
    with FakeSession(state_dir, models=("loads", "ready")) as fake, connect() as session:
        fake.change_engine(phase=EnginePhase.LOADING, ready_at=None)
        assert session.wait_until_ready(0, model="ready", progress=False)
        assert session.wait_until_ready(0, model="unknown", progress=False)
        for model in (None, "loads"):
            with pytest.raises(SessionNotReadyError, match="loads: loading"):
                session.wait_until_ready(0, model=model, progress=False)
        fake.change_engine(phase=EnginePhase.FAILED)
        assert session.wait_until_ready(0, progress=False)
        assert session.wait_until_ready(0, model="loads", progress=False)


def test_progress_changes_one_line_on_a_terminal(fake: FakeSession) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    progress = Progress(terminal)
    fake.load()
    fake.change_engine(detail="[bold]1.2[/bold] of 3.0 GiB")
    progress.show(fake.record)
    deadline = time.monotonic() + 5
    while "3.0 GiB" not in terminal.getvalue() and time.monotonic() < deadline:
        time.sleep(0.02)
    progress.close()
    assert "[bold]1.2[/bold] of 3.0 GiB" in terminal.getvalue()


def test_something_else_at_the_address_is_recognised(fake: FakeSession, state_dir: object) -> None:
    with connect(fake.url + "/chat", api_key=fake.key) as found, pytest.raises(ApiError) as error:
        found.status()
    assert "not a curc-llm session" in str(error.value)


@pytest.mark.slow
def test_an_address_where_nothing_listens_is_told(state_dir: object) -> None:
    with connect("http://127.0.0.1:9", api_key="curc-x") as found, pytest.raises(ApiError) as error:
        found.status()
    assert str(error.value).startswith("Nothing answers at http://127.0.0.1:9/v1: Connection refused. Is")


def test_a_question_that_is_none_is_one_sentence(fake: FakeSession, session: Session) -> None:
    with pytest.raises(CurcLlmError, match="The prompt is NoneType None, neither a text nor"):
        session.chat(cast(Any, None))
    with pytest.raises(CurcLlmError, match="The prompt is int 5, not a text"):
        session.complete(cast(Any, 5))
    assert fake.requests == []


def test_models_that_the_refusal_names_already_are_not_named_again(
    fake: FakeSession, session: Session
) -> None:
    sentence = "There is no model 'x'. Models of this session: curc-guide."
    fake.refusals = [(404, "model_not_found", sentence)]
    with pytest.raises(ApiError) as told:
        session.chat("Hi", model="x")
    assert str(told.value) == sentence


def test_a_vanished_session_folder_is_told(fake: FakeSession, session: Session) -> None:
    fake.paths.record.unlink()
    with pytest.raises(Exception, match="no record any more"):
        session.status()
