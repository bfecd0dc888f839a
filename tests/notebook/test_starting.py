"""A session on this machine from a notebook: a real job and gateway, a fake engine; used and stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curc_llm.client.session import Session
from curc_llm.errors import LaunchError, ModelNotFoundError
from curc_llm.notebook import starting
from curc_llm.notebook.launch import LaunchWidget
from curc_llm.notebook.launch_local import LocalDesk
from curc_llm.notebook.launch_values import LaunchValues
from curc_llm.notebook.pending import PendingSource
from curc_llm.sites.placement import load_site_settings

ENGINE = Path(__file__).parents[1] / "fakes" / "fake_engine_python.py"


@pytest.fixture(autouse=True)
def _on_this_machine(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURC_LLM_SITE", "local")
    monkeypatch.setenv("CURC_LLM_ENGINE_PYTHON", str(ENGINE))


def wait_until(is_so: Callable[[], Any], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it didn't come about"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_session_is_started_used_and_stopped_by_its_buttons(state_dir: Path) -> None:
    session = Session(PendingSource(), wait=True)
    widget = LaunchWidget(session, state_dir=state_dir)
    wait_until(lambda: (widget.state["launch"] or {}).get("verdict"))
    assert widget._act("submit", {"hours": "1", "idle_min": "0"}) == {"result": {}}
    try:
        wait_until(lambda: (widget.state["card"] or {}).get("headline") == "Ready")
        assert session.chat("Hello")
        assert widget.state["card"]["ends_at"] > time.time() + 3000
    finally:
        widget._act("stop", None)
        wait_until(lambda: (widget.state["card"] or {"is_over": True}).get("is_over"))
    assert widget.state["card"]["headline"] == "The session has ended"
    session.close()
    widget.close()


def test_a_job_that_dies_before_its_first_word_is_told(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curc_llm.launch.launch_local", lambda _: 2**22 + 1)  # no such process
    with pytest.raises(LaunchError, match="before it could say why"):
        starting.start_here("demo", 1, load_site_settings())


def test_a_process_that_can_not_be_started_is_told(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("curc_llm.launch.launch_local", fail)
    with pytest.raises(LaunchError, match="Cannot allocate memory"):
        starting.start_here("demo", 1, load_site_settings())


def test_a_model_that_there_is_none_of_is_refused_before_anything_starts(state_dir: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        starting.start_here("./nowhere", 1, load_site_settings())
    assert not (state_dir / "sessions").exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (LaunchValues(model="own"), "No model is named"),
        (LaunchValues(model="demo", hours="soon"), "Hours can't be"),
        (LaunchValues(model="own", own_model="./nowhere"), "nowhere"),
    ],
)
def test_what_can_not_be_started_here_is_told_in_the_form(values: LaunchValues, said: str) -> None:
    verdict = LocalDesk(load_site_settings()).judge(values)["verdict"]
    assert verdict["kind"] == "refused"
    assert said in verdict["text"]
