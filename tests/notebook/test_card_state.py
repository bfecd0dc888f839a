"""What a session's card says, for each thing that can happen to a session."""

from __future__ import annotations

import time
from typing import Any

from curc_llm.errors import ApiError
from curc_llm.launch.slurm_position import Position
from curc_llm.notebook.card_state import make_card, render_card, render_place
from curc_llm.notebook.watch import Look
from curc_llm.session.cost import count_su
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord, SessionStatus, Trouble
from curc_llm.slurm.job import Job
from curc_llm.slurm.state import JobState

NOW = 1_000_000.0


def make_record(**changes: Any) -> SessionRecord:
    engine = EngineRecord(
        served_model_name="curc-guide", model="/m", phase=EnginePhase.READY, ready_at=NOW, max_model_len=2048
    )
    record = SessionRecord(
        session_id="local-1",
        owner="ada",
        host="h1",
        pid=1,
        pid_started=1,
        status=SessionStatus.READY,
        engines=(engine,),
        base_url="http://h1:4711/v1",
        started_at=NOW - 100,
        heartbeat_at=NOW,
    )
    return record.model_copy(update=changes)


def with_engine(**changes: Any) -> SessionRecord:
    record = make_record(status=SessionStatus.STARTING)
    return record.model_copy(update={"engines": (record.engines[0].model_copy(update=changes),)})


def card(record: SessionRecord | None, **look: Any) -> dict[str, Any]:
    return make_card(Look(record, at=NOW, **look), "local-1")


def test_a_ready_session_is_ready_and_tells_where() -> None:
    state = card(make_record(ends_at=NOW + 3600))
    assert (state["level"], state["headline"]) == ("ok", "Ready")
    assert (state["title"], state["place"]) == ("curc-guide", "on h1")
    assert (state["base_url"], state["ends_at"]) == ("http://h1:4711/v1", NOW + 3600)


def test_a_loading_model_tells_its_phase_and_the_time_that_it_usually_takes() -> None:
    state = card(
        with_engine(
            phase=EnginePhase.LOADING,
            detail="1.2 of 3.0 GiB",
            progress=0.4,
            started_at=NOW - 9,
            expected_ready_s=45,
        )
    )
    assert (state["level"], state["headline"]) == ("busy", "Loading the model into memory …")
    assert state["detail"] == "1.2 of 3.0 GiB"
    assert state["progress"] == {"share": None, "since": NOW - 9, "expected_s": 45}


def test_without_earlier_starts_the_bar_is_that_of_the_phase() -> None:
    state = card(with_engine(phase=EnginePhase.DOWNLOADING, progress=0.25, started_at=NOW - 9))
    assert state["progress"]["share"] == 0.25


def test_of_two_models_the_one_that_is_not_ready_is_told() -> None:
    record = make_record(status=SessionStatus.STARTING)
    other = record.engines[0].model_copy(update={"served_model_name": "big", "phase": EnginePhase.COMPILING})
    state = card(record.model_copy(update={"engines": (record.engines[0], other)}))
    assert state["headline"] == "Warming up …"
    assert state["detail"] == "big:"
    assert [model["is_ready"] for model in state["models"]] == [True, False]


def test_a_waiting_job_says_why_where_and_until_when() -> None:
    job = Job("7", JobState.PENDING, "Priority", start_at=NOW + 300, partition="aa100")
    record = make_record(status=SessionStatus.QUEUED, base_url=None, slurm_job_id="7", host="")
    state = card(record, job=job, position=Position(3, 9))
    assert state["headline"] == "Waiting in the queue"
    assert state["detail"] == (
        "Others are before it in the queue; place 3 of 9 in aa100; Slurm expects it to start in 5 min."
    )
    assert (state["place"], state["base_url"]) == ("job 7", None)


def test_a_job_that_will_never_start_says_so() -> None:
    job = Job("7", JobState.PENDING, "PartitionTimeLimit", partition="aa100")
    state = card(make_record(status=SessionStatus.QUEUED), job=job)
    assert state["level"] == "trouble"
    assert "never start" in state["remedy"]


def test_slurm_being_silent_is_told_as_that() -> None:
    state = card(make_record(status=SessionStatus.UNKNOWN), job=Job("7", JobState.UNKNOWN))
    assert (state["level"], state["headline"]) == ("warning", "Slurm is silent")
    assert "not touched by this" in state["detail"]


def test_after_the_end_it_says_why_and_what_to_do() -> None:
    reason = Trouble(code="out_of_memory", message="The GPU's memory was full.", remedy="Take two GPUs.")
    state = card(make_record(status=SessionStatus.FAILED, reason=reason, ended_at=NOW))
    assert (state["level"], state["headline"]) == ("trouble", "The session has ended")
    assert (state["detail"], state["remedy"]) == ("The GPU's memory was full.", "Take two GPUs.")
    assert state["is_over"]
    assert state["base_url"] is None


def test_an_end_without_a_reason_points_to_launching_again() -> None:
    state = card(make_record(status=SessionStatus.GONE))
    assert state["detail"] == "It ended without saying why."
    assert "Launch it again" in state["remedy"]


def test_an_engine_that_failed_is_told_with_its_remedy() -> None:
    trouble = Trouble(code="x", message="vLLM died.", remedy="Look at the log.")
    state = card(with_engine(phase=EnginePhase.FAILED, trouble=trouble))
    assert (state["headline"], state["detail"]) == ("curc-guide has stopped", "vLLM died.")


def test_an_engine_that_starts_again_says_what_happened() -> None:
    trouble = Trouble(code="x", message="vLLM died.")
    state = card(with_engine(phase=EnginePhase.LOADING, restarts=1, trouble=trouble))
    assert (state["level"], state["detail"]) == ("warning", "vLLM died.")


def test_a_session_that_does_not_answer_keeps_its_last_state_and_says_so() -> None:
    error = ApiError("Nothing answers at http://h1.", "Is the tunnel open?")
    state = card(make_record(), trouble=error)
    assert (state["level"], state["headline"]) == ("trouble", "The session doesn't answer")
    assert (state["remedy"], state["title"]) == ("Is the tunnel open?", "curc-guide")


def test_before_the_first_answer_it_says_that_it_asks() -> None:
    assert card(None)["headline"].startswith("Asking how the session is doing")


def test_the_last_warning_is_shown() -> None:
    assert card(make_record(warnings=("one", "two")))["warning"] == "two"


def test_a_place_has_job_and_host() -> None:
    assert render_place(make_record(slurm_job_id="7")) == "job 7 on h1"


def test_cost_counts_from_the_start_to_the_end_and_never_above_the_limit() -> None:
    cost = {"su_per_h": 100.0, "su_most": 150.0, "unit": "SU", "since": NOW}
    assert count_su(cost, NOW + 1800) == 50
    assert count_su(cost, NOW + 7200) == 150
    assert count_su(cost, NOW + 7200, ended_at=NOW + 360) == 10
    assert count_su({**cost, "since": None}, NOW + 7200) == 0


def test_as_text_it_says_the_same() -> None:
    state = {**card(make_record(ends_at=NOW + 5400, warnings=("Mind the gap.",))), "key_file": "/s/api.key"}
    assert render_card(state, NOW).splitlines() == [
        "Session local-1: Ready (curc-guide)",
        "Time left: 1 h 30 min",
        "Endpoint: http://h1:4711/v1",
        "Key: in /s/api.key",
        "Note: Mind the gap.",
    ]


def test_a_state_is_plain_json() -> None:
    import json

    job = Job("7", JobState.PENDING, "Priority")
    for record in (None, make_record(), make_record(status=SessionStatus.QUEUED)):
        assert json.loads(json.dumps(card(record, job=job)))["name"] == "local-1"
    assert time.time() > NOW
