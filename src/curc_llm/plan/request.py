"""PlanRequest: what a person asked for. Everything but the model may be left to the planner."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from curc_llm.factfile import Frozen
from curc_llm.settings import KvCacheDtype, LoraRank

# What Slurm's accounting takes for a name, as far as shells and job scripts take it without quoting.
SLURM_NAME = r"^[A-Za-z0-9_][A-Za-z0-9._+-]*$"
MOST_SEED = 2**32 - 1  # numpy's, which vLLM seeds as well (vllm/utils/torch_utils.py, set_random_seed)


# More than any machine has and any model reads; larger numbers aren't meant, and can't be counted with.
MOST_GPUS = 100_000
MOST_REPLICAS = 64
MOST_REQUESTS = 1_000_000
MOST_TOKENS = 1_000_000_000


class PlanRequest(Frozen):
    """What was asked for; None means "choose for me".

    Args:
        model: a catalogue name, a Hugging Face id, or a folder.
        embed: likewise an embedding model, to be served beside it in the same job; None for none.
        quantisation: a format of the catalogue (`fp8`, `awq-int4` …), or `online-fp8`: BF16 weights that vLLM
            turns into FP8 while it loads them.
        partition, gpu_type, qos, account: Slurm's words at the site.
        num_gpus: of the whole launch, over all nodes and for all its models; of replicas, of each.
        replicas: engines of the model, on one node; None for one.
        num_nodes: nodes.
        hours: wall time in hours.
        preset: a name of presets.yml.
        max_model_len: context in tokens that a request may have.
        max_num_seqs: requests at once.
        tensor_parallel_size, pipeline_parallel_size, data_parallel_size: vLLM's own, where someone knows
            better.
        distributed_executor_backend: `mp` (vLLM's own) or `ray`, for launches over several nodes.
        gpu_memory_utilization: share of each GPU's memory that vLLM may use, for all models on it together.
        kv_cache_dtype: vLLM's own, of those that work on every engine build.
        cpus_per_task: cores of each node.
        seed: vLLM's own.
        max_loras, max_lora_rank: room for LoRA adapters; None for none, and for vLLM's own rank.
    """

    model: str
    embed: str | None = Field(default=None, min_length=1)
    quantisation: str | None = None
    partition: str | None = None
    gpu_type: str | None = None
    qos: str | None = None
    account: str | None = Field(default=None, pattern=SLURM_NAME, max_length=128)
    num_gpus: int | None = Field(default=None, ge=1, le=MOST_GPUS)
    num_nodes: int | None = Field(default=None, ge=1, le=MOST_GPUS)
    replicas: int | None = Field(default=None, ge=1, le=MOST_REPLICAS)
    hours: float | None = Field(default=None, gt=0)
    preset: str | None = None
    max_model_len: int | None = Field(default=None, ge=16, le=MOST_TOKENS)
    max_num_seqs: int | None = Field(default=None, ge=1, le=MOST_REQUESTS)
    tensor_parallel_size: int | None = Field(default=None, ge=1, le=MOST_GPUS)
    pipeline_parallel_size: int | None = Field(default=None, ge=1, le=MOST_GPUS)
    data_parallel_size: int | None = Field(default=None, ge=1, le=MOST_GPUS)
    distributed_executor_backend: Literal["mp", "ray"] | None = None
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    kv_cache_dtype: KvCacheDtype | None = None
    cpus_per_task: int | None = Field(default=None, ge=1, le=MOST_GPUS)
    seed: int | None = Field(default=None, ge=0, le=MOST_SEED)
    max_loras: int | None = Field(default=None, ge=1, le=64)
    max_lora_rank: LoraRank | None = None


def all_gpus(request: PlanRequest) -> int | None:
    """GPUs that were asked for, if only by parallel sizes; None when nothing says how many.

    Example:
        >>> all_gpus(PlanRequest(model="m", tensor_parallel_size=2, pipeline_parallel_size=3))
        6
    """
    asked = (request.tensor_parallel_size, request.pipeline_parallel_size, request.data_parallel_size)
    sizes = [size for size in asked if size is not None]
    return request.num_gpus or (None if request.num_nodes or not sizes else math.prod(sizes))
