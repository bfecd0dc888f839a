from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.chat.launched import Launched, LaunchedWith
from curc_llm.session.cost import count_su
from curc_llm.session.record import SessionRecord, SessionStatus
from tests.fakes.fake_gateway import make_record
from tests.fakes.launched import write_launch

RECORD = SessionRecord.model_validate(make_record())


def test_without_a_session_nothing_is_known(tmp_path: Path) -> None:
    assert LaunchedWith(tmp_path).find(None) == Launched()


def test_logs_are_named_once_they_are_there(tmp_path: Path) -> None:
    launched = LaunchedWith(tmp_path)
    assert launched.find(RECORD) == Launched()
    logs = tmp_path / "sessions/local-1/logs"
    logs.mkdir(parents=True)
    assert launched.find(RECORD).logs == str(logs)


def test_a_launch_file_that_cant_be_read_costs_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "sessions/local-1"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text("{")
    assert LaunchedWith(tmp_path).find(RECORD).cost is None


def test_a_real_plan_is_charged_by_the_hour_from_when_the_job_began_up_to_its_wall_time(
    tmp_path: Path,
) -> None:
    spec = write_launch(tmp_path)
    plan = spec.origins[0].plan
    assert plan is not None
    assert plan.su_per_h == pytest.approx(108.6 + plan.cpus)  # an l40 and its cores (Alpine hardware page)
    cost = LaunchedWith(tmp_path).find(RECORD).cost
    assert cost is not None
    assert cost["su_per_h"] == plan.su_per_h
    assert cost["su_most"] == pytest.approx(plan.su_total) == pytest.approx(2 * cost["su_per_h"])
    began = RECORD.started_at
    assert count_su(cost, began + 1800) == pytest.approx(cost["su_per_h"] / 2)
    assert count_su(cost, began + 9 * 3600) == cost["su_most"]


def test_a_job_that_waits_is_charged_nothing_yet(tmp_path: Path) -> None:
    write_launch(tmp_path)
    queued = RECORD.model_copy(update={"status": SessionStatus.QUEUED})
    cost = LaunchedWith(tmp_path).find(queued).cost
    assert cost is not None
    assert count_su(cost, RECORD.started_at + 3600) == 0
