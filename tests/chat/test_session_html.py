from __future__ import annotations

import time
from typing import Any

from curc_llm.chat.engine_figures import EngineFigures
from curc_llm.chat.session_html import SessionView, render_session
from curc_llm.chat.session_watch import Snapshot
from curc_llm.session.record import SessionRecord
from tests.fakes.fake_gateway import make_engine, make_record

BASE_URL = "http://h1:4711/v1"


def make_view(more: dict[str, Any] | None = None, **changes: Any) -> SessionView:
    record = SessionRecord.model_validate(make_record(base_url=BASE_URL, **(more or {})))
    snapshot = changes.pop("snapshot", Snapshot(record=record, now=time.time()))
    return SessionView(snapshot, changes.pop("figures", EngineFigures()), **changes)


def test_before_the_session_is_known_the_tab_says_that_it_asks() -> None:
    assert "Asking how the session is doing" in render_session(make_view(snapshot=Snapshot()))


def test_the_tab_says_where_it_runs_and_how_long() -> None:
    now = time.time()
    shown = render_session(
        make_view({"slurm_job_id": "123", "ends_at": now + 7260, "idle_stop_at": now + 700})
    )
    assert "h1, job 123" in shown
    assert "2 h" in shown
    assert "Ends unless used" in shown


def test_the_cost_says_what_is_spent_and_what_is_left() -> None:
    cost = {"su_per_h": 100.0, "su_most": 400.0, "unit": "SU", "since": time.time() - 3600}
    shown = render_session(make_view(cost=cost))
    assert "100.0 of at most 400 SU; 300 SU left" in shown
    assert "Cost" not in render_session(make_view())


def test_the_tab_says_how_busy_the_engine_is() -> None:
    shown = render_session(make_view(figures=EngineFigures(waiting=3, kv_cache_usage=0.42)))
    assert "42%" in shown


def test_the_key_is_asked_for_and_never_in_the_page() -> None:
    shown = render_session(make_view())
    assert '<code id="curc-key">hidden</code>' in shown
    assert 'data-curc-act="key"' in shown


def test_logs_are_a_link_within_the_portal_and_a_path_elsewhere() -> None:
    inside = render_session(make_view(logs="/home/a da/logs", is_in_portal=True))
    assert 'href="/pun/sys/dashboard/files/fs/home/a%20da/logs"' in inside
    outside = render_session(make_view(logs="/home/ada/logs"))
    assert "<code>/home/ada/logs</code>" in outside
    assert "href" not in outside


def test_names_of_the_session_are_text() -> None:
    shown = render_session(make_view({"host": "<img src=x>"}, logs="/<b>\n\n# x"))
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "\n" not in shown


def test_a_session_that_is_over_has_no_endpoint() -> None:
    assert BASE_URL not in render_session(make_view({"status": "ended", "ended_at": time.time()}))


def test_telling_when_the_model_is_ready_is_offered_while_it_is_not() -> None:
    loading = make_engine(phase="loading", ready_at=None)
    assert "Tell me when the model is ready" in render_session(make_view({"engines": [loading]}))
    assert "Tell me" not in render_session(make_view())


def test_the_tab_names_the_model_and_its_context() -> None:
    assert "curc-guide, context of 4,096 tokens" in render_session(make_view())
    loading = make_engine(phase="loading", ready_at=None, max_model_len=None)
    assert "context of" not in render_session(make_view({"engines": [loading]}))


def test_the_folder_of_the_logs_and_the_command_that_shows_them_are_copied_with_a_click() -> None:
    shown = render_session(make_view(logs="/home/ada/logs", is_owner=True))
    assert 'data-curc-act="copy" data-curc-value="/home/ada/logs"' in shown
    assert 'data-curc-act="copy" data-curc-value="curc-llm logs local-1"' in shown


def test_the_owner_is_told_how_to_share_and_a_guest_is_not() -> None:
    shown = render_session(make_view(is_owner=True))
    assert 'data-curc-value="curc-llm share --link NAME -s local-1"' in shown
    assert 'data-curc-value="curc-llm endpoint local-1 --login-link"' in shown
    assert "curc-llm share" not in render_session(make_view())
    over = {"status": "ended", "ended_at": time.time()}
    assert "curc-llm share" not in render_session(make_view(over, is_owner=True))
