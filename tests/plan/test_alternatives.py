from __future__ import annotations

from typing import Any

import pytest

from curc_llm.plan.alternatives import MOST, make_alternatives, render_command
from curc_llm.plan.planner import make_plan
from curc_llm.plan.refusal import Refusal
from curc_llm.plan.request import PlanRequest
from tests.plan.shipped import facts_of, plan


def changes(model: str, site: str = "alpine", **asked: Any) -> list[str]:
    made = plan(model, site, **asked)
    assert not made.fits
    return [alternative.change for alternative in made.alternatives]


def test_a_context_that_is_too_long_is_answered_with_fewer_tokens_first() -> None:
    found = changes(
        "llama-3.1-70b-instruct",
        gpu_type="a100_80gb",
        num_gpus=2,
        max_model_len=100_000,
        quantisation="bf16",
    )
    assert found[0].endswith("tokens instead of 100,000")
    assert found[1:] == [
        "fp8 instead of bf16",
        "3 GPUs instead of 2",
        "2 x rtx_pro_6000 instead of 2 x a100_80gb",
    ]


def test_weights_that_are_too_large_are_answered_with_more_gpus_then_other_ones() -> None:
    found = changes("qwen2.5-72b-instruct", gpu_type="l40", num_gpus=1)
    assert found[0] == "2 GPUs instead of 1, in awq-int4"
    assert any("instead of 1 x l40" in change for change in found)


def test_hours_that_are_too_many_are_answered_with_fewer_hours_or_fewer_gpus() -> None:
    found = changes("qwen3-8b", gpu_type="a100_80gb", num_gpus=3, hours=30)
    assert found[:2] == ["24 h instead of 30", "1 GPU instead of 3"]


def test_a_qos_that_is_too_short_is_answered_with_the_one_that_isn_t() -> None:
    found = changes("qwen3-8b", gpu_type="l40", num_gpus=1, qos="gpu-normal", hours=48)
    assert found[0] == "QoS gpu-long instead of gpu-normal"


def test_fp8_that_is_not_published_is_answered_with_vllm_s_own() -> None:
    found = changes("qwen2.5-72b-instruct", gpu_type="h200", num_gpus=2, quantisation="fp8")
    assert found[0] == "online-fp8 instead of fp8" or found[0].endswith("online-fp8 instead of fp8")


def test_cores_and_memory_share_go_back_to_what_is_allowed() -> None:
    assert changes("qwen3-8b", gpu_type="l40", num_gpus=1, cpus_per_task=64)[0] == "21 cores instead of 64"
    assert (
        changes("qwen3-8b", gpu_type="l40", num_gpus=1, gpu_memory_utilization=0.999)[0]
        == "gpu_memory_utilization 0.9 instead of 0.999"
    )


def test_too_many_requests_at_once_or_too_small_a_share_are_answered_with_what_works() -> None:
    assert changes("llama-3.1-8b-instruct", gpu_type="l40", num_gpus=1, max_num_seqs=100_000)[0] == (
        "1,024 requests at once instead of 100,000"
    )
    assert "1,024 requests at once instead of 100,000" in changes("qwen3-8b", max_num_seqs=100_000)[0]
    assert "on up to 100,000 requests at once" in plan("qwen3-8b", max_num_seqs=100_000).reason
    assert changes("llama-3.1-8b-instruct", gpu_type="l40", num_gpus=1, gpu_memory_utilization=0.01)[0] == (
        "gpu_memory_utilization 0.9 instead of 0.01"
    )


def test_nodes_that_a_job_cannot_have_are_answered_with_the_same_gpus_on_fewer_nodes() -> None:
    found = changes("llama-3.1-8b-instruct", num_nodes=2, num_gpus=2)
    assert found == ["2 x a100_80gb on 1 node instead of 2", "1 GPU on 1 node instead of 2 on 2"]
    assert changes("llama-3.1-8b-instruct", "capella", num_nodes=2, num_gpus=3)[:2] == [
        "3 x h100 on 1 node instead of 2",
        "4 GPUs instead of 3, on 2 nodes",
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((12, 2), ["12 x h100 on 3 nodes instead of 2", "8 GPUs instead of 12, on 2 nodes"]),
        ((None, 99), ["198 x h100 on 99 nodes", "284 x h100 on 71 nodes instead of 99"]),
        ((300, 99), ["198 GPUs instead of 300, on 99 nodes", "284 GPUs on 71 nodes instead of 300 on 99"]),
        ((None, 200), ["284 x h100 on 71 nodes instead of 200"]),
        ((283, None), ["284 GPUs instead of 283", "280 GPUs instead of 283"]),
        ((1000, None), ["284 GPUs instead of 1,000"]),
    ],
)
def test_hundreds_of_gpus_are_answered_with_what_fits_on_the_nodes_that_were_asked_for(
    asked: tuple[int | None, int | None], expected: list[str]
) -> None:
    num_gpus, num_nodes = asked
    wanted = {"gpu_type": "h100", "num_gpus": num_gpus, "num_nodes": num_nodes}
    made = plan("llama-3.1-70b-instruct", "capella", **wanted)
    assert [a.change for a in made.alternatives][: len(expected)] == expected
    for alternative in made.alternatives:
        kept = alternative.request.num_nodes
        again = plan("llama-3.1-70b-instruct", "capella", **alternative.request.model_dump(exclude={"model"}))
        assert again.fits
        assert again.num_nodes == (kept or again.num_nodes)


def test_a_copy_of_a_model_is_never_sent_over_hundreds_of_gpus_unasked() -> None:
    found = changes("llama-3.1-405b-instruct", "capella", gpu_type="h100", num_gpus=300)
    assert found == ["8 GPUs instead of 300, in fp8"]


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("bge-m3", {"max_model_len": 100_000}),
        ("qwen3-8b", {"qos": "gpu-testing", "hours": 4}),
        ("qwen3-8b", {"hours": 500}),
    ],
)
def test_no_launch_is_named_twice(model: str, asked: dict[str, Any]) -> None:
    made = plan(model, **asked)
    launches = [make_plan(a.request, facts_of("alpine")) for a in made.alternatives]
    told = [(x.gpu_type, x.num_gpus, x.quantisation, x.max_model_len, x.hours, x.qos) for x in launches]
    assert len(set(told)) == len(told) == len(set(changes(model, **asked)))


def test_a_launch_for_tests_only_says_so() -> None:
    found = changes("qwen3-8b", qos="gpu-testing", hours=4)
    assert found[1] == "1 x a100_3g.20gb, in fp8, 1 h instead of 4, for tests only"
    assert "for tests only" not in found[0]


def test_when_nothing_near_works_everything_is_left_to_the_planner() -> None:
    found = changes("qwen3-8b", gpu_memory_utilization=0.999, max_num_seqs=100_000, hours=999)
    assert len(found) == 1
    for words in ("gpu_memory_utilization 0.9 instead", "16 requests at once instead", "4 h instead of 999"):
        assert words in found[0]


@pytest.mark.parametrize(
    "asked",
    [
        {"gpu_type": "l40", "num_gpus": 1},
        {"gpu_type": "a100_80gb", "num_gpus": 8},
        {"gpu_type": "h200", "hours": 500},
        {"gpu_type": "mi100"},
        {"max_model_len": 10_000_000},
        {"gpu_type": "h200", "tensor_parallel_size": 3, "num_gpus": 4},
    ],
)
def test_alternatives_are_few_different_and_fit_when_they_are_planned_again(asked: dict[str, Any]) -> None:
    made = plan("qwen2.5-72b-instruct", **asked)
    assert not made.fits
    assert 0 < len(made.alternatives) <= MOST
    assert len({a.command for a in made.alternatives}) == len(made.alternatives)
    for alternative in made.alternatives:
        again = make_plan(alternative.request, facts_of("alpine"))
        assert again.fits
        assert again.su_total == pytest.approx(alternative.su_total, abs=0.02)
        assert alternative.request != made.request


def test_nothing_is_named_that_was_not_found_to_fit() -> None:
    refusal = Refusal("weights", "Too large.")
    assert make_alternatives(PlanRequest(model="m", num_gpus=1), refusal, lambda _: refusal) == ()


def test_a_command_can_be_pasted() -> None:
    request = PlanRequest(model="/my models/x", hours=1.5, preset="large", cpus_per_task=4)
    assert render_command(request) == (
        "curc-llm plan '/my models/x' --hours 1.5 --preset large --cpus-per-task 4"
    )
    assert render_command(PlanRequest(model="m", hours=1e6)) == "curc-llm plan m --hours 1000000"


def test_a_layout_that_cannot_be_is_answered_with_the_same_gpus_in_one_that_can() -> None:
    four = changes("qwen3-8b", gpu_type="h200", num_gpus=4, tensor_parallel_size=3)
    assert four[0] == "tensor_parallel_size 4 instead of 3"
    three = changes("qwen3-8b", gpu_type="l40", num_gpus=3, tensor_parallel_size=3)
    assert three[0] == "tensor_parallel_size 1 x data_parallel_size 3 instead of tensor_parallel_size 3"
    assert all("tensor_parallel_size" in change for change in [*four, *three])
    assert changes("qwen3-8b", gpu_type="l40", tensor_parallel_size=3)[0] == f"3 x l40, {three[0]}"
