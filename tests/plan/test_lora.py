"""The room for LoRA adapters, beside what vLLM's own shapes add up to."""

from __future__ import annotations

from typing import Any

import pytest

from curc_llm.catalogue.load import load_catalogue
from curc_llm.plan.facts import load_facts
from curc_llm.plan.layout import Layout
from curc_llm.plan.lora import lora_gib
from curc_llm.plan.planner import make_plan
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import load_settings

GIB = 2**30
MODELS = load_catalogue().models


def count_llama_8b(rank: int, tensor_parallel_size: int) -> int:
    """Bytes by the shapes of Llama 3.1 8B's config.json; q, k, v, gate and up are split by their outputs."""
    hidden, inner, kv, tp = 4096, 14336, 1024, tensor_parallel_size
    columns = [(hidden, hidden // tp), *2 * [(hidden, kv // tp)], *2 * [(hidden, inner // tp)]]
    rows = [(hidden // tp, hidden), (inner // tp, hidden)]
    return 32 * rank * 2 * sum(inputs + outputs for inputs, outputs in [*columns, *rows])


@pytest.mark.parametrize("tensor_parallel_size", [1, 2, 4])
@pytest.mark.parametrize("rank", [8, 64])
def test_a_dense_model_s_room_is_what_its_shapes_say(rank: int, tensor_parallel_size: int) -> None:
    arch = MODELS["llama-3.1-8b-instruct"].architecture
    found = lora_gib(arch, Layout(tensor_parallel_size=tensor_parallel_size), 1, rank) * GIB
    assert found == pytest.approx(count_llama_8b(rank, tensor_parallel_size), rel=0.01)


def test_each_expert_has_a_matrix_of_its_own() -> None:
    arch = MODELS["qwen3-30b-a3b-instruct-2507"].architecture
    # 48 layers of 128 experts with three matrices of 2048 x 768 (config.json of Qwen3-30B-A3B).
    experts = 48 * 128 * 3 * 16 * 2 * (2048 + 768)
    assert experts / GIB < lora_gib(arch, Layout(), 1) < 1.1 * experts / GIB


def plan(**asked: Any) -> float:
    made = make_plan(
        PlanRequest(model="llama-3.1-8b-instruct", gpu_type="a100_80gb", num_gpus=1, **asked),
        load_facts(load_settings(environ={"HOME": "/nowhere"}), "alpine"),
    )
    assert made.fits
    assert made.memory is not None
    return made.memory.kv_cache_gib


def test_a_plan_takes_the_room_from_the_kv_cache() -> None:
    lost = plan() - plan(max_loras=4, max_lora_rank=64)
    assert lost == pytest.approx(4 * count_llama_8b(64, 1) / GIB, rel=0.02)
