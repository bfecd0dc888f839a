from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any, cast

import pytest

from curc_llm.client import connect
from curc_llm.errors import (
    AmbiguousSessionError,
    ApiError,
    KeyFileError,
    SessionEndedError,
    SessionNotFoundError,
)
from tests.fakes.fake_session import FakeSession


def test_the_only_running_session_is_found_without_a_name(fake: FakeSession) -> None:
    with connect() as session:
        assert session.session_id == "local-fake01"
        assert session.base_url == fake.url
        assert session.key_file == fake.paths.api_key


def test_an_id_its_beginning_and_a_slurm_job_id_name_the_session(fake: FakeSession) -> None:
    fake.change(slurm_job_id="4711")
    for name in ("local-fake01", "local-f", "4711"):
        assert connect(name).session_id == "local-fake01"


def test_no_session_says_how_to_start_one(state_dir: Path) -> None:
    with pytest.raises(SessionNotFoundError, match="curc-llm demo"):
        connect()


@pytest.mark.parametrize("name", ["../local-fake01", "x\ny", "'; rm -rf /", "local-fake01/..", ""])
def test_a_hostile_name_is_only_a_name_that_is_not_found(fake: FakeSession, name: str) -> None:
    if name == "":
        assert connect(name).session_id == "local-fake01"
        return
    with pytest.raises(SessionNotFoundError):
        connect(name)


def test_two_sessions_must_be_told_apart(fake: FakeSession, state_dir: Path) -> None:
    with FakeSession(state_dir, "local-fake02"):
        with pytest.raises(AmbiguousSessionError, match="local-fake02"):
            connect()
        assert connect("local-fake02").session_id == "local-fake02"


def test_an_ended_session_says_why_it_ended(fake: FakeSession) -> None:
    fake.end("idle", "Nobody used it for 30 minutes.", "Start another with: curc-llm demo")
    with pytest.raises(SessionEndedError, match="Nobody used it for 30 minutes") as caught:
        connect("local-fake01")
    assert caught.value.remedy == "Start another with: curc-llm demo"


def test_a_session_whose_process_is_gone_is_over(fake: FakeSession) -> None:
    fake.change(pid_started=1)
    with pytest.raises(SessionEndedError, match="without saying why"):
        connect("local-fake01")


def test_an_address_with_a_key_reaches_a_session_elsewhere(fake: FakeSession, tmp_path: Path) -> None:
    for url in (fake.url, fake.url + "/", fake.url.removesuffix("/v1")):
        with connect(base_url=url, api_key=fake.key, state_dir=tmp_path / "none") as session:
            assert session.chat("Hi") == "You said: Hi"
            assert session.status().session_id == "local-fake01"
            assert session.key_file is None


def test_an_address_can_stand_in_for_the_name_and_use_a_key_file(fake: FakeSession) -> None:
    with connect(fake.url, api_key_file=fake.paths.api_key) as session:
        assert session.models() == ["curc-guide"]


def test_the_key_of_an_own_session_is_found_by_its_address(fake: FakeSession) -> None:
    with connect(fake.url) as session:
        assert session.chat("Hi") == "You said: Hi"


def test_an_address_without_a_key_asks_for_a_key_file(state_dir: Path) -> None:
    with pytest.raises(KeyFileError, match="api_key_file"):
        connect("http://127.0.0.1:9/v1")


@pytest.mark.parametrize("url", ["ftp://x/v1", "127.0.0.1:80", "http:///v1", "file:///etc/passwd"])
def test_what_is_no_http_address_is_refused(state_dir: Path, url: str) -> None:
    with pytest.raises(ApiError, match="not an http address"):
        connect(base_url=url, api_key="curc-x")


def test_a_password_inside_an_address_is_refused_without_repeating_it(state_dir: Path) -> None:
    with pytest.raises(ApiError) as caught:
        connect(base_url="http://me:hunter2@h:1/v1", api_key="curc-x")
    assert "hunter2" not in str(caught.value)


def test_a_key_file_that_others_can_read_is_refused(fake: FakeSession, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(fake.key)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        connect(fake.url, api_key_file=path)


def test_a_key_that_no_header_can_carry_is_refused_without_repeating_it(fake: FakeSession) -> None:
    for key in ("curc-a\r\nX: y", "curc-ä", "", "curc a"):
        with pytest.raises(KeyFileError) as caught:
            connect(fake.url, api_key=key)
        assert "curc-a" not in str(caught.value)


@pytest.mark.slow
def test_no_repr_and_no_traceback_shows_the_key(fake: FakeSession) -> None:
    session = connect(fake.url, api_key=fake.key)
    assert fake.key not in repr(session) + repr(vars(session)) + repr(session._source)
    fake.hang_up()
    try:
        session.chat("Hi", model="curc-guide")
    except ApiError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        own = [line for line in shown.format() if "curc_llm/client" in line]
        assert own
        assert fake.key not in "".join(own)


@pytest.mark.slow
def test_waiting_returns_once_the_model_is_ready(
    fake: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    import threading

    fake.load()
    timer = threading.Timer(0.3, fake.get_ready)
    timer.start()
    with connect(wait=True) as session:
        assert session.chat("Hi") == "You said: Hi"
    timer.join()
    shown = capsys.readouterr()
    assert "curc-guide: loading 40 %, 12 s of about 45 s" in shown.err
    assert shown.out == ""


def test_a_slurm_job_s_number_may_be_given_as_a_number(fake: FakeSession) -> None:
    with pytest.raises(SessionNotFoundError, match="5"):
        connect(5)
    with pytest.raises(SessionNotFoundError, match=r"connect\(\) was given list \['a'\]"):
        connect(cast(Any, ["a"]))


def test_proxies_of_the_environment_are_not_asked(fake: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with connect() as session:
        assert session.chat("Hi") == "You said: Hi"
        assert session.health()


def test_a_redirect_is_not_followed_with_the_key(fake: FakeSession, tmp_path: Path) -> None:
    with FakeSession(tmp_path / "other") as stranger, connect(fake.url) as session:
        fake.redirect = stranger.url.removesuffix("/v1") + "/status"
        with pytest.raises(ApiError, match="not a curc-llm session"):
            session.status()
        assert not session.health()
    assert stranger.requests == []


def test_importing_the_package_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = "import sys, curc_llm; print(sorted({'openai', 'pydantic', 'yaml'} & set(sys.modules)))"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_package_offers_its_names_and_version() -> None:
    import curc_llm

    assert curc_llm.connect is connect
    assert set(curc_llm.__all__) == set(dir(curc_llm))
    assert curc_llm.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="no_such_thing"):
        curc_llm.no_such_thing  # noqa: B018
