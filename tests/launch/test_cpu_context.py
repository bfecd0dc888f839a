"""Without a GPU the context is what the KV cache holds; one that was asked for is never lowered."""

from __future__ import annotations

import pytest

from curc_llm.engine.machine import choose_cpu_kv_cache_gib
from curc_llm.errors import ModelDoesNotFitError
from curc_llm.launch.cpu_context import limit_context
from curc_llm.plan.plan import Plan
from curc_llm.plan.request import PlanRequest

TWO_GIB = {"VLLM_CPU_KVCACHE_SPACE": "2"}


def make_plan(tokens: int, kib_per_token: int = 112) -> Plan:
    return Plan(
        fits=True,
        request=PlanRequest(model="m"),
        title="Qwen3 0.6B",
        max_model_len=tokens,
        kv_bytes_per_token=kib_per_token * 1024,
        vllm_fields={"max_model_len": tokens},
    )


def test_a_wish_is_lowered_to_what_the_cache_holds() -> None:
    limited = limit_context(make_plan(32768), False, TWO_GIB)
    assert limited.max_model_len == limited.vllm_fields["max_model_len"] == 17 * 1024
    # 2 GiB / 112 KiB = 18,724 tokens; with a share kept back 17,787, and 17 x 1,024 is below.
    assert limited.max_model_len * 112 * 1024 < 2 * 2**30


def test_what_fits_stays() -> None:
    plan = make_plan(8192)
    assert limit_context(plan, False, TWO_GIB) == plan
    assert limit_context(make_plan(32768), False, {"VLLM_CPU_KVCACHE_SPACE": "40"}).max_model_len == 32768


def test_a_context_that_was_asked_for_is_refused_with_the_one_that_fits() -> None:
    with pytest.raises(ModelDoesNotFitError) as caught:
        limit_context(make_plan(32768), True, TWO_GIB)
    assert caught.value.message == (
        "32,768 tokens of Qwen3 0.6B need 3.5 GiB of KV cache; without a GPU a session here has 2 GiB."
    )
    assert "--max-model-len 17408" in caught.value.remedy


def test_the_cache_is_a_quarter_of_the_memory_but_small_for_the_bundled_model() -> None:
    assert 1 <= choose_cpu_kv_cache_gib() <= 8
    assert choose_cpu_kv_cache_gib(is_toy=True) == 1
    assert limit_context(make_plan(1024), False, {}).max_model_len == 1024
