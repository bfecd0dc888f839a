"""What a person asks of the planner when they start a session on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from curc_llm.plan.planner import make_request
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings
from curc_llm.spec.adapter import MOST_AT_ONCE

# Of the settings' defaults these are wishes, which the planner may lower; all others are asked for.
WISHES = {"max_model_len", "max_num_seqs", "gpu_memory_utilization", "time_h"}
# Slurm's words mean nothing on the machine itself.
OF_SLURM = {"partition", "gpu_type", "qos", "account", "num_nodes", "cpus_per_task"}
# vLLM's CPU build spreads over cores and takes memory in its own ways.
OF_GPUS = {
    "num_gpus",
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "data_parallel_size",
    "distributed_executor_backend",
    "gpu_memory_utilization",
}


def make_local_request(
    settings: Settings,
    wanted: str,
    given: Mapping[str, Any],
    *,
    device: Literal["cuda", "cpu"],
    time_h: float | None = None,
    num_engines: int = 1,
) -> PlanRequest:
    """The request for one model of a session on this machine.

    Args:
        settings: the person's own.
        wanted: a settings entry, a name of the catalogue, a Hugging Face id, or a folder.
        given: values from the command line by name; None means not given.
        device: with `cpu` nothing is said of GPUs.
        time_h: wall time in hours.
        num_engines: engines of the session: they share the GPUs' memory.

    Raises:
        PlanError: a value makes no sense.
    """
    own = settings.models.get(wanted)
    values = settings.defaults.model_dump(exclude_none=True, exclude=WISHES)
    values |= own.model_dump(exclude_none=True) if own is not None else {}
    values |= {name: value for name, value in given.items() if value is not None}
    values.setdefault("model", wanted)
    if adapters := values.get("adapters"):
        values.setdefault("max_loras", min(len(adapters), MOST_AT_ONCE))
    if hours := time_h or values.get("time_h"):
        values["hours"] = hours
    if num_engines > 1 and "gpu_memory_utilization" not in values:
        share = settings.defaults.gpu_memory_utilization or 0.9
        values["gpu_memory_utilization"] = round(share / num_engines, 3)
    dropped = OF_SLURM | (OF_GPUS if device == "cpu" else set())
    return make_request(
        {k: v for k, v in values.items() if k in PlanRequest.model_fields and k not in dropped}
    )


def make_site_request(settings: Settings, asked: PlanRequest) -> PlanRequest:
    """The request for a site: what was asked, then the settings' entry of that name, then their defaults.

    Args:
        settings: the person's own.
        asked: its models may be entries of the settings.

    Raises:
        PlanError: a value makes no sense.
    """
    own = settings.models.get(asked.model)
    values = settings.defaults.model_dump(exclude_none=True, exclude=WISHES)
    values |= own.model_dump(exclude_none=True) if own is not None else {}
    if hours := values.get("time_h"):
        values["hours"] = hours
    if adapters := values.get("adapters"):
        values.setdefault("max_loras", min(len(adapters), MOST_AT_ONCE))
    values |= asked.model_dump(exclude_none=True, exclude={"model"})
    values["model"] = (own.model if own is not None else None) or asked.model
    if asked.embed is not None and (entry := settings.models.get(asked.embed)) is not None:
        values["embed"] = entry.model or asked.embed
    return make_request({k: v for k, v in values.items() if k in PlanRequest.model_fields and v != 0})
