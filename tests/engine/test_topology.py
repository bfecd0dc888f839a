"""What each node of an engine runs."""

from __future__ import annotations

import pytest

from curc_llm.engine.topology import Meeting, choose_kind, make_ranks
from curc_llm.errors import EngineError
from curc_llm.spec import EngineSpec

MEETING = Meeting("10.0.0.1", 29501)


def make_engine(tp: int = 1, pp: int = 1, dp: int = 1, backend: str | None = None) -> EngineSpec:
    return EngineSpec.model_validate(
        {
            "served_model_name": "m", "model": "/m", "is_local": True, "tensor_parallel_size": tp,
            "pipeline_parallel_size": pp, "data_parallel_size": dp, "distributed_executor_backend": backend,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "num_nodes", "kind"),
    [
        (make_engine(), 1, "single"),
        (make_engine(tp=4, dp=2, backend="ray"), 1, "single"),
        (make_engine(tp=8, pp=2), 2, "native"),
        (make_engine(tp=2), 2, "native"),
        (make_engine(tp=2, dp=4), 2, "data_parallel"),
        (make_engine(tp=8, pp=2, backend="ray"), 2, "ray"),
        (make_engine(tp=8, pp=2, backend="mp"), 2, "native"),
    ],
)
def test_an_engine_is_spread_as_its_sizes_and_the_launcher_say(
    engine: EngineSpec, num_nodes: int, kind: str
) -> None:
    assert choose_kind(engine, num_nodes) == kind


def test_one_copy_over_nodes_has_one_server_and_workers_without_one() -> None:
    first, second = make_ranks(make_engine(tp=4, pp=2), 2, MEETING)
    assert (first.has_server, second.has_server) == (True, False)
    assert first.fields == {
        "nnodes": 2, "node_rank": 0, "master_addr": "10.0.0.1", "master_port": 29501, "headless": False,
    }  # fmt: skip
    assert second.fields == {**first.fields, "node_rank": 1, "headless": True}


def test_copies_on_each_node_are_counted_on() -> None:
    ranks = make_ranks(make_engine(tp=2, dp=6), 3, MEETING)
    assert [rank.fields["data_parallel_start_rank"] for rank in ranks] == [None, 2, 4]
    assert {rank.fields["data_parallel_size_local"] for rank in ranks} == {2}
    assert {rank.fields["data_parallel_address"] for rank in ranks} == {"10.0.0.1"}
    assert [rank.fields["headless"] for rank in ranks] == [False, True, True]


def test_with_ray_only_the_first_node_runs_vllm() -> None:
    first, second = make_ranks(make_engine(tp=4, pp=2, backend="ray"), 2, MEETING)
    assert first.fields == {"distributed_executor_backend": "ray"}
    assert (first.runs_vllm, second.runs_vllm) == (True, False)
    first, _ = make_ranks(make_engine(tp=4, dp=4, backend="ray"), 2, MEETING)
    assert first.fields["data_parallel_backend"] == "ray"
    assert first.fields["data_parallel_size_local"] == 2


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (make_engine(tp=3), "3 GPUs can't be dealt evenly to 2 nodes."),
        (make_engine(pp=2, dp=3), "3 copies of the model can't be dealt evenly to 2 nodes."),
    ],
)
def test_what_cannot_be_spread_is_refused_with_a_way_out(engine: EngineSpec, said: str) -> None:
    with pytest.raises(EngineError) as caught:
        make_ranks(engine, 2, MEETING)
    assert caught.value.message == said
    assert caught.value.remedy
