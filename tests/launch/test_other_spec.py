"""The specs of replicas and successors: the same models, a place of their own."""

from __future__ import annotations

import pytest

from curc_llm.launch.other_spec import make_replica_spec, make_successor_spec
from curc_llm.launch.request import SessionRequest, make_slurm_spec
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import load_settings
from curc_llm.spec import LaunchSpec


@pytest.fixture
def spec() -> LaunchSpec:
    settings = load_settings(environ={"HOME": "/home/anna", "CURC_LLM_SITE": "alpine"})
    plan = PlanRequest(model="demo", hours=4)
    request = SessionRequest(plan=plan, mail_on_ready=True, hand_over_h=6, requeue=True)
    return make_slurm_spec(request, settings)


def test_a_replica_serves_the_same_and_belongs_to_its_session(spec: LaunchSpec) -> None:
    replica = make_replica_spec(spec, 1800)
    same = ("engines", "origins", "device", "owner", "bind_host", "site", "drain_s")
    assert [getattr(replica, name) for name in same] == [getattr(spec, name) for name in same]
    assert spec.slurm is not None
    assert replica.slurm == spec.slurm.model_copy(update={"requeue": False})
    assert replica.session_id != spec.session_id
    assert replica.session_dir == spec.session_dir.parent / replica.session_id
    assert (replica.parent, replica.wall_time_s) == (spec.session_id, 1800)
    assert (replica.has_chat, replica.mail_on_ready, replica.idle_stop_min, replica.hand_over_s) == (
        False, False, 0, 0
    )  # fmt: skip


def test_what_one_job_cannot_serve_the_successor_hands_on(spec: LaunchSpec) -> None:
    first = make_successor_spec(spec, spec.hand_over_s)
    assert (first.predecessor, first.wall_time_s, first.hand_over_s) == (spec.session_id, 4 * 3600, 2 * 3600)
    second = make_successor_spec(first, first.hand_over_s)
    assert (second.predecessor, second.wall_time_s, second.hand_over_s) == (first.session_id, 2 * 3600, 0)
    assert (first.has_chat, first.idle_stop_min) == (True, spec.idle_stop_min)


def test_one_fixed_port_is_not_asked_for_twice(spec: LaunchSpec) -> None:
    fixed = spec.model_copy(update={"port_min": 8000, "port_max": 8000})
    assert (make_replica_spec(fixed, 60).port_min, make_replica_spec(fixed, 60).port_max) == (0, 0)
    ranged = spec.model_copy(update={"port_min": 8000, "port_max": 8010})
    assert (make_successor_spec(ranged, 60).port_min, make_successor_spec(ranged, 60).port_max) == (
        8000,
        8010,
    )
