"""Several engines of one model in one job: the GPUs of all on one node, their cost, and what is refused."""

from __future__ import annotations

import pytest

from curc_llm.errors import PlanError
from curc_llm.plan.alternatives import render_command
from tests.plan.shipped import plan

MODEL = "qwen3-8b"


def test_each_replica_has_the_gpus_of_one_engine_and_the_cost_is_of_all() -> None:
    alone = plan(MODEL, gpu_type="l40", num_gpus=1)
    made = plan(MODEL, gpu_type="l40", num_gpus=1, replicas=3)
    assert (made.fits, made.num_gpus, made.num_nodes, made.replicas) == (True, 1, 1, 3)
    assert made.memory == alone.memory
    assert alone.cpus is not None
    assert made.cpus is not None
    assert made.su_per_h is not None
    assert made.su_per_h == pytest.approx(3 * 108.6 + made.cpus)
    assert made.cpus > alone.cpus


def test_gpus_are_chosen_of_which_a_node_has_enough() -> None:
    """No node of Alpine has more than three A100 or L40."""
    made = plan(MODEL, replicas=4)
    assert made.fits
    assert made.gpu_type not in {"l40", "a100_40gb", "a100_80gb"}


def test_too_many_are_refused_with_as_many_as_the_node_has() -> None:
    refused = plan(MODEL, gpu_type="l40", replicas=4)
    assert not refused.fits
    each = "4 replicas with 1 x l40 each need 4 GPUs on one node of al40; a job may have 3."
    assert refused.reason == each
    fewer = refused.alternatives[0]
    assert fewer.change.startswith("3 replicas instead of 4")
    assert "--replicas 3" in fewer.command
    assert plan(**fewer.request.model_dump(exclude_none=True)).fits


def test_where_no_node_has_enough_no_single_gpu_type_is_blamed_alone() -> None:
    refused = plan(MODEL, replicas=64)
    assert not refused.fits
    assert refused.reason.endswith("and no other GPU type of CURC Alpine has room for them.")
    assert "64 replicas" in refused.reason


def test_replicas_of_what_does_not_fit_once_are_refused_as_that() -> None:
    alone = plan("llama-3.1-405b-instruct", gpu_type="l40")
    assert plan("llama-3.1-405b-instruct", gpu_type="l40", replicas=2).reason == alone.reason


def test_replicas_are_not_spread_over_nodes() -> None:
    refused = plan(MODEL, site="capella", replicas=2, num_nodes=2)
    assert refused.reason == "Replicas share one node; 2 nodes were asked for."


def test_an_embedding_model_beside_replicas_is_refused() -> None:
    with pytest.raises(PlanError, match="engines of one model"):
        plan(MODEL, replicas=2, embed="qwen3-embedding-0.6b")


def test_the_command_of_a_plan_has_them() -> None:
    assert "--replicas 3" in render_command(plan(MODEL, replicas=3).request)
