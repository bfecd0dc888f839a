"""What to type instead of a launch that can't work on this machine."""

from __future__ import annotations

from collections.abc import Iterable

from curc_llm.plan.plan import Alternative
from curc_llm.plan.request import PlanRequest

NUM_ALTERNATIVES = 3
# What `curc-llm serve` takes of a request, by its options' names.
SERVE_OPTIONS = {
    *("quantisation", "num_gpus", "preset", "max_model_len", "max_num_seqs", "gpu_memory_utilization"),
    *("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "seed"),
}


def render_remedy(alternatives: Iterable[Alternative], asked: PlanRequest) -> str:
    """The nearest launches that fit, as one sentence with what to add to the command."""
    told = [f"{a.change} ({flags})" for a in alternatives if (flags := render_changes(a.request, asked))]
    if not told:
        return "See what fits where with: curc-llm plan"
    return f"What fits here: {'; or '.join(told[:NUM_ALTERNATIVES])}."


def render_changes(request: PlanRequest, asked: PlanRequest) -> str:
    """What to add to `curc-llm serve` to get another request; empty when serve has no option for it.

    Example:
        >>> render_changes(PlanRequest(model="m", max_model_len=8192), PlanRequest(model="m"))
        '--max-model-len 8192'
    """
    before, after = asked.model_dump(), request.model_dump()
    if request.gpu_type == "cpu":  # the local site's name for a machine without GPUs
        after["num_gpus"] = None
    changed = {n: v for n, v in after.items() if v is not None and v != before[n] and n in SERVE_OPTIONS}
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in changed.items())
