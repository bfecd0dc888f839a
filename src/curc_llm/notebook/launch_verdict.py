"""What the launch widget says of a choice: whether it fits, what it gives and costs, what else would do."""

from __future__ import annotations

from typing import Any

from curc_llm.chat.durations import render_rough_duration
from curc_llm.errors import CurcLlmError
from curc_llm.launch.site_plan import RefusedError
from curc_llm.notebook.launch_choices import Place, name_gpu
from curc_llm.plan.facts import Facts
from curc_llm.plan.plan import Alternative, Plan
from curc_llm.plan.table import CHAT_TOKENS

MOST_OTHERS = 3
_MEMORY = (("weights", "Model"), ("chats", "Chats"), ("work", "Working space"), ("free", "Kept free"))


def judge_plan(plan: Plan, facts: Facts) -> dict[str, Any]:
    """The verdict on a launch at a site.

    Args:
        plan: of exactly what was chosen; a refusal is one too.
        facts: of the site, for its unit and its models.
    """
    if not plan.fits:
        return refuse(plan.reason, others=[_other(a, facts) for a in plan.alternatives[:MOST_OTHERS]])
    return {
        "kind": "fits",
        "title": f"Fits on {plan.num_gpus} × {_name_gpu(plan, facts)}",
        "text": "",
        "memory": _memory(plan),
        "figures": [pair for pair in _figures(plan, facts) if pair[1]],
        "notes": [*_gated(plan, facts), *plan.warnings],
        "others": [],
    }


def refuse(text: str, remedy: str = "", others: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The verdict on what can't be launched."""
    said = f"{text} {remedy}".strip() if not others else text
    nothing: dict[str, Any] = {"memory": [], "figures": [], "notes": []}
    return {"kind": "refused", "title": "This doesn't work", "text": said, "others": others or [], **nothing}


def refuse_error(error: CurcLlmError, facts: Facts) -> dict[str, Any]:
    """The verdict on what raised an error while it was planned."""
    if isinstance(error, RefusedError):
        return judge_plan(error.plan, facts)
    return refuse(error.message, error.remedy)


def judge_local(notes: tuple[str, ...], plan: Plan | None, hours: float | None) -> dict[str, Any]:
    """The verdict on a session on this machine.

    Args:
        notes: what the planner wants told.
        plan: its answer; None where a model needs no plan, or nothing is known of it.
        hours: wall time; None for no end.
    """
    tokens = plan.max_model_len if plan is not None else None
    told = [["Context", f"{tokens:,} tokens" if tokens else ""]]
    ends = f"after {hours:g} h" if hours else "when you stop it"
    return {
        "kind": "fits",
        "title": "Runs on this machine",
        "text": "",
        "memory": _memory(plan) if plan is not None and plan.memory is not None else [],
        "figures": [pair for pair in [*told, ["Ends", ends], ["Cost", "none"]] if pair[1]],
        "notes": list(notes),
        "others": [],
    }


def _figures(plan: Plan, facts: Facts) -> list[list[str]]:
    unit, hours = facts.site.billing.unit, plan.hours or 0.0
    return [
        ["Chats at once", _chats(plan)],
        ["Context", f"{plan.max_model_len:,} tokens" if plan.max_model_len else ""],
        ["One answer", f"about {plan.decode_tokens_per_s:,.0f} tokens/s" if plan.decode_tokens_per_s else ""],
        ["Ready", f"{render_rough_duration(plan.load_time_s)} after it starts" if plan.load_time_s else ""],
        ["Format of the weights", plan.quantisation],
        ["Cost per hour", f"{plan.su_per_h:,.1f} {unit}" if plan.su_per_h is not None else ""],
        ["Cost at most", f"{plan.su_total:,.0f} {unit} for {hours:g} h" if plan.su_total is not None else ""],
        ["QoS", plan.qos],
    ]


def _chats(plan: Plan) -> str:
    """How many chats of CHAT_TOKENS fit at once, as the portal's form tells it."""
    if plan.decode_tokens_per_s is None or not plan.max_model_len:
        return ""
    tokens = min(CHAT_TOKENS, plan.max_model_len)
    room = (plan.kv_cache_tokens or 0) * (plan.data_parallel_size or 1) // tokens
    return f"{room:,} of {tokens:,} tokens each" if room else "not a full one"


def _memory(plan: Plan) -> list[dict[str, Any]]:
    """The parts of the fullest GPU's memory, for a bar."""
    split = plan.memory
    if split is None:
        return []
    work = split.activations_gib + split.cuda_graphs_gib + split.runtime_gib
    sizes = {"weights": split.weights_gib, "chats": split.kv_cache_gib, "work": work}
    sizes["free"] = max(0.0, split.memory_gib - sum(sizes.values()))
    return [{"part": part, "name": name, "gib": round(sizes[part], 1)} for part, name in _MEMORY]


def _gated(plan: Plan, facts: Facts) -> list[str]:
    model = facts.models.get(plan.model)
    if model is None or not model.gated or any("token" in warning for warning in plan.warnings):
        return []
    page = f"https://huggingface.co/{plan.hub_id}"
    return [f"It asks for an agreement: accept it on {page}, then run `curc-llm token` once in a shell."]


def _other(other: Alternative, facts: Facts) -> dict[str, Any]:
    request = other.request
    values: dict[str, Any] = {
        "hours": f"{request.hours:g}" if request.hours else "",
        "preset": request.preset or "",
        "qos": request.qos or "",
        "context_tokens": str(request.max_model_len) if request.max_model_len else "",
    }
    if request.gpu_type and request.num_gpus:
        partition = request.partition or _partition_of(request.gpu_type, facts)
        values["gpus"] = Place(partition, request.gpu_type, request.num_gpus).slug
    return {"label": other.change, "values": values}


def _name_gpu(plan: Plan, facts: Facts) -> str:
    cards = (o.card.title for o in facts.offers if o.gpu_name == plan.gpu_type)
    return name_gpu(next(cards, plan.gpu_type))


def _partition_of(gpu_type: str, facts: Facts) -> str:
    return next((o.partition_name for o in facts.offers if o.gpu_name == gpu_type), "")
