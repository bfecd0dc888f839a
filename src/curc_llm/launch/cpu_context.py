"""The context that a model can have without a GPU, where the KV cache has a size of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping

from curc_llm.engine.machine import choose_cpu_kv_cache_gib
from curc_llm.errors import ModelDoesNotFitError
from curc_llm.plan.plan import Plan

GIB = 2**30
# vLLM hands the cache out in blocks of 128 tokens on CPUs (vllm/platforms/cpu.py) and keeps one for itself; a
# hybrid model's blocks are larger. A twentieth covers it.
USABLE_SHARE = 0.95
CLEAN_TOKENS = 1024


def limit_context(
    plan: Plan, is_asked: bool, environ: Mapping[str, str] | None = None, *, num_engines: int = 1
) -> Plan:
    """The plan with no more context than the KV cache of a session without GPU holds.

    Args:
        plan: one that fits into the host's memory.
        is_asked: True when a person named the context: then it isn't lowered but refused.
        environ: the environment, where VLLM_CPU_KVCACHE_SPACE may say the cache's size in GiB.
        num_engines: of the session, which share the memory.

    Raises:
        ModelDoesNotFitError: the context that was asked for doesn't fit.
    """
    cache_gib = cpu_cache_gib(os.environ if environ is None else environ, num_engines)
    per_token, tokens = plan.kv_bytes_per_token, plan.max_model_len
    if not per_token or tokens is None:
        return plan
    room = int(cache_gib * GIB * USABLE_SHARE / per_token)
    if tokens <= room:
        return plan
    clean = room // CLEAN_TOKENS * CLEAN_TOKENS or room
    if is_asked or room < min(tokens, CLEAN_TOKENS):
        needed_gib = tokens * per_token / GIB
        raise ModelDoesNotFitError(
            f"{tokens:,} tokens of {plan.title} need {needed_gib:,.1f} GiB of KV cache; without a GPU a "
            f"session here has {cache_gib:g} GiB.",
            f"What fits here: --max-model-len {clean}; or set VLLM_CPU_KVCACHE_SPACE, the cache's GiB.",
        )
    fields = {**plan.vllm_fields, "max_model_len": clean}
    return plan.model_copy(update={"max_model_len": clean, "vllm_fields": fields})


def cpu_cache_gib(environ: Mapping[str, str], num_engines: int, *, is_toy: bool = False) -> float:
    """GiB of KV cache that each engine of a session without GPU gets.

    Args:
        environ: the environment, where VLLM_CPU_KVCACHE_SPACE may say it.
        num_engines: of the session.
        is_toy: True for the bundled model.
    """
    text = environ.get("VLLM_CPU_KVCACHE_SPACE", "")
    if text.replace(".", "", 1).isdigit():
        return float(text)
    return float(choose_cpu_kv_cache_gib(num_engines=num_engines, is_toy=is_toy))
