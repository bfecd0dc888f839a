"""Planner: a request and the facts become a plan: a launch that works, or the reason why none does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic import ValidationError

from curc_llm.catalogue.model import Model
from curc_llm.catalogue.vllm_support import REMEDY
from curc_llm.errors import PlanError
from curc_llm.factfile import explain
from curc_llm.plan.alternatives import describe_launch, make_alternatives, name_launch
from curc_llm.plan.cautions import list_unverified, make_warnings
from curc_llm.plan.companion import check_chats, make_companion, share_step
from curc_llm.plan.cost import cost_steps
from curc_llm.plan.facts import Facts
from curc_llm.plan.host import host_step
from curc_llm.plan.node_limit import tell_what_nodes_would_give
from curc_llm.plan.plan import Alternative, Plan, Step
from curc_llm.plan.presets import Preset, find_preset
from curc_llm.plan.quantisation import use_of
from curc_llm.plan.refusal import Refusal
from curc_llm.plan.replicas import check_replicas, count_replicas
from curc_llm.plan.request import MOST_SEED, PlanRequest
from curc_llm.plan.search import Found, Search
from curc_llm.plan.speed import load_time_s
from curc_llm.plan.trial import Trial, with_steps
from curc_llm.plan.wants import make_wants
from curc_llm.plan.weights import checkpoint_bytes
from curc_llm.settings import KvCacheDtype

# Of a request, what the arithmetic of every launch depends on.
_SHAPE = (
    *("embed", "max_model_len", "max_num_seqs", "gpu_memory_utilization", "kv_cache_dtype"),
    "distributed_executor_backend",
)
MOST_SEARCHES = 32
# More GPUs help where these are in the way.
ABOUT_ROOM = ("weights", "context")
# What may stand there, for values whose rule pydantic tells in words for programmers.
_ALLOWED = {
    "account": "Slurm's names have letters, digits and . _ + - only.",
    "kv_cache_dtype": f"It can be {', '.join(get_args(KvCacheDtype))}.",
    "seed": f"It can be a whole number from 0 to {MOST_SEED}.",
}


def make_request(values: Mapping[str, Any]) -> PlanRequest:
    """A request from plain values, such as a form's or a notebook's.

    Raises:
        PlanError: a value makes no sense at any site, such as minus one GPU.

    Example:
        >>> make_request({"model": "m", "num_gpus": 2}).num_gpus
        2
    """
    try:
        return PlanRequest.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        if name in _ALLOWED:
            raise PlanError(f"`{name}` can't be {first['input']!r}.", _ALLOWED[name]) from error
        text = explain(first)
        raise PlanError(f"{text[:1].upper()}{text[1:]}", "Mend that value.") from error


def make_plan(request: PlanRequest, facts: Facts, with_why: bool = False) -> Plan:
    """Plans a launch; a refusal is a Plan too.

    Args:
        request: what was asked.
        facts: all that the planner may know.
        with_why: fill `why` with every formula and its numbers.

    Raises:
        ModelNotFoundError: the model is unknown; names the nearest.
        SiteError: a GPU type, partition or QoS is unknown; names the nearest.
        PlanError: a value makes no sense anywhere.

    Example:
        >>> plan = make_plan(PlanRequest(model="llama-3.1-8b-instruct", gpu_type="l40"), facts)
        >>> plan.fits, plan.num_gpus
        (True, 1)
    """
    search, request = make_search(request, facts)
    plan = plan_with(search, request, with_why=with_why)
    answer = search.find(request) if not plan.fits and not search.model.vllm_refusal else None
    if isinstance(answer, Refusal) and answer.kind in ABOUT_ROOM:
        return tell_what_nodes_would_give(plan, facts, _plan_alone)
    return plan


def _plan_alone(request: PlanRequest, facts: Facts) -> Plan:
    """The plan without others beside it."""
    search, request = make_search(request, facts)
    return plan_with(search, request, with_others=False)


def make_search(request: PlanRequest, facts: Facts) -> tuple[Search, PlanRequest]:
    """The search that answers a request, and the request with what a Hugging Face id implies.

    Raises:
        ModelNotFoundError: the model is unknown; names the nearest.
        PlanError: a value makes no sense anywhere.
    """
    check_replicas(request)
    preset = find_preset(request.preset, facts.presets)
    found = facts.find_model(request.model)
    name, model, named = found.name, found.model, found.weights
    if named is not None and named != model.weights[0]:
        others = tuple(weights for weights in model.weights if weights != named)
        model = model.model_copy(update={"weights": (named, *others)})
        request = request.model_copy(update={"quantisation": request.quantisation or named.format})
    return _search_for(request, name, model, preset, facts), request


def _search_for(request: PlanRequest, name: str, model: Model, preset: Preset, facts: Facts) -> Search:
    """The search for these wants; one that was made already, where there is one."""
    wants = make_wants(request, model, preset, facts.defaults)
    key = (name, id(model), request.preset, *(getattr(request, field) for field in _SHAPE))
    if key not in facts.worked_out:
        while len(facts.worked_out) >= MOST_SEARCHES:
            del facts.worked_out[next(iter(facts.worked_out))]
        companion = make_companion(request, facts)
        if companion is not None:
            check_chats(model.title, model)
        facts.worked_out[key] = Search(name, model, wants, facts, companion)
    search: Search = facts.worked_out[key]
    return search


def plan_with(search: Search, request: PlanRequest, with_why: bool = False, with_others: bool = True) -> Plan:
    """Plans with a search that may know some of it already; of a plan that fits, others only when wanted."""
    if search.model.vllm_refusal:
        return _refuse_model(search, request)
    found = search.find(request)
    if isinstance(found, Refusal):
        return _refuse(search, request, found)
    others = _others(search, request, found) if with_others else ()
    return _make_plan(search, request, found, others, with_why)


def _refuse_model(search: Search, request: PlanRequest) -> Plan:
    """For a model that vLLM refuses wherever it is launched."""
    return Plan(
        fits=False,
        reason=f"{search.model.vllm_refusal} {REMEDY}",
        alternatives=(),
        request=request,
        site=search.facts.site.name,
        model=search.name,
        title=search.model.title,
        preset=request.preset or "",
        hours=request.hours,
        gpu_type=request.gpu_type or "",
    )


def _refuse(search: Search, request: PlanRequest, refusal: Refusal) -> Plan:
    alternatives = make_alternatives(request, refusal, _finder(search))
    reason = refusal.reason
    if not alternatives:
        reason = f"{reason[:-1]}, and no other launch at {search.facts.site.title} fits either."
    trial = refusal.trial
    known = _numbers(trial) if trial is not None else {"gpu_type": request.gpu_type or ""}
    return Plan(
        fits=False,
        reason=reason,
        alternatives=alternatives,
        request=request,
        site=search.facts.site.name,
        model=search.name,
        title=search.model.title,
        preset=request.preset or "",
        hours=request.hours,
        **known,
    )


def _finder(search: Search) -> Callable[[PlanRequest], Found | Refusal]:
    """Works other requests for the same model out."""

    def find(request: PlanRequest) -> Found | Refusal:
        name, model, preset = search.name, search.model, find_preset(request.preset, search.facts.presets)
        return _search_for(request, name, model, preset, search.facts).find(request)

    return find


def _make_plan(
    search: Search, request: PlanRequest, found: Found, others: tuple[Alternative, ...], with_why: bool
) -> Plan:
    trial, facts = found.trial, search.facts
    model, weights, offer = trial.model, trial.choice.weights, trial.offer
    load_s = load_time_s(
        checkpoint_bytes(model.architecture, weights), facts.site.storage.read_gb_per_s, trial.num_nodes
    )
    return Plan(
        fits=True,
        alternatives=others,
        request=request,
        site=facts.site.name,
        model=search.name,
        title=model.title,
        preset=request.preset or "",
        revision=weights.revision,
        folder=model.folder,
        partition=offer.partition_name,
        qos=found.term.name,
        account=request.account or facts.site.account.default,
        cpus=found.host.cpus,
        memory_gib=found.host.memory_gib,
        hours=found.term.hours,
        load_time_s=round(load_s, 1),
        decode_tokens_per_s=None if trial.is_pooling else round(trial.tokens_per_s, 1),
        su_per_h=round(found.su_per_h, 2),
        su_total=round(found.su_total, 2),
        vllm_fields=_vllm_fields(request, trial),
        warnings=make_warnings(request, found, facts, load_s),
        unverified=list_unverified(found),
        why=_why(found, facts, count_replicas(request)) if with_why else (),
        device_ids=() if trial.beside is None or trial.is_shared else tuple(range(trial.num_gpus - 1)),
        beside=_plan_beside(search, request, found),
        replicas=count_replicas(request),
        **_numbers(trial),
    )


def _plan_beside(search: Search, request: PlanRequest, found: Found) -> tuple[Plan, ...]:
    """The plan of the embedding model that is served beside; the job's cost is the first model's."""
    trial, first, facts = found.trial.beside, found.trial, search.facts
    if trial is None or search.companion is None or request.embed is None:
        return ()
    weights = trial.choice.weights
    size = checkpoint_bytes(trial.model.architecture, weights)
    own = Plan(
        fits=True,
        request=PlanRequest(model=request.embed, seed=request.seed),
        site=facts.site.name,
        model=search.companion.name,
        title=trial.model.title,
        revision=weights.revision,
        folder=trial.model.folder,
        partition=first.offer.partition_name,
        qos=found.term.name,
        account=request.account or facts.site.account.default,
        hours=found.term.hours,
        load_time_s=round(load_time_s(size, facts.site.storage.read_gb_per_s, 1), 1),
        su_per_h=0.0,
        su_total=0.0,
        vllm_fields=_vllm_fields(request, trial),
        device_ids=(0,) if first.is_shared else (first.num_gpus - 1,),
        **_numbers(trial),
    )
    return (own,)


def _numbers(trial: Trial) -> dict[str, Any]:
    """What the arithmetic found, fitting or not."""
    fit, layout, choice = trial.fit, trial.layout, trial.choice
    use, _ = use_of(choice.quantisation, trial.offer.card)
    return {
        "hub_id": choice.weights.hub_id,
        "format": choice.weights.format,
        "quantisation": choice.quantisation,
        "quantisation_use": "" if use == "plain" else use,
        "gpu_type": trial.offer.gpu_name,
        "num_gpus": trial.num_gpus,
        "num_nodes": trial.num_nodes,
        "tensor_parallel_size": layout.tensor_parallel_size,
        "pipeline_parallel_size": layout.pipeline_parallel_size,
        "data_parallel_size": layout.data_parallel_size,
        "enable_expert_parallel": layout.enable_expert_parallel,
        "max_model_len": trial.wish.max_model_len,
        "max_num_seqs": trial.wish.max_num_seqs,
        "memory": fit.split,
        "weights_gib": round(fit.weights_gib, 2),
        "kv_cache_gib": round(max(0.0, fit.kv_cache_gib), 2),
        "kv_bytes_per_token": round(fit.kv_bytes_per_token, 1),
        "kv_cache_tokens": fit.kv_cache_tokens,
        "max_concurrency": round(trial.max_concurrency, 2),
    }


def _others(search: Search, request: PlanRequest, found: Found) -> tuple[Alternative, ...]:
    """What else is worth a look: finer weights; where GPU or count was left open, faster and smaller too."""
    is_open = request.gpu_type is None or not (request.num_gpus or request.num_nodes)
    others = {"finer weights": search.finer(request, found)}
    if is_open:
        others["faster"] = search.faster(request, found)
        smallest = search.smallest(request)
        if smallest is not None and smallest.gpu_su_per_h < found.gpu_su_per_h - 0.01:
            others["smallest"] = smallest
    unit = search.facts.site.billing.unit
    return tuple(
        name_launch(request, other, f"{kind}: {describe_launch(other, unit)}")
        for kind, other in others.items()
        if other is not None
    )


def _vllm_fields(request: PlanRequest, trial: Trial) -> dict[str, str | int | float | bool]:
    """The engine's settings by vLLM's names (vllm/engine/arg_utils.py); its defaults are left out."""
    model, wish, layout = trial.model, trial.wish, trial.layout
    is_pooling = trial.is_pooling
    fields: dict[str, str | int | float | bool | None] = {
        "revision": None if model.folder else trial.choice.weights.revision,
        "runner": "pooling" if is_pooling else None,
        "convert": "embed" if is_pooling else None,
        "max_model_len": wish.max_model_len,
        "max_num_seqs": wish.max_num_seqs,
        "max_num_batched_tokens": wish.max_num_batched_tokens,
        "gpu_memory_utilization": wish.gpu_memory_utilization,
        "kv_cache_memory_bytes": wish.kv_cache_memory_bytes,
        "tensor_parallel_size": layout.tensor_parallel_size,
        "pipeline_parallel_size": layout.pipeline_parallel_size
        if layout.pipeline_parallel_size > 1
        else None,
        "data_parallel_size": layout.data_parallel_size if layout.data_parallel_size > 1 else None,
        "distributed_executor_backend": request.distributed_executor_backend if trial.num_nodes > 1 else None,
        "enable_expert_parallel": layout.enable_expert_parallel or None,
        "quantization": "fp8" if trial.choice.is_online else None,
        "kv_cache_dtype": wish.kv_cache_dtype if wish.kv_cache_dtype != "auto" else None,
        "enforce_eager": wish.enforce_eager or None,
        "trust_remote_code": model.trust_remote_code or None,
        "tool_call_parser": model.tool_call_parser,
        "enable_auto_tool_choice": True if model.tool_call_parser else None,
        "reasoning_parser": model.reasoning_parser,
        "seed": request.seed,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _why(found: Found, facts: Facts, count: int) -> tuple[Step, ...]:
    trial = found.trial
    gpus_on_node = count * trial.num_gpus // trial.num_nodes
    checkpoint = checkpoint_bytes(trial.model.architecture, trial.choice.weights)
    return (
        *with_steps(trial).steps,
        *_steps_beside(trial),
        host_step(
            trial.offer,
            gpus_on_node,
            checkpoint,
            found.host,
            num_engines=count if trial.beside is None else 2,
        ),
        *cost_steps(
            facts.site.billing,
            found.term.qos,
            trial.offer.gpu,
            num_gpus=count * trial.num_gpus,
            cores=found.host.cpus * trial.num_nodes,
            hours=found.term.hours,
        ),
    )


def _steps_beside(trial: Trial) -> tuple[Step, ...]:
    """The embedding model's own arithmetic, where there is one."""
    if trial.beside is None:
        return ()
    steps = with_steps(trial.beside).steps
    named = tuple(step.model_copy(update={"name": f"{trial.beside.title}: {step.name}"}) for step in steps)
    return (*named, share_step(trial.beside, trial)) if trial.is_shared else named
