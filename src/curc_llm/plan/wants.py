"""Wants: what person, preset, model and settings together ask of one launch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from curc_llm.catalogue.model import Model
from curc_llm.errors import PlanError
from curc_llm.plan.facts import Wishes
from curc_llm.plan.presets import Preset
from curc_llm.plan.request import PlanRequest

POOLING_TOKENS = 8192  # embeddings of longer texts mean little, and each step must hold a whole one
LEAST_TOKENS = 2048  # a launch with less context is refused unless somebody asked for it


@dataclass(frozen=True)
class Wants:
    """What is asked of a launch, whatever the GPU.

    Args:
        context_tokens: context that is wanted, never beyond the model's.
        is_context_asked: True when a person named it; then it isn't lowered.
        least_tokens: context below which a launch is useless.
        room_tokens, room_requests: what a recommended GPU has room for.
        default_hours: wall time when none is asked for, in hours.
        uses_ray: whether Ray was asked for.
        max_loras, max_lora_rank: room for adapters.
    """

    preset: Preset
    context_tokens: int
    is_context_asked: bool
    least_tokens: int
    room_tokens: int
    room_requests: int
    max_num_seqs: int
    gpu_memory_utilization: float
    kv_cache_dtype: str
    enforce_eager: bool
    is_pooling: bool
    default_hours: float
    uses_ray: bool = False
    max_loras: int = 0
    max_lora_rank: int | None = None


def make_wants(request: PlanRequest, model: Model, preset: Preset, defaults: Wishes) -> Wants:
    """The first of request, preset, model and settings that says something wins.

    Raises:
        PlanError: a number that makes no sense anywhere.
    """
    if request.hours is not None and not math.isfinite(request.hours):
        raise PlanError(f"hours can't be {request.hours}.", "Give the wall time in hours, such as --hours 4.")
    own = model.defaults
    longest = model.max_context_tokens
    wanted = request.max_model_len or preset.max_model_len or own.max_model_len or defaults.max_model_len
    seqs = request.max_num_seqs or preset.max_num_seqs or own.max_num_seqs or defaults.max_num_seqs
    asked = request.max_model_len is not None
    is_pooling = model.uses[0] == "embeddings"
    context = min(wanted, longest, longest if asked or not is_pooling else POOLING_TOKENS)
    return Wants(
        preset=preset,
        context_tokens=context,
        is_context_asked=asked,
        least_tokens=context if asked else min(LEAST_TOKENS, longest),
        room_tokens=min(preset.room_context_tokens, longest, context if asked else longest),
        room_requests=preset.room_requests,
        max_num_seqs=seqs,
        gpu_memory_utilization=request.gpu_memory_utilization or defaults.gpu_memory_utilization,
        kv_cache_dtype=request.kv_cache_dtype or own.kv_cache_dtype or "auto",
        enforce_eager=preset.enforce_eager,
        is_pooling=is_pooling,
        default_hours=preset.hours or defaults.hours,
        uses_ray=request.distributed_executor_backend == "ray",
        max_loras=0 if is_pooling else request.max_loras or 0,
        max_lora_rank=request.max_lora_rank,
    )
