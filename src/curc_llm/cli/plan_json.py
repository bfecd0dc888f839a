"""A plan as JSON: the keys that scripts rely on, then more."""

from __future__ import annotations

import math
from typing import Any

from curc_llm.plan.flags import render_flags
from curc_llm.plan.plan import Alternative, Plan

# Fixed: scripts read these. A refusal has the same ones; what could not be worked out is null.
FIXED = (
    "fits",
    "reason",
    "alternatives",
    "partition",
    "gpu_type",
    "num_gpus",
    "num_nodes",
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "data_parallel_size",
    "max_model_len",
    "weights_gib",
    "kv_cache_gib",
    "kv_bytes_per_token",
    "max_concurrency",
    "su_per_h",
    "su_total",
    "vllm_args",
    "warnings",
)
MORE = (
    "site",
    "model",
    "title",
    "hub_id",
    "revision",
    "folder",
    "format",
    "quantisation",
    "quantisation_use",
    "preset",
    "qos",
    "account",
    "cpus",
    "memory_gib",
    "hours",
    "enable_expert_parallel",
    "max_num_seqs",
    "kv_cache_tokens",
    "load_time_s",
    "decode_tokens_per_s",
    "unverified",
    "device_ids",
    "replicas",
)


def make_plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON values: `FIXED` keys first, in this order."""
    values = plan.model_dump(mode="json")
    values["alternatives"] = [make_alternative_json(a) for a in plan.alternatives]
    if values["memory"] is not None:
        values["memory"] = {name: round(gib, 3) for name, gib in values["memory"].items()}
    values["vllm_args"] = render_flags(plan.vllm_fields) if plan.fits else []
    values["beside"] = [make_plan_json(other) for other in plan.beside]
    named = (*FIXED, *MORE, "memory", "why", "beside")
    return {name: _finite(values[name]) for name in named}


def _finite(value: Any) -> Any:
    """The value with None for what JSON has no number for (RFC 8259, 6): a site's price can be absurd."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def make_alternative_json(alternative: Alternative) -> dict[str, Any]:
    """An alternative: what is different, the command, what it costs, and what it asks for."""
    return {
        "change": alternative.change,
        "command": alternative.command,
        "su_total": alternative.su_total,
        "request": alternative.request.model_dump(mode="json", exclude_none=True),
    }
