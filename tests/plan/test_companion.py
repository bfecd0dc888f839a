"""An embedding model beside a chat model in one launch: the memory of one GPU, or a GPU more."""

from __future__ import annotations

from typing import Any

import pytest

from curc_llm.errors import ModelNotFoundError, PlanError
from curc_llm.plan.plan import MemorySplit, Plan
from tests.plan.shipped import plan

SMALL = "qwen3-embedding-0.6b"
CHAT = "llama-3.1-8b-instruct"


def both(model: str = CHAT, embed: str = SMALL, **asked: Any) -> tuple[Plan, Plan]:
    made = plan(model, embed=embed, **asked)
    assert made.fits, made.reason
    (beside,) = made.beside
    return made, beside


def split_of(made: Plan) -> MemorySplit:
    assert made.memory is not None
    return made.memory


def utilization(made: Plan) -> float:
    return float(made.vllm_fields["gpu_memory_utilization"])


def test_a_small_embedding_model_shares_the_gpu_and_costs_only_cores() -> None:
    alone = plan(CHAT, gpu_type="l40", num_gpus=1)
    made, beside = both(gpu_type="l40", num_gpus=1)
    assert (made.num_gpus, made.gpu_type) == (1, "l40")
    assert beside.device_ids == (0,)
    assert made.device_ids == ()
    assert alone.cpus is not None
    assert made.cpus is not None
    assert (alone.su_per_h or 0) < (made.su_per_h or 0) <= (alone.su_per_h or 0) + 3
    assert (beside.su_per_h, beside.su_total) == (0.0, 0.0)


@pytest.mark.parametrize("gpu_type", ["a100_3g.20gb", "l40", "a100_80gb", "h200"])
@pytest.mark.parametrize("embed", [SMALL, "qwen3-embedding-4b", "bge-m3"])
def test_both_shares_and_both_cuda_contexts_fit_into_the_gpu(gpu_type: str, embed: str) -> None:
    made, beside = both("qwen3-4b", embed, gpu_type=gpu_type, num_gpus=1)
    memory_gib = split_of(made).memory_gib
    contexts_gib = 2 * 0.5  # plan/reserve.py: one GPU each, so no NCCL
    assert utilization(made) + utilization(beside) <= 0.9
    assert memory_gib * (1 - utilization(made) - utilization(beside)) >= contexts_gib


def test_the_parts_of_the_gpu_add_up_with_the_model_beside() -> None:
    split = split_of(both(gpu_type="l40")[0])
    parts = split.model_dump()
    assert sum(parts.values()) - parts["memory_gib"] == pytest.approx(parts["memory_gib"], abs=0.01)
    assert split.beside_gib > 3


def test_the_embedding_model_gets_room_for_two_of_the_longest_texts_and_no_more() -> None:
    _, beside = both(gpu_type="l40")
    cache_bytes = beside.vllm_fields["kv_cache_memory_bytes"]
    # 28 layers x 8 KV heads x 128 values x 2 (keys, values) x 2 bytes; 16 tokens a block, one block over.
    assert cache_bytes == (2 * 8192 + 16) * 28 * 8 * 128 * 2 * 2
    assert 2.0 <= (beside.max_concurrency or 0) < 2.2


def test_an_encoder_needs_no_cache_of_its_own() -> None:
    _, beside = both(embed="bge-m3", gpu_type="l40")
    assert "kv_cache_memory_bytes" not in beside.vllm_fields
    assert utilization(beside) < 0.06


def test_what_the_chat_model_has_is_planned_with_what_is_left() -> None:
    alone, (made, _) = plan(CHAT, gpu_type="l40", num_gpus=1), both(gpu_type="l40", num_gpus=1)
    lost_gib = split_of(alone).kv_cache_gib - split_of(made).kv_cache_gib
    assert lost_gib == pytest.approx(split_of(made).beside_gib, abs=0.05)
    assert (made.kv_cache_tokens or 0) < (alone.kv_cache_tokens or 0)


def test_of_several_gpus_the_first_is_shared() -> None:
    made, beside = both("llama-3.1-70b-instruct", "bge-m3", gpu_type="a100_80gb", num_gpus=2)
    assert (made.tensor_parallel_size, made.device_ids) == (2, ())
    assert (beside.tensor_parallel_size, beside.device_ids) == (1, (0,))


def test_where_it_doesnt_fit_beside_it_gets_a_gpu_of_its_own() -> None:
    slices = {"gpu_type": "rtx_pro_6000_1g.24gb"}
    assert not plan("phi-4", embed="qwen3-embedding-8b", **slices, num_gpus=1).fits
    made, beside = both("phi-4", "qwen3-embedding-8b", **slices)
    assert (made.device_ids, beside.device_ids) == ((0,), (1,))
    assert (made.num_gpus, made.tensor_parallel_size) == (2, 1)
    assert (utilization(made), utilization(beside)) == (0.9, 0.9)
    assert split_of(made).beside_gib == 0


def test_a_refusal_names_what_the_embedding_model_has_and_launches_that_fit() -> None:
    refused = plan(CHAT, embed="e5-mistral-7b-instruct", gpu_type="a100_3g.20gb", num_gpus=1)
    assert "E5 Mistral 7B Instruct on the same GPU has 15.8 GiB of it." in refused.reason
    nearest = refused.alternatives[0]
    assert "--embed e5-mistral-7b-instruct" in nearest.command
    assert plan(**nearest.request.model_dump(exclude_none=True)).fits
    assert "without e5-mistral-7b-instruct" in refused.alternatives[-1].change


def test_a_chat_model_is_no_embedding_model() -> None:
    with pytest.raises(PlanError) as caught:
        plan(CHAT, embed="qwen3-4b")
    assert caught.value.message == "Qwen3 4B writes text; --embed takes a model that makes embeddings."
    assert SMALL in caught.value.remedy


def test_two_embedding_models_are_refused() -> None:
    with pytest.raises(PlanError, match="makes embeddings itself"):
        plan("bge-m3", embed=SMALL)


def test_an_unknown_embedding_model_names_the_nearest() -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        plan(CHAT, embed="qwen3-embeding-0.6b")
    assert SMALL in caught.value.remedy


def test_a_share_that_was_asked_for_is_that_of_both() -> None:
    made, beside = both(gpu_type="a100_80gb", gpu_memory_utilization=0.5)
    assert utilization(made) + utilization(beside) < 0.5


def test_why_shows_the_arithmetic_of_both() -> None:
    from curc_llm.plan.planner import make_plan, make_request
    from tests.plan.shipped import facts_of

    request = make_request({"model": CHAT, "embed": SMALL, "gpu_type": "l40"})
    names = [step.name for step in make_plan(request, facts_of("alpine"), with_why=True).why]
    assert "Qwen3 Embedding 0.6B: Weights on the fullest GPU" in names
    assert "Part of Qwen3 Embedding 0.6B on the first GPU" in names


def test_it_is_told_that_a_shared_gpu_answers_more_slowly() -> None:
    assert any("Both share a GPU" in told for told in both(gpu_type="l40")[0].warnings)
