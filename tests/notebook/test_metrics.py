"""Live figures: what is shown of them, and how often they are asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from curc_llm.client.metrics import Latency, Metrics
from curc_llm.client.session import Session
from curc_llm.client.source import LocalSource
from curc_llm.errors import ApiError
from curc_llm.notebook.metrics import MetricsWidget, find_metrics_widget
from curc_llm.notebook.metrics_state import KEPT, History, make_figures, make_metrics_state, render_metrics
from curc_llm.notebook.pending import PendingSource
from curc_llm.notebook.watch import Look, stop_watches
from curc_llm.session.record import SessionStatus
from tests.fakes.fake_session import FakeSession
from tests.notebook.test_card_state import make_record


@pytest.fixture(autouse=True)
def _no_watch_is_left() -> Iterator[None]:
    yield
    stop_watches()


def wait_until(is_so: Callable[[], object], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it didn't come about"
        time.sleep(0.02)


BUSY = Metrics(
    taken_at=1.0,
    running=3,
    waiting=2,
    tokens_per_s=123.456,
    requests=10,
    first_token=Latency(0.05, 0.2, 1.5, 10),
    request=Latency(1.0, 20.0, None, 10),
    kv_cache_usage=0.25,
    gpu_memory_used_bytes=30 * 2**30,
    gpu_memory_total_bytes=40 * 2**30,
)


def test_figures_have_units_that_people_read() -> None:
    figures = make_figures(BUSY)
    assert figures["first_token"] == {"p50": "50 ms", "p95": "200 ms", "p99": "1.5 s", "count": 10}
    assert figures["request"] == {"p50": "1.0 s", "p95": "20 s", "p99": "-", "count": 10}
    assert (figures["tokens_per_s"], figures["kv_cache"]) == (123.5, 25.0)
    assert (figures["gpu_used_gib"], figures["gpu_total_gib"]) == (30.0, 40.0)


def test_what_a_session_does_not_tell_is_left_out() -> None:
    figures = make_figures(Metrics(taken_at=1.0))
    assert (figures["kv_cache"], figures["gpu_used_gib"], figures["waiting"]) == (None, None, None)


def test_the_history_is_two_minutes_long() -> None:
    history = History()
    for second in range(500):
        history.add(Metrics(taken_at=float(second), tokens_per_s=second))
    curve = history.make_state()["tokens_per_s"]
    assert (len(curve), curve[-1]) == (KEPT, 499)


def test_the_same_snapshot_is_kept_once() -> None:
    history = History()
    history.add(BUSY)
    history.add(BUSY)
    assert history.make_state()["running"] == [3]


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (Look(), "There are figures once the session has started."),
        (Look(make_record()), "The session gives no figures just now; asking again …"),
        (Look(make_record(status=SessionStatus.ENDED)), "The session has ended; these are its last figures."),
        (Look(None, ApiError("Nothing answers.", "Is it up?")), "Nothing answers. Is it up?"),
    ],
)
def test_silence_is_explained(look: Look, said: str) -> None:
    assert make_metrics_state(look, History(), "local-1")["quiet"] == said


def test_as_text_it_says_the_same() -> None:
    history = History()
    history.add(BUSY)
    state = make_metrics_state(Look(make_record(), metrics=BUSY), history, "local-1")
    assert render_metrics(state).splitlines() == [
        "Session local-1: 123.5 tokens/s (last 10 s), 3 running, 2 waiting",
        "First token: 50 ms (half), 200 ms (95 %), 1.5 s (99 %)",
        "Whole answers: 1.0 s (half), 20 s (95 %), - (99 %)",
        "KV cache: 25 % in use",
        "GPU memory: 30 of 40 GiB",
    ]


def test_nothing_runs_in_a_session_that_has_ended() -> None:
    history = History()
    history.add(BUSY)
    record = make_record().model_copy(update={"status": SessionStatus.ENDED})
    state = make_metrics_state(Look(record), history, "local-1")
    now = ("running", "waiting", "tokens_per_s", "kv_cache")
    assert [state["figures"][name] for name in now] == [None] * 4
    assert state["figures"]["requests"] == 10
    assert render_metrics(state).startswith("Session local-1: 10 requests answered\n")


def test_the_widget_shows_a_session_s_figures(fake: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "metrics", lambda _: BUSY)
    session = Session(LocalSource(fake.paths))
    widget = find_metrics_widget(session)
    wait_until(lambda: widget.state.get("figures"))
    assert widget.state["figures"]["running"] == 3
    assert find_metrics_widget(session) is widget
    json.dumps(widget.state)
    widget.close()
    assert find_metrics_widget(session) is not widget
    find_metrics_widget(session).close()


def test_before_a_session_is_chosen_it_waits(fake: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "metrics", lambda _: BUSY)
    source = PendingSource()
    widget = MetricsWidget(Session(source))
    assert widget.state["figures"] is None
    assert "once the session has started" in widget.render_text()
    source.choose(LocalSource(fake.paths))
    wait_until(lambda: widget.state["figures"])
    widget.close()


def test_figures_that_can_not_be_had_are_no_error(fake: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Session) -> Metrics:
        raise ApiError("No.", "")

    monkeypatch.setattr(Session, "metrics", refuse)
    widget = MetricsWidget(Session(LocalSource(fake.paths)))
    wait_until(lambda: widget.state["quiet"].startswith("The session gives no figures"))
    assert "no figures" in widget.render_text()
    widget.close()
