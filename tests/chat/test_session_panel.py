from __future__ import annotations

from typing import Any

import pytest

from curc_llm.chat.panel_html import render_banner, render_header
from curc_llm.chat.session_panel import (
    Banner,
    can_restart,
    explain_retry,
    find_dead_end,
    is_ready,
    make_banner,
    make_status_line,
)
from curc_llm.chat.session_watch import Snapshot
from curc_llm.session.record import SessionRecord
from tests.fakes.fake_gateway import make_engine, make_record

NOW = 1_000_000.0
OOM = {"code": "out_of_memory", "message": "The GPU is full.", "remedy": "Use a shorter context."}


def make_snapshot(
    lost_s: float = 0.0, engines: list[dict[str, Any]] | None = None, **changes: Any
) -> Snapshot:
    record = make_record(engines=engines or [ready()], **changes)
    return Snapshot(SessionRecord.model_validate(record), NOW, lost_s)


def ready(**changes: Any) -> dict[str, Any]:
    return make_engine(**{"started_at": NOW - 60, "ready_at": NOW - 30, **changes})


def loading(**changes: Any) -> dict[str, Any]:
    return ready(**{"phase": "loading", "ready_at": None, **changes})


def banner_of(snapshot: Snapshot) -> Banner:
    banner = make_banner(snapshot, "curc-guide")
    assert banner is not None
    return banner


def test_a_session_that_is_well_has_no_banner() -> None:
    snapshot = make_snapshot(ends_at=NOW + 3 * 3600, idle_stop_at=NOW + 1200)
    assert make_banner(snapshot, "curc-guide") is None
    assert make_status_line(snapshot, "curc-guide") == "ready · 3 h left"
    assert is_ready(snapshot, "curc-guide")


@pytest.mark.parametrize(
    ("engine", "title", "progress"),
    [
        (loading(progress=0.5), "Loading the model into memory (50%): curc-guide", 0.5),
        (loading(phase="downloading", detail="4.2 of 15.0 GiB", progress=0.28), "4.2 of 15.0 GiB", 0.28),
        (loading(phase="compiling", expected_ready_s=120), "Warming up: curc-guide", 0.5),
        (loading(phase="environment"), "Preparing the environment: curc-guide", -1.0),
        (loading(expected_ready_s=20), "Loading", 0.97),
    ],
)
def test_loading_shows_the_phase_and_how_far_it_is(
    engine: dict[str, Any], title: str, progress: float
) -> None:
    banner = banner_of(make_snapshot(engines=[engine], status="starting"))
    assert banner.level == "busy"
    assert title in banner.title
    assert banner.progress == progress
    assert "You can write now" in banner.detail


def test_loading_says_how_long_it_took_and_takes_as_a_rule() -> None:
    banner = banner_of(make_snapshot(engines=[loading(expected_ready_s=95)]))
    assert banner.detail.startswith("1 min so far, about 1 min 35 s as a rule.")


def test_a_restart_says_why() -> None:
    banner = banner_of(make_snapshot(engines=[loading(phase="restarting", restarts=1, trouble=OOM)]))
    assert banner.title == "curc-guide is starting again"
    assert banner.detail.startswith("The GPU is full.")
    again = banner_of(make_snapshot(engines=[loading(restarts=1)]))
    assert again.title == "curc-guide is starting again: loading the model into memory"


def test_a_restart_is_told_for_a_while_after_it() -> None:
    engine = ready(restarts=1, trouble=OOM)
    assert banner_of(make_snapshot(engines=[engine])).title == "curc-guide was started again."
    assert make_banner(make_snapshot(engines=[{**engine, "ready_at": NOW - 3600}]), "curc-guide") is None


def test_a_model_that_gave_up_has_its_remedy_in_the_banner_and_no_hope() -> None:
    snapshot = make_snapshot(engines=[loading(phase="failed", trouble=OOM)])
    detail = "The GPU is full. Use a shorter context."
    assert banner_of(snapshot) == Banner(
        "trouble", "curc-guide has stopped.", detail, can_restart=True, model="curc-guide"
    )
    trouble = find_dead_end(snapshot, "curc-guide")
    assert trouble is not None
    assert trouble.code == "out_of_memory"


def test_until_when_a_failed_model_can_be_started_again_is_told() -> None:
    failed = [loading(phase="failed", trouble=OOM)]
    banner = banner_of(make_snapshot(engines=failed, gives_up_at=NOW + 240, status="restarting"))
    assert banner.detail.endswith("The session ends in 4 min unless a model is started again.")
    assert not banner_of(make_snapshot(engines=failed, status="draining")).can_restart
    assert not banner_of(make_snapshot(engines=[loading(phase="stopped")])).can_restart


def test_only_the_owner_gets_a_button_that_starts_the_model_again() -> None:
    banner = Banner("trouble", "x", can_restart=True, model='a"><img src=x>')
    html = render_banner(banner, is_owner=True)
    assert 'data-curc-do="restart" data-curc-value="a&quot;&gt;&lt;img src=x&gt;"' in html
    assert "Start the model again" in html
    assert "button" not in render_banner(banner)


def test_a_message_that_was_not_answered_can_be_sent_again_after_the_restart() -> None:
    assert explain_retry("owner").startswith("Start the model again with the button above, then retry")
    assert "button" not in explain_retry("ana")
    failed = make_snapshot(engines=[loading(phase="failed", trouble=OOM)])
    assert can_restart(failed, "curc-guide")
    assert not can_restart(make_snapshot(engines=[loading(phase="failed")], status="failed"), "curc-guide")
    assert not can_restart(make_snapshot(lost_s=60, engines=[loading(phase="failed")]), "curc-guide")
    assert not can_restart(Snapshot(), "curc-guide")


@pytest.mark.parametrize(
    ("job", "command", "portal"),
    [(None, "curc-llm serve --from local-1", False), ("77", "curc-llm repeat local-1", True)],
)
def test_an_ended_session_tells_its_owner_how_to_launch_it_again(
    job: str | None, command: str, portal: bool
) -> None:
    banner = banner_of(make_snapshot(status="failed", slurm_job_id=job))
    html = render_banner(banner, is_owner=True)
    assert f"<code>{command}</code>" in html
    assert f'data-curc-act="copy" data-curc-value="{command}"' in html
    assert ("My Interactive Sessions" in html) == portal
    assert command not in render_banner(banner)


def test_idle_warning_can_be_answered_and_wall_time_cannot() -> None:
    idle = banner_of(make_snapshot(idle_stop_at=NOW + 200, ends_at=NOW + 5000))
    assert idle.title == "The session ends in 3 min, because nobody uses it."
    assert idle.can_keep_going
    wall = banner_of(make_snapshot(ends_at=NOW + 30))
    assert wall.title == "The session's time is up in less than a minute."
    assert not wall.can_keep_going


def test_wall_time_that_comes_first_wins_over_idling() -> None:
    assert "time is up" in banner_of(make_snapshot(idle_stop_at=NOW + 200, ends_at=NOW + 100)).title


def test_draining_is_told() -> None:
    assert banner_of(make_snapshot(status="draining")).title == "The session is ending."


def test_other_warnings_of_the_session_are_shown_newest_last() -> None:
    assert (
        banner_of(make_snapshot(warnings=["old", "The disk is nearly full."])).title
        == "The disk is nearly full."
    )


def test_an_ended_session_says_why_and_what_next() -> None:
    reason = {"code": "idle", "message": "Nobody used it for 30 minutes.", "remedy": ""}
    snapshot = make_snapshot(status="ended", reason=reason)
    banner = banner_of(snapshot)
    assert (banner.level, banner.title) == (
        "warning",
        "The session has ended. Nobody used it for 30 minutes.",
    )
    assert "Start a new session" in banner.detail
    assert make_status_line(snapshot, "curc-guide") == "ended"
    assert banner_of(make_snapshot(status="failed")).level == "trouble"


def test_a_silent_gateway_is_told_after_a_few_seconds_and_given_up_after_many() -> None:
    assert make_banner(make_snapshot(lost_s=1), "curc-guide") is None
    assert not is_ready(make_snapshot(lost_s=1), "curc-guide")
    assert banner_of(make_snapshot(lost_s=6)).title == "The session doesn't answer."
    assert make_status_line(make_snapshot(lost_s=6), "curc-guide") == "no connection"
    assert find_dead_end(make_snapshot(lost_s=6), "curc-guide") is None
    assert find_dead_end(make_snapshot(lost_s=60), "curc-guide") is not None


def test_before_the_first_record_the_page_says_that_it_asks() -> None:
    assert banner_of(Snapshot()).level == "busy"
    assert make_status_line(Snapshot(), "") == "no connection"
    assert find_dead_end(Snapshot(), "") is None


def test_of_two_engines_with_one_name_the_ready_one_counts() -> None:
    assert is_ready(make_snapshot(engines=[loading(), ready()]), "curc-guide")


def test_embedding_models_are_no_chat_models() -> None:
    snapshot = make_snapshot(engines=[ready(served_model_name="e", runner="pooling"), ready()])
    assert snapshot.models == ["curc-guide"]


def test_what_comes_from_outside_is_escaped() -> None:
    html = render_banner(Banner("warning", "<img src=x>", "run `<b>` now", progress=0.5))
    assert "<img" not in html
    assert "<code>&lt;b&gt;</code>" in html
    assert 'value="0.500"' in html
    assert "<script" not in render_header("<script>", "ready", is_well=True)


def test_banners_are_announced_and_no_banner_is_nothing() -> None:
    assert 'role="alert"' in render_banner(Banner("trouble", "x"))
    assert 'role="status"' in render_banner(Banner("busy", "x", progress=-1.0))
    assert "value=" not in render_banner(Banner("busy", "x", progress=-1.0))
    assert render_banner(None) == ""


@pytest.mark.parametrize("status", ["ended", "failed", "gone"])
def test_a_session_that_is_over_isnt_well_whatever_its_engine_last_said(status: str) -> None:
    snapshot = make_snapshot(status=status)
    assert not is_ready(snapshot, "curc-guide")
    assert make_status_line(snapshot, "curc-guide") == "ended"


def test_a_session_that_has_handed_over_offers_its_owner_the_other_page() -> None:
    moved = make_snapshot(successor="slurm-next", ends_at=NOW + 300, engines=[ready(phase="failed")])
    banner = banner_of(moved)
    assert banner.title == "The session goes on as slurm-next."
    assert "this page works for 5 min." in banner.detail
    assert "Go to its page" in render_banner(banner, is_owner=True)
    assert "Go to its page" not in render_banner(banner)
    reason = {"code": "handed_over", "message": "The session goes on as slurm-next.", "remedy": "Ask."}
    over = banner_of(make_snapshot(successor="slurm-next", status="ended", reason=reason))
    assert over.title == "The session goes on as slurm-next."
    assert over.moves_to == "slurm-next"
    assert not over.again
    lost = make_snapshot(lost_s=60, successor="slurm-next", ends_at=NOW + 300)
    assert banner_of(lost).moves_to == "slurm-next"
