"""Card, picker and launch form as Python sees them, with a small real session."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curc_llm.client.secret import Secret
from curc_llm.client.session import Session
from curc_llm.client.source import LocalSource, RemoteSource
from curc_llm.errors import SessionNotFoundError, SessionNotReadyError
from curc_llm.launch.queued import discover_sessions
from curc_llm.notebook.card import SessionCard, find_panel
from curc_llm.notebook.launch import LaunchWidget
from curc_llm.notebook.pending import PendingSource
from curc_llm.notebook.picker import PickerWidget
from curc_llm.notebook.session_panel import SessionPanel, find_last_spec
from curc_llm.notebook.watch import stop_watches
from curc_llm.sites.placement import load_site_settings
from curc_llm.spec import LaunchSpec, make_launch_spec
from tests.fakes.fake_session import FakeSession
from tests.fakes.fake_slurm import FakeSlurm

QWEN = {"model": "qwen3-8b", "account": "ucb-general"}


@pytest.fixture(autouse=True)
def _no_watch_is_left() -> Iterator[None]:
    yield
    stop_watches()


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    fake = FakeSlurm(tmp_path / "slurm-bin")
    monkeypatch.setenv("PATH", f"{fake.folder}:/usr/bin:/bin")
    return fake


def wait_until(is_so: Callable[[], Any], timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it didn't come about"
        time.sleep(0.02)


def press(panel: SessionPanel, action: str, data: Any = None) -> dict[str, Any]:
    """What the page gets when a button is pressed."""
    answers: list[dict[str, Any]] = []
    panel.send = lambda content, *_: answers.append(content)  # type: ignore[method-assign]
    panel._take_message(panel, {"action": action, "id": "1", "data": data}, [])
    return answers[-1]


def make_card(fake: FakeSession) -> SessionCard:
    return SessionCard(Session(PendingSource(LocalSource(fake.paths))))


def test_a_card_is_full_from_the_first_moment(fake: FakeSession) -> None:
    card = make_card(fake)
    state = card.state["card"]
    assert (state["headline"], state["title"]) == ("Ready", "curc-guide")
    assert state["base_url"] == fake.url
    assert state["key_file"] == str(fake.paths.api_key)
    assert {"curl", "python", "langchain"} <= {snippet["name"] for snippet in state["snippets"]}
    card.close()


def test_no_secret_is_in_any_state_text_or_repr(fake: FakeSession) -> None:
    card = make_card(fake)
    said = (
        json.dumps(card.state) + json.dumps(card.get_state(), default=str) + card.render_text() + repr(card)
    )
    assert fake.key not in said
    assert fake.key not in json.dumps(card._repr_mimebundle_()[0])
    card.close()


def test_the_key_comes_when_it_is_asked_for_and_stays_nowhere(fake: FakeSession) -> None:
    card = make_card(fake)
    assert press(card, "key")["result"] == {"key": fake.key}
    assert fake.key not in json.dumps(card.get_state(), default=str)
    card.close()


def test_a_key_that_is_gone_is_told_with_what_to_do(fake: FakeSession) -> None:
    card = make_card(fake)
    fake.paths.api_key.unlink()
    trouble = press(card, "key")["trouble"]
    assert "api.key" in trouble["message"]
    card.close()


def test_a_session_has_one_panel_however_often_it_is_shown(fake: FakeSession) -> None:
    session = Session(LocalSource(fake.paths))
    first = find_panel(session)
    assert find_panel(session) is first
    assert session.card() is first
    first.close()
    assert find_panel(session) is not first
    find_panel(session).close()


@pytest.mark.slow
def test_the_end_is_shown_with_its_reason(fake: FakeSession) -> None:
    card = make_card(fake)
    fake.end("wall_time", "Its time was up.", "Ask for more hours.")
    wait_until(lambda: card.state["card"].get("is_over"))
    state = card.state["card"]
    assert (state["detail"], state["remedy"]) == ("Its time was up.", "Ask for more hours.")
    assert state["can_launch_again"]
    assert not state["can_stop"]
    assert not state["can_copy_key"]
    assert "Its time was up." in card.render_text()
    card.close()


def test_stop_ends_the_session_and_says_so(fake: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    card = make_card(fake)
    monkeypatch.setattr(Session, "stop", lambda _: fake.end("stopped", "You stopped it."))
    assert press(card, "stop") == {"ack": "1", "result": {}}
    wait_until(lambda: card.state["card"].get("is_over"))
    assert card.state["card"]["detail"] == "You stopped it."
    card.close()


def test_a_session_that_can_not_be_stopped_says_why(
    fake: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Session) -> None:
        raise SessionNotFoundError("It runs elsewhere.", "Stop it there.")

    card = make_card(fake)
    monkeypatch.setattr(Session, "stop", refuse)
    press(card, "stop")
    wait_until(lambda: card.state["card"]["problem"])
    assert card.state["card"]["problem"] == {"message": "It runs elsewhere.", "remedy": "Stop it there."}
    assert not card.state["card"]["is_stopping"]
    card.close()


def test_a_session_at_a_tunnel_s_end_has_a_card_without_stop(fake: FakeSession) -> None:
    card = SessionCard(Session(RemoteSource(fake.url, Secret(fake.key))))
    state = card.state["card"]
    assert (state["headline"], state["name"]) == ("Ready", fake.url)
    assert not state["can_stop"]
    assert state["key_file"] == ""
    card.close()


@pytest.mark.slow
def test_a_key_that_is_refused_is_told_on_the_card(fake: FakeSession) -> None:
    card = SessionCard(Session(RemoteSource(fake.url, Secret("curc-wrong"))))
    assert "refuses the key" in card.state["card"]["headline"]
    card.close()


def test_the_picker_shows_model_gpu_state_and_owner(state_dir: Path, fake: FakeSession) -> None:
    with FakeSession(state_dir, "local-second", models=("other",)) as second:
        second.load()
        picker = PickerWidget(Session(PendingSource()), discover_sessions(state_dir), state_dir)
        rows = {row["models"]: row for row in picker.state["picker"]["sessions"]}
        assert set(rows) == {"curc-guide", "other"}
        assert rows["curc-guide"]["status"] == "Ready"
        assert rows["other"]["status"].startswith("Loading, ready in about")
        assert rows["other"]["owner"] == fake.record.owner
        assert 'curc_llm.connect("local-second")' in picker.render_text()
        picker.close()


def test_picking_turns_the_list_into_a_card_and_connects(state_dir: Path, fake: FakeSession) -> None:
    with FakeSession(state_dir, "local-second", models=("other",)):
        session = Session(PendingSource())
        picker = PickerWidget(session, discover_sessions(state_dir), state_dir)
        with pytest.raises(SessionNotReadyError):
            session.chat("Hi")
        press(picker, "pick", {"name": "local-second"})
        assert picker.state["picker"] is None
        assert picker.state["card"]["title"] == "other"
        assert session.session_id == "local-second"
        assert "Hi" in session.chat("Hi")
        session.close()
        picker.close()


@pytest.mark.parametrize("data", [None, {}, {"name": "nobody"}, {"name": None}, "x"])
def test_a_session_that_is_not_in_the_list_can_not_be_picked(
    state_dir: Path, fake: FakeSession, data: Any
) -> None:
    picker = PickerWidget(Session(PendingSource()), discover_sessions(state_dir), state_dir)
    assert "no session" in press(picker, "pick", data)["trouble"]["message"]
    picker.close()


def test_looking_again_drops_what_has_ended(state_dir: Path, fake: FakeSession) -> None:
    picker = PickerWidget(Session(PendingSource()), discover_sessions(state_dir), state_dir)
    fake.end()
    press(picker, "refresh")
    wait_until(lambda: picker.state["picker"]["sessions"] == [])
    picker.close()


def test_the_launch_form_fills_itself_and_judges(state_dir: Path, slurm: FakeSlurm) -> None:
    widget = LaunchWidget(Session(PendingSource()), state_dir=state_dir)
    wait_until(lambda: (widget.state["launch"] or {}).get("verdict"))
    form = widget.state["launch"]
    assert form["title"] == "CURC Alpine"
    assert form["values"]["model"]
    assert form["values"]["gpus"] in {option["value"] for option in form["gpus"]}
    assert form["verdict"]["kind"] == "fits"
    widget.close()


def test_a_launch_is_submitted_and_becomes_the_card_of_a_waiting_job(
    state_dir: Path, slurm: FakeSlurm
) -> None:
    session = Session(PendingSource())
    widget = LaunchWidget(session, state_dir=state_dir)
    wait_until(lambda: (widget.state["launch"] or {}).get("verdict"))
    slurm.queue("77", "PENDING", "Priority")
    press(
        widget, "submit", {"model": "qwen3-8b", "gpus": "al40:l40:1", "hours": "2", "account": "ucb-general"}
    )
    wait_until(lambda: widget.state["card"])
    assert widget.state["launch"] is None
    state = widget.state["card"]
    assert (state["headline"], state["title"]) == ("Waiting in the queue", "qwen3-8b")
    assert state["detail"].startswith("Others are before it")
    assert (state["cost"]["unit"], state["cost"]["since"]) == ("SU", None)
    call = slurm.called("sbatch")[0]
    for option in ("--partition=al40", "--gres=gpu:l40:1", "--time=0-02:00:00", "--account=ucb-general"):
        assert option in call
    assert session.session_id.startswith("slurm-")
    widget.close()


def test_two_clicks_submit_once(state_dir: Path, slurm: FakeSlurm) -> None:
    widget = LaunchWidget(Session(PendingSource()), state_dir=state_dir)
    wait_until(lambda: (widget.state["launch"] or {}).get("verdict"))
    slurm.queue("77", "PENDING", "Priority")
    for _ in range(3):
        press(widget, "submit", {"model": "demo", "hours": "1"})
    wait_until(lambda: widget.state["card"])
    assert len(slurm.called("sbatch")) == 1
    widget.close()


def test_what_slurm_refuses_is_told_in_the_form(state_dir: Path, slurm: FakeSlurm) -> None:
    widget = LaunchWidget(Session(PendingSource()), state_dir=state_dir)
    wait_until(lambda: (widget.state["launch"] or {}).get("verdict"))
    slurm.refuses("Batch job submission failed: Invalid account or account/partition combination specified")
    press(widget, "submit", {"model": "demo", "hours": "1", "account": "nobody"})
    wait_until(lambda: widget.state["launch"]["problem"])
    assert "account" in widget.state["launch"]["problem"]["message"].lower()
    assert not widget.state["launch"]["is_launching"]
    assert not list((state_dir / "sessions").glob("*"))
    widget.close()


def test_a_home_that_can_not_be_written_is_told_in_the_form(
    state_dir: Path, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = state_dir.parent / "file"
    blocked.write_text("")
    widget = LaunchWidget(Session(PendingSource()), state_dir=blocked / "state")
    wait_until(lambda: (widget.state["launch"] or {}).get("verdict"))
    press(widget, "submit", {"model": "demo", "hours": "1"})
    wait_until(lambda: widget.state["launch"]["problem"])
    assert "can't be written" in widget.state["launch"]["problem"]["message"]
    widget.close()


def test_another_model_gets_other_gpus(state_dir: Path, slurm: FakeSlurm) -> None:
    widget = LaunchWidget(Session(PendingSource()), state_dir=state_dir)
    wait_until(lambda: (widget.state["launch"] or {}).get("verdict"))
    press(widget, "change", {"model": "llama-3.1-405b-instruct", "gpus": "al40:l40:1"})
    wait_until(
        lambda: (
            widget.state["launch"]["verdict"]
            and widget.state["launch"]["values"]["model"].endswith("405b-instruct")
        )
    )
    form = widget.state["launch"]
    assert form["values"]["gpus"] != "al40:l40:1"
    widget.close()


def test_a_model_that_there_is_none_of_is_told(state_dir: Path, slurm: FakeSlurm) -> None:
    widget = LaunchWidget(Session(PendingSource()), state_dir=state_dir)
    wait_until(lambda: (widget.state["launch"] or {}).get("verdict"))
    press(widget, "change", {"model": "own", "own_model": "lama"})
    wait_until(lambda: (widget.state["launch"]["verdict"] or {}).get("kind") == "refused")
    assert "lama" in widget.state["launch"]["verdict"]["text"]
    widget.close()


def test_without_slurm_it_starts_on_this_machine(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    widget = LaunchWidget(Session(PendingSource()), state_dir=state_dir)
    wait_until(lambda: (widget.state["launch"] or {}).get("verdict"))
    form = widget.state["launch"]
    assert form["is_local"]
    assert form["values"]["model"] == "demo"
    assert form["verdict"]["title"] == "Runs on this machine"
    assert "curc-llm tunnel" in form["hint"]
    widget.close()


def test_slurm_without_a_cluster_starts_on_this_machine(state_dir: Path, slurm: FakeSlurm) -> None:
    slurm.says("scontrol", error="scontrol: fatal: Could not establish a configuration source\n", status=1)
    widget = LaunchWidget(Session(PendingSource()), state_dir=state_dir)
    wait_until(lambda: (widget.state["launch"] or {}).get("verdict"))
    assert widget.state["launch"]["is_local"]
    widget.close()


def test_a_cluster_whose_controller_is_silent_is_one(state_dir: Path, slurm: FakeSlurm) -> None:
    slurm.says("scontrol", error="Unable to contact slurm controller\n", status=1)
    like = values_without_end()
    widget = LaunchWidget(Session(PendingSource()), state_dir=state_dir, like=like)
    wait_until(lambda: (widget.state["launch"] or {}).get("verdict"))
    form = widget.state["launch"]
    assert not form["is_local"]
    assert form["values"]["hours"] == "4"  # what the verdict's price is for
    widget.close()


def values_without_end() -> LaunchSpec:
    """What a session on this machine without a wall time was launched with."""
    settings = load_site_settings()
    return make_launch_spec(settings, ("demo",), device="cpu", engine_python=sys.executable)


def test_after_the_end_the_form_is_filled_in_as_before(state_dir: Path, slurm: FakeSlurm) -> None:
    first = LaunchWidget(Session(PendingSource()), state_dir=state_dir)
    wait_until(lambda: (first.state["launch"] or {}).get("verdict"))
    slurm.queue("77", "PENDING", "Priority")
    press(
        first, "submit", {"model": "qwen3-8b", "gpus": "al40:l40:2", "hours": "3", "account": "ucb-general"}
    )
    wait_until(lambda: first.state["card"])
    press(first, "open_launch")
    wait_until(lambda: (first.state["launch"] or {}).get("verdict"))
    values = first.state["launch"]["values"]
    assert (values["model"], values["gpus"], values["hours"]) == ("qwen3-8b", "al40:l40:2", "3")
    assert first.state["card"]  # the card stays above the form
    press(first, "close_launch")
    assert first.state["launch"] is None
    spec, _ = find_last_spec(state_dir)
    assert spec is not None
    assert spec.engines[0].served_model_name == "qwen3-8b"
    first.close()


def test_launching_again_gives_the_same_variable_the_new_session(
    state_dir: Path, fake: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(LocalSource(fake.paths))
    card = find_panel(session)
    assert "Hi" in session.chat("Hi")
    fake.end()
    with FakeSession(state_dir, "local-again") as again:
        card._source.choose(LocalSource(again.paths))
        assert "Hi" in session.chat("Hi")
        assert card.state["card"]["name"] == "local-again"
    session.close()
    card.close()


def test_a_command_that_belongs_to_a_part_that_is_gone_does_nothing(fake: FakeSession) -> None:
    card = make_card(fake)
    for action in ("pick", "refresh", "change", "submit", "close_launch"):
        assert press(card, action, {"name": "x"})["ack"] == "1"
    card.close()


def test_closing_the_widget_ends_the_looking(fake: FakeSession) -> None:
    card = make_card(fake)
    watch = card._card._watch
    assert watch.is_running
    card.close()
    wait_until(lambda: not watch.is_running)
