"""`curc-llm scale`: what is refused before anything is sent, and how budget and replicas are told."""

from __future__ import annotations

from typing import Any

import click
import pytest

from curc_llm.cli.scale import _check_most, render_scale
from curc_llm.cli.status import render_status
from curc_llm.session.demand import OtherPhase, ReplicaRecord, ScaleRecord
from curc_llm.session.record import SessionRecord

RULES = ScaleRecord(
    min_replicas=1, max_replicas=3, target_queue=4, su_budget=50, su_spent=12.5, su_bound=8,
    replicas=(ReplicaRecord(session_id="slurm-r", job_id="88", phase=OtherPhase.READY, su=2),),
)  # fmt: skip


def make_record(scale: ScaleRecord | None) -> SessionRecord:
    times = {"started_at": 1.0, "heartbeat_at": 1.0}
    own: dict[str, Any] = {"session_id": "slurm-a", "owner": "anna", "host": "c1", "pid": 7, "pid_started": 1}
    return SessionRecord(**own, **times, scale=scale)


def test_where_there_are_rules_anything_can_be_changed_by_itself() -> None:
    _check_most({"su_budget": 80.0}, make_record(RULES))
    _check_most({"min_replicas": 3}, make_record(RULES))
    with pytest.raises(click.UsageError, match="--min 4 is more than --max 3"):
        _check_most({"min_replicas": 4}, make_record(RULES))


@pytest.mark.parametrize("scale", [None, RULES.model_copy(update={"is_on": False})])
def test_without_rules_the_most_must_be_said(scale: ScaleRecord | None) -> None:
    with pytest.raises(click.UsageError, match="such as --max 4"):
        _check_most({"su_budget": 80.0}, make_record(scale))


def test_status_and_scale_tell_what_was_spent_of_what_was_given() -> None:
    told = "12.50 SU so far of 50 allowed; those that run take 8.00 more at most"
    assert told in render_scale(RULES)
    assert told in render_status(make_record(RULES), 10.0)
    free = RULES.model_copy(update={"su_spent": None, "su_bound": None})
    assert "SU so far" not in render_status(make_record(free), 10.0)
