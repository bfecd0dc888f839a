"""connect() in a notebook: whatever there is or isn't, something helpful is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import curc_llm
from curc_llm.client.connection import connect as connect_client
from curc_llm.errors import (
    ApiError,
    CurcLlmError,
    SessionEndedError,
    SessionNotFoundError,
    SessionNotReadyError,
)
from curc_llm.notebook import connect as module
from curc_llm.notebook.connect import connect
from curc_llm.notebook.launch import LaunchWidget
from curc_llm.notebook.picker import PickerWidget
from curc_llm.notebook.session_panel import SessionPanel
from curc_llm.notebook.watch import stop_watches
from tests.fakes.fake_session import FakeSession


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, state_dir: Path) -> Iterator[list[SessionPanel]]:
    """What was displayed."""
    panels: list[SessionPanel] = []
    monkeypatch.setattr("IPython.display.display", panels.append)
    monkeypatch.setattr(module, "_CHOSEN", {})
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CURC_LLM_SESSION", raising=False)
    yield panels
    for panel in panels:
        panel.session.close()
        panel.close()
    stop_watches()


def test_one_session_is_connected_and_its_card_shown(fake: FakeSession, shown: list[SessionPanel]) -> None:
    session = connect()
    assert "Hi" in session.chat("Hi")
    assert [panel.state["card"]["headline"] for panel in shown] == ["Ready"]


def test_a_loading_session_counts(fake: FakeSession, shown: list[SessionPanel]) -> None:
    fake.load()
    connect()
    assert shown[0].state["card"]["headline"] == "Loading the model into memory …"
    assert shown[0].state["card"]["progress"]["expected_s"] == 45


def test_several_sessions_are_shown_to_be_picked_from(
    state_dir: Path, fake: FakeSession, shown: list[SessionPanel]
) -> None:
    with FakeSession(state_dir, "local-second"):
        session = connect()
        assert isinstance(shown[0], PickerWidget)
        with pytest.raises(SessionNotReadyError, match="Pick one in the widget above"):
            session.chat("Hi")


def test_the_session_that_the_environment_names_is_taken_while_it_runs(
    state_dir: Path, fake: FakeSession, shown: list[SessionPanel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURC_LLM_SESSION", "local-second")
    with FakeSession(state_dir, "local-second") as second:
        assert connect().session_id == "local-second"
        assert isinstance(connect(choose=True)._source.chosen, type(None))
        second.end()
        assert connect().session_id == "local-fake01"  # the one that runs now


def test_running_all_cells_again_keeps_to_what_was_picked(
    state_dir: Path, fake: FakeSession, shown: list[SessionPanel]
) -> None:
    with FakeSession(state_dir, "local-second") as second:
        connect()
        shown[0]._picker.pick({"name": "local-second"})
        assert connect().session_id == "local-second"
        assert isinstance(connect(choose=True)._source.chosen, type(None))
        second.end()
        assert connect().session_id == fake.record.session_id


def test_without_any_session_one_can_be_launched(state_dir: Path, shown: list[SessionPanel]) -> None:
    session = connect()
    assert isinstance(shown[0], LaunchWidget)
    with pytest.raises(SessionNotReadyError, match="Launch one in the widget above"):
        session.chat("Hi")


def test_the_form_says_why_the_last_session_ended(fake: FakeSession, shown: list[SessionPanel]) -> None:
    fake.end("idle", "Nobody used it.")
    connect()
    assert shown[0].state["launch"]["notice"].endswith("has ended: Nobody used it.")


def test_a_named_session_that_is_over_shows_its_card(fake: FakeSession, shown: list[SessionPanel]) -> None:
    fake.end("wall_time", "Its time was up.")
    session = connect(fake.record.session_id)
    assert shown[0].state["card"]["detail"] == "Its time was up."
    with pytest.raises(SessionEndedError):
        session.chat("Hi")


@pytest.mark.parametrize("job", [4711, "4711"])
def test_a_slurm_job_that_is_over_may_be_named_by_its_number(
    fake: FakeSession, shown: list[SessionPanel], job: Any
) -> None:
    fake.change(slurm_job_id="4711")
    fake.end("wall_time", "Its time was up.")
    assert connect(job).session_id == fake.record.session_id
    assert shown[0].state["card"]["detail"] == "Its time was up."


def test_what_is_no_name_is_refused_in_a_sentence(fake: FakeSession, shown: list[SessionPanel]) -> None:
    with pytest.raises(SessionNotFoundError, match=r"was given float 4711\.5, and takes a session's id"):
        connect(4711.5)  # type: ignore[arg-type]
    assert not shown


def test_a_name_that_there_is_none_of_is_an_error_with_the_names(
    fake: FakeSession, shown: list[SessionPanel]
) -> None:
    with pytest.raises(SessionNotFoundError, match=fake.record.session_id):
        connect("nobody")
    assert not shown


def test_an_address_and_a_key_file_are_enough(
    fake: FakeSession, shown: list[SessionPanel], tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(fake.key)
    key.chmod(0o600)
    session = connect(base_url=fake.url, api_key_file=key, state_dir=tmp_path / "laptop")
    assert "Hi" in session.chat("Hi")
    assert shown[0].state["card"]["key_file"] == str(key)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "said"), [("http://127.0.0.1:9/v1", "Nothing answers"), ("ftp://x", "not an http")]
)
def test_an_address_where_nothing_is_says_so_at_once(
    fake: FakeSession, shown: list[SessionPanel], url: str, said: str
) -> None:
    with pytest.raises(ApiError, match=said):
        connect(base_url=url, api_key=fake.key)


def test_an_expired_key_says_so_at_once(fake: FakeSession, shown: list[SessionPanel]) -> None:
    with pytest.raises(ApiError, match="refuses the key"):
        connect(base_url=fake.url, api_key="curc-old")


def test_settings_that_are_broken_are_told_in_a_sentence(
    state_dir: Path, shown: list[SessionPanel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURC_LLM_IDLE_STOP_MIN", "soon")
    with pytest.raises(CurcLlmError, match=r"idle_stop_min|IDLE_STOP_MIN"):
        connect()


def test_as_the_last_line_of_its_own_cell_the_session_is_not_shown_twice(
    fake: FakeSession, shown: list[SessionPanel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "cell_number", lambda: 7)
    session = connect()
    monkeypatch.setattr("curc_llm.notebook.session_panel.cell_number", lambda: 7)
    assert shown[0]._repr_mimebundle_() == {"text/plain": repr(session)}
    monkeypatch.setattr("curc_llm.notebook.session_panel.cell_number", lambda: 8)
    assert "application/vnd.jupyter.widget-view+json" in shown[0]._repr_mimebundle_()[0]


def test_outside_a_kernel_connect_is_the_plain_one() -> None:
    assert curc_llm.connect is connect_client


def test_in_a_kernel_connect_is_the_one_with_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shell:
        kernel = object()

    monkeypatch.setattr("IPython.get_ipython", Shell)
    assert curc_llm.connect is connect
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None if name == "anywidget" else Any)
    assert curc_llm.connect is connect_client
    InteractiveShell.clear_instance()
