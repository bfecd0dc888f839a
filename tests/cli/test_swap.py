"""`curc-llm swap`, as the owner sees it."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from curc_llm.client.progress import render_swap
from curc_llm.session.record import EnginePhase, EngineRecord, SwapRecord, Trouble
from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession

BEGUN: dict[str, Any] = {
    "status": "swapping",
    "engine": "curc-guide",
    "served_model_name": "other",
    "is_here": True,
    "notes": ["other: the context is lowered."],
}


def begin(fake: FakeSession, phase: str = "downloading") -> None:
    """The session has taken the order."""
    since = time.time()
    fake.scripted["POST /swap"] = (202, {**BEGUN, "since": since})
    swap = SwapRecord(from_model="curc-guide", to_model="other", phase=phase, detail="1.0 of 2.0 GiB")
    fake.change_engine(swap=swap)
    fake.change(heartbeat_at=since + 1)


def later(fake: FakeSession, *steps: Any) -> threading.Thread:
    """Does one thing after the other while the command, which has given its order, looks on."""

    def run() -> None:
        until = time.monotonic() + 30
        while not fake.requests and time.monotonic() < until:
            time.sleep(0.05)
        for step in steps:
            time.sleep(1.0)
            step()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.slow
def test_each_step_is_told_until_the_new_model_is_ready(run: Run, fake: FakeSession) -> None:
    begin(fake)
    swap = SwapRecord(from_model="curc-guide", to_model="other", phase="starting")
    thread = later(
        fake,
        lambda: fake.change_engine(
            served_model_name="other", phase=EnginePhase.LOADING, ready_at=None, swap=swap
        ),
        lambda: fake.change_engine(phase=EnginePhase.READY, ready_at=time.time(), swap=None),
    )
    result = run("swap", "someone/other", "--max-loras", "2")
    thread.join()
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "Note: other: the context is lowered.",
        "other is to take the place of curc-guide …",
        "curc-guide, being exchanged for other: downloading, 1.0 of 2.0 GiB, curc-guide still answers",
        "curc-guide, being exchanged for other: starting, loading",
        "other is ready.",
    ]
    asked = next(one for one in fake.requests if one["path"] == "/swap")
    assert asked["body"] == {"model": "someone/other", "max_loras": "2"}


@pytest.mark.slow
def test_one_that_failed_says_why_and_that_the_old_one_serves_on(run: Run, fake: FakeSession) -> None:
    begin(fake)
    trouble = Trouble(code="swap_failed", message="other could not take the place.", remedy="Look there.")
    thread = later(fake, lambda: fake.change_engine(swap=None, swap_trouble=trouble))
    result = run("swap", "someone/other")
    thread.join()
    assert result.exit_code == 1
    assert "Error: other could not take the place.\n       Look there." in result.stderr


def test_a_refusal_changes_nothing_and_is_told(run: Run, fake: FakeSession) -> None:
    error = {"error": {"message": "It needs 80 GiB.", "code": "does_not_fit"}}
    fake.scripted["POST /swap"] = (400, error)
    result = run("swap", "deepseek-v3")
    assert (result.exit_code, result.stderr) == (1, "Error: It needs 80 GiB.\n")


def test_the_list_shows_what_fits(run: Run, fake: FakeSession) -> None:
    one = {"model": "m", "quantisation": "fp8", "max_model_len": 4096, "weights_gib": 1.5, "is_here": True}
    fake.scripted["GET /swap"] = (200, {"engine": "curc-guide", "models": [{**one, "uses": ["chat"]}]})
    result = run("swap", "--list")
    assert result.stdout.splitlines()[1].split() == ["m", "fp8", "4,096", "1.5", "GiB", "yes", "chat"]
    assert json.loads(run("swap", "--list", "--json").stdout)["models"][0]["model"] == "m"


@pytest.mark.parametrize("arguments", [("m",), ("--list",)])
def test_a_session_that_looks_for_long_is_told_as_such(
    run: Run, fake: FakeSession, arguments: tuple[str, ...]
) -> None:
    fake.scripted["POST /swap"] = fake.scripted["GET /swap"] = (202, {"status": "under_way"})
    result = run("swap", *arguments)
    assert result.exit_code == 1
    assert "is still" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("m", "--list")])
def test_either_a_model_or_the_list_is_asked_for(run: Run, fake: FakeSession, arguments: Any) -> None:
    assert run("swap", *arguments).exit_code == 2
    assert fake.requests == []


def test_nothing_is_no_model(run: Run, fake: FakeSession) -> None:
    result = run("swap", " ")
    assert (result.exit_code, "Name a model" in result.stderr) == (2, True)
    assert fake.requests == []


def test_before_it_begins_the_old_model_is_not_told_as_ready() -> None:
    swap = SwapRecord(from_model="curc-guide", to_model="other", phase="planned")
    engine = EngineRecord(served_model_name="curc-guide", model="/m", phase=EnginePhase.READY, swap=swap)
    assert render_swap(engine) == "curc-guide, being exchanged for other: planned, curc-guide still answers"
