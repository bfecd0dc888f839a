from __future__ import annotations

import json
from typing import Any

import pytest

from curc_llm.client import Session, connect
from curc_llm.client.versions import OLDEST_OPENAI, find_own_version, parse_version
from curc_llm.errors import ApiError, SessionNotFoundError, VersionError
from curc_llm.session.record import EnginePhase, SessionStatus
from tests.fakes.fake_session import FakeSession


def rewrite(fake: FakeSession, **changes: Any) -> None:
    """Writes the record as another version would."""
    value = json.loads(fake.paths.record.read_text()) | changes
    fake.paths.record.write_text(json.dumps(value))


def test_a_newer_jobs_words_and_fields_do_no_harm(fake: FakeSession, session: Session) -> None:
    engine = fake.record.engines[0].model_dump(mode="json") | {"phase": "defrosting", "colour": "blue"}
    rewrite(fake, engines=[engine], mood={"good": True}, version=2)
    record = session.status()
    assert record.engines[0].phase is EnginePhase.ENVIRONMENT
    assert session.chat("Hi") == "You said: Hi"
    rewrite(fake, status="hibernating")
    assert session.status().status is SessionStatus.UNKNOWN
    assert connect().session_id == "local-fake01"


def test_a_record_that_only_a_newer_version_can_read_says_what_to_upgrade(
    fake: FakeSession, session: Session
) -> None:
    rewrite(fake, engines={"by": "name"}, version=7, versions={"curc-llm": "9.1.0"})
    for look in (session.status, connect, lambda: connect("local-fake")):
        with pytest.raises(VersionError, match=r"curc-llm 9\.1\.0; this is .*pip install --upgrade curc-llm"):
            look()
    with pytest.raises(SessionNotFoundError):
        connect("another")


def test_an_ended_session_of_a_newer_version_is_just_over(
    fake: FakeSession,
) -> None:
    fake.end()
    rewrite(fake, version=7, versions={"curc-llm": "9.1.0"})
    with pytest.raises(SessionNotFoundError, match="No session is running"):
        connect()


def test_a_broken_record_is_no_newer_version(fake: FakeSession, session: Session) -> None:
    for text in ("{", "[]", '{"version": 1}'):
        fake.paths.record.write_text(text)
        with pytest.raises(SessionNotFoundError):
            session.status()


def test_an_older_job_that_lacks_a_route_says_to_start_a_new_one(fake: FakeSession, session: Session) -> None:
    fake.refusals = [(404, "not_found", "There is no /v1/embeddings here.")] * 2
    fake.change(versions={"curc-llm": "0.0.1"})
    with pytest.raises(ApiError, match=r"no /v1/embeddings here.*runs curc-llm 0\.0\.1.*start a new session"):
        session.embed("a", model="curc-guide")
    fake.change(versions={"curc-llm": find_own_version()})
    with pytest.raises(ApiError) as caught:
        session.embed("a", model="curc-guide")
    assert "start a new session" not in caught.value.remedy


def test_both_sides_versions_can_be_told(fake: FakeSession, session: Session) -> None:
    fake.change(versions={"curc-llm": "0.2.0", "vllm": "0.32.0"})
    told = session.versions()
    assert told["curc-llm"] == find_own_version()
    assert (told["session curc-llm"], told["session vllm"]) == ("0.2.0", "0.32.0")
    assert told["openai"][0].isdigit()


def test_versions_are_compared_as_numbers() -> None:
    assert parse_version("0.10.0") > parse_version("0.9.9")
    assert parse_version("1.2rc1") == (1, 2)
    assert parse_version("unknown") == ()


def test_a_version_of_the_openai_library_that_is_too_old_says_so(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openai.__version__", "1.25.2")
    with pytest.raises(VersionError, match=r"openai 1\.25\.2 is installed.*pip install --upgrade openai"):
        session.chat("Hi")
    monkeypatch.setattr("openai.__version__", f"{OLDEST_OPENAI}.0")
    assert session.chat("Hi") == "You said: Hi"
