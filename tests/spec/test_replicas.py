from __future__ import annotations

import pytest

from curc_llm.errors import SpecError
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord
from curc_llm.spec import EngineSpec, name_replicas
from curc_llm.spec.replicas import check_gpus, check_names, make_replicas


def make_engine(name: str = "m", **fields: object) -> EngineSpec:
    return EngineSpec.model_validate({"served_model_name": name, "model": "/m", "is_local": True, **fields})


def test_each_replica_has_gpus_of_its_own() -> None:
    engine = make_engine(tensor_parallel_size=2, pipeline_parallel_size=2)
    assert [r.device_ids for r in make_replicas([engine], 2, "cuda")] == [(0, 1, 2, 3), (4, 5, 6, 7)]
    assert [r.device_ids for r in make_replicas([engine], 2, "cpu")] == [(), ()]


def test_one_replica_is_the_engine_as_it_was() -> None:
    assert make_replicas([make_engine("a"), make_engine("b")], 1, "cuda") == (
        make_engine("a"),
        make_engine("b"),
    )


def test_replicas_of_several_models_on_one_machine_s_gpus_are_refused() -> None:
    with pytest.raises(SpecError, match="one session for each model"):
        make_replicas([make_engine("a"), make_engine("b")], 2, "cuda")
    names = [r.served_model_name for r in make_replicas([make_engine("a"), make_engine("b")], 2, "cpu")]
    assert names == ["a", "a", "b", "b"]


def test_replicas_for_which_there_are_too_few_gpus_are_refused_with_what_fits() -> None:
    engines = make_replicas([make_engine(tensor_parallel_size=2)], 3, "cuda")
    check_gpus(engines, 6)
    check_gpus(engines, 0)
    with pytest.raises(
        SpecError, match="3 replicas with 2 GPUs each need 6 GPUs; this machine has 4"
    ) as caught:
        check_gpus(engines, 4)
    assert caught.value.remedy == "Use --replicas 2."


def test_a_model_that_is_named_twice_is_refused_with_what_was_probably_meant() -> None:
    with pytest.raises(SpecError, match="add --replicas"):
        check_names([make_engine(), make_engine()])


def test_logs_and_figures_tell_replicas_apart() -> None:
    assert name_replicas(["a", "b", "a", "a"]) == ("a", "b", "a@2", "a@3")


@pytest.mark.parametrize(
    ("phases", "shown"),
    [
        (("loading", "ready", "failed"), "ready"),
        (("failed", "loading", "failed"), "loading"),
        (("stopped", "failed", "failed"), "stopped"),
        (("ready", "loading", "failed"), "ready"),
    ],
)
def test_a_model_is_shown_once_as_its_best_replica(phases: tuple[str, ...], shown: str) -> None:
    engines = tuple(EngineRecord(served_model_name="m", model="/m", phase=EnginePhase(p)) for p in phases)
    fields = {"session_id": "s", "owner": "me", "host": "h", "pid": 1, "pid_started": 1}
    record = SessionRecord.model_validate({**fields, "started_at": 1, "heartbeat_at": 1, "engines": engines})
    assert [(engine.served_model_name, engine.phase) for engine in record.models] == [("m", shown)]
    assert record.engine("m") == record.models[0]
