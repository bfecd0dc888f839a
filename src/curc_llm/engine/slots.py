"""Slots: requests that vLLM runs at once where nobody said how many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from curc_llm.engine.gpu_facts import GpuFacts
from curc_llm.spec import EngineSpec

ON_CPU = 128
ON_GPU = 256
ON_LARGE_GPU = 1024
LARGE_GIB = 70
LARGEST_GIB = 160


def choose_num_seqs(spec: EngineSpec, device: Literal["cuda", "cpu"], gpus: Sequence[GpuFacts]) -> int | None:
    """What `--max-num-seqs` is given: what was asked for, else vLLM's own default for an API server here.

    Nobody tells what vLLM has chosen (neither its log nor its metrics), and the gateway must know, since it
    keeps some of these slots free for who is in a hurry. So the default is worked out as vLLM does and given
    as a flag: what the gateway counts with is what vLLM runs with.

    Source: vllm/engine/arg_utils.py, get_batch_defaults (0.32.0), UsageContext.OPENAI_API_SERVER.

    Args:
        spec: the engine.
        device: what it runs on.
        gpus: those that it may use; vLLM looks at the first.

    Returns:
        Requests at once, of each data-parallel copy; None where no GPU can be seen, so that vLLM chooses.

    Example:
        >>> spec = EngineSpec(served_model_name="m", model="/m", is_local=True)
        >>> choose_num_seqs(spec, "cpu", ()), choose_num_seqs(spec, "cuda", (GpuFacts("H100", 79.6, 79.0),))
        (128, 1024)
    """
    if spec.max_num_seqs is not None:
        return spec.max_num_seqs
    default = _choose_default(spec, device, gpus)
    # vLLM takes its own default down to that, and refuses a flag that is larger.
    return default and min(default, spec.max_num_batched_tokens or default)


def _choose_default(spec: EngineSpec, device: Literal["cuda", "cpu"], gpus: Sequence[GpuFacts]) -> int | None:
    if device == "cpu":
        return ON_CPU * (spec.tensor_parallel_size or 1) * (spec.pipeline_parallel_size or 1)
    if not gpus or not gpus[0].memory_gib:
        return None
    gpu = gpus[0]
    is_large = gpu.memory_gib >= LARGEST_GIB or (
        gpu.memory_gib >= LARGE_GIB and "a100" not in gpu.name.lower()
    )
    return ON_LARGE_GPU if is_large else ON_GPU
