"""Table: a site's plans worked out beforehand, for a form that only looks things up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from curc_llm.catalogue.model import Model
from curc_llm.plan.candidates import make_counts
from curc_llm.plan.facts import Facts
from curc_llm.plan.limits import allowed_qos
from curc_llm.plan.offer import Offer
from curc_llm.plan.plan import Plan
from curc_llm.plan.planner import make_search, plan_with
from curc_llm.plan.refusal import Refusal
from curc_llm.plan.request import PlanRequest
from curc_llm.sites.lookup import find_gpu

TABLE_VERSION = 1
CHAT_TOKENS = 8192  # the form tells how many chats of this length fit at once
# What a row of a plan that fits holds, in this order.
COLUMNS = (
    "quantisation",
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "data_parallel_size",
    "num_nodes",
    "max_model_len",
    "max_concurrency",
    "chats",
    "weights_gib",
    "kv_cache_gib",
    "work_gib",
    "cpus",
    "memory_gib",
    "su_per_h",
    "load_time_s",
    "decode_tokens_per_s",
)

Row = list[Any]


def make_table(facts: Facts) -> dict[str, Any]:
    """Every model on every GPU type and count of a site, for every goal, as plain JSON values.

    `plans` is model → `GPU:COUNT` → preset → row. A row is a list with the values of `columns` when the
    launch fits, else `[reason, alternatives]`. The preset `""` is the plan without one; a missing one has
    that row, and where both are refused the plain one's reason says enough.
    """
    return {
        "version": TABLE_VERSION,
        "site": _describe_site(facts),
        "gpus": {offer.gpu_name: _describe_gpu(offer, facts) for offer in facts.offers},
        "presets": {name: _describe_preset(name, facts) for name in facts.presets.presets},
        "models": {name: _describe_model(model, facts) for name, model in facts.models.items()},
        "chat_tokens": CHAT_TOKENS,
        "columns": list(COLUMNS),
        "plans": {name: _plan_model(name, facts) for name in facts.models},
    }


def render_table(table: Mapping[str, Any]) -> str:
    """The table as JSON, one entry a line, so that a change of one figure is one line of a diff.

    Example:
        >>> print(render_table({"b": {"y": 1, "x": [2]}, "a": 3}), end="")
        {
        "a": 3,
        "b": {
        "x": [2],
        "y": 1
        }
        }
    """
    return "{\n" + ",\n".join(_render_part(name, table[name]) for name in sorted(table)) + "\n}\n"


def _render_part(name: str, value: Any) -> str:
    if not isinstance(value, Mapping) or not value:
        return f"{json.dumps(name)}: {_compact(value)}"
    if name == "plans":
        lines = (_render_part(model, value[model]) for model in sorted(value))
    else:
        lines = (f"{json.dumps(key)}: {_compact(value[key])}" for key in sorted(value))
    return f"{json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n}"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _describe_site(facts: Facts) -> dict[str, Any]:
    site = facts.site
    return {
        "name": site.name,
        "title": site.title,
        "unit": site.billing.unit,
        "account_required": site.account.is_required,
        "accounts": list(site.account.examples),
        "default_hours": facts.defaults.hours,
        "qos": {
            name: {
                "max_time_h": qos.max_time_h,
                "min_time_h": qos.min_time_h,
                "billing_factor": qos.billing_factor,
                "is_for_tests": qos.is_for_tests,
            }
            for name, qos in site.qos.items()
        },
    }


def _describe_gpu(offer: Offer, facts: Facts) -> dict[str, Any]:
    limits = allowed_qos(facts.site, offer)
    return {
        "partition": offer.partition_name,
        "title": offer.card.title,
        "memory_gb": offer.card.memory_gb,
        "memory_gib": offer.card.memory_gib,
        "gres": find_gpu(facts.site, offer.gpu_name, offer.partition_name).gres,
        "gpus_per_node": offer.gpus_per_node,
        "su_per_gpu_h": offer.gpu.su_per_gpu_h,
        "max_cores_per_gpu": offer.gpu.max_cores_per_gpu,
        "counts": list(make_counts(facts.site, offer, PlanRequest(model=""))),
        "qos": {name: limit.max_gpus_per_user for name, limit in limits.items()},
        "on_request": offer.gpu.on_request,
        "exclusive": offer.partition.keeps_others_away(facts.site.billing),
        "is_mig": offer.card.is_mig,
    }


def _describe_preset(name: str, facts: Facts) -> dict[str, Any]:
    preset = facts.presets.presets[name]
    return {
        "title": preset.title,
        "description": preset.description,
        "goal": preset.goal,
        "model": preset.model,
        "has_plans": name in _planned_presets(facts),
    }


def _describe_model(model: Model, facts: Facts) -> dict[str, Any]:
    first = model.weights[0]
    return {
        "title": model.title,
        "hub_id": first.hub_id,
        "uses": list(model.uses),
        "modalities": list(model.modalities),
        "gated": model.gated,
        "licence": model.licence,
        "licence_note": model.licence_note,
        "max_context_tokens": model.max_context_tokens,
        "has_chat_template": model.has_chat_template,
        "at_site": bool(facts.site.storage.models_dir) and any(w.site_path for w in model.weights),
    }


def _planned_presets(facts: Facts) -> tuple[str, ...]:
    """The presets that change a plan: those that only name a model are the plan of that model."""
    plain = {"title", "description", "model", "source", "sources", "verified"}
    return tuple(name for name, preset in facts.presets.presets.items() if preset.model_fields_set - plain)


def _plan_model(name: str, facts: Facts) -> dict[str, dict[str, Row]]:
    rows: dict[str, dict[str, Row]] = {}
    for preset in ("", *_planned_presets(facts)):
        for offer in facts.offers:
            for key, request in _requests(name, preset, offer, facts):
                row = _plan_row(request, rows.get(key, {}).get(""), facts)
                if row != rows.setdefault(key, {}).setdefault("", row):
                    rows[key][preset] = row
    return rows


def _plan_row(request: PlanRequest, plain: Row | None, facts: Facts) -> Row:
    """The row of a request; `plain` (the row without a preset) where both are refused."""
    search, wanted = make_search(request, facts)
    was_refused = plain is not None and len(plain) == 2
    if plain is not None and was_refused and isinstance(search.find(wanted), Refusal):
        return plain
    return _make_row(plan_with(search, wanted, with_others=False))


def _requests(name: str, preset: str, offer: Offer, facts: Facts) -> Iterator[tuple[str, PlanRequest]]:
    counts = make_counts(facts.site, offer, PlanRequest(model=name))
    for num_gpus in counts:
        request = PlanRequest(
            model=name,
            preset=preset or None,
            partition=offer.partition_name,
            gpu_type=offer.gpu_name,
            num_gpus=num_gpus,
        )
        yield f"{offer.gpu_name}:{num_gpus}", request


def _make_row(plan: Plan) -> Row:
    if not plan.fits:
        return [plan.reason, [_name_alternative(a.request) for a in plan.alternatives]]
    split = plan.memory
    work = split.activations_gib + split.cuda_graphs_gib + split.runtime_gib if split is not None else 0.0
    own = {"work_gib": work, "chats": _count_chats(plan)}
    return [_short(own[name] if name in own else getattr(plan, name)) for name in COLUMNS]


def _count_chats(plan: Plan) -> float:
    """Chats of CHAT_TOKENS that fit at once; a shorter context holds shorter chats."""
    tokens = min(CHAT_TOKENS, plan.max_model_len or CHAT_TOKENS)
    copies = plan.data_parallel_size or 1
    return (plan.kv_cache_tokens or 0) * copies / tokens


def _name_alternative(request: PlanRequest) -> str:
    return f"{request.gpu_type}:{request.num_gpus}:{request.quantisation}"


def _short(value: Any) -> Any:
    """Three digits of a fraction are more than an estimate has."""
    if not isinstance(value, float):
        return value
    return round(value) if value >= 100 else round(value, 1)
