"""Planning a session on this machine before anything is started: what can't fit is refused here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curc_llm.catalogue.weight_files import find_weights
from curc_llm.errors import LaunchError, ModelDoesNotFitError, ModelNotFoundError
from curc_llm.launch.asked import make_local_request
from curc_llm.launch.cpu_context import limit_context
from curc_llm.launch.fact_files import digest_facts
from curc_llm.launch.hub_cache import find_downloaded, keep_downloaded
from curc_llm.launch.remedy import render_remedy
from curc_llm.plan.facts import Facts, load_facts
from curc_llm.plan.plan import Plan
from curc_llm.plan.planner import make_plan
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings
from curc_llm.sites.load import LOCAL
from curc_llm.spec import LaunchSpec, Origin, is_demo, is_hub_id
from curc_llm.spec.model_folder import find_model_folder


@dataclass(frozen=True)
class Planned:
    """What the planner said to a session's models.

    Args:
        origins: one for each model.
        notes: what a person should know, in sentences.
        site: where it was planned for; empty when there was nothing to plan.
        facts_digest: of the fact files that were planned with.
    """

    origins: tuple[Origin, ...]
    notes: tuple[str, ...] = ()
    site: str = ""
    facts_digest: str = ""

    def weights_gib(self, replicas: int) -> tuple[float, ...]:
        """GiB of weights of each engine, the replicas of a model together; 0 where nobody knows."""
        plans = [origin.plan for origin in self.origins]
        each = [(plan.weights_gib or 0.0) if plan is not None else 0.0 for plan in plans]
        return tuple(gib for gib in each for _ in range(replicas))


def plan_engines(
    settings: Settings,
    models: Sequence[str],
    given: Mapping[str, Any],
    *,
    device: Literal["cuda", "cpu"],
    time_h: float | None = None,
    replicas: int = 1,
) -> Planned:
    """Plans each model of a session for this machine.

    The bundled model is so small that it needs no plan. A model whose numbers aren't known is not refused:
    vLLM will tell.

    Args:
        settings: the person's own.
        models: what to serve, as people call it.
        given: values from the command line by name; None means not given.
        device: what it will run on.
        time_h: wall time in hours.
        replicas: engines of each model.

    Raises:
        ModelDoesNotFitError: one can't work here; the remedy names the nearest that can.
        ModelNotFoundError: one is neither known nor a folder nor a Hugging Face id.
        LaunchError: one runs code of its own, and nobody said that it may.
    """
    if not any(_needs_plan(settings, name) for name in models):
        return Planned(tuple(Origin(wanted=name) for name in models))
    facts = load_facts(settings, LOCAL)
    origins, notes = [], []
    for name in models:
        if not _needs_plan(settings, name):
            origins.append(Origin(wanted=name))
            continue
        request = make_local_request(
            settings, name, given, device=device, time_h=time_h, num_engines=len(models)
        )
        plan, told = _plan_one(request, facts, settings)
        if plan is not None:
            check_code(settings, name, plan)
            if device == "cpu":
                is_asked = request.max_model_len is not None
                plan = limit_context(plan, is_asked, num_engines=len(models) * replicas)
            told += plan.warnings if device == "cuda" else ()
        origins.append(Origin(wanted=name, request=request, plan=plan))
        notes += [f"{name}: {text}" for text in told]
    return Planned(tuple(origins), tuple(notes), facts.site.name, digest_facts(settings.catalogue))


def check_repeat(spec: LaunchSpec, settings: Settings) -> None:
    """Plans a session's models as they were once more, for this machine.

    Raises:
        ModelDoesNotFitError: one of them can't work here.
    """
    asked = [as_planned(origin, spec.device) for origin in spec.origins if origin.request is not None]
    facts = load_facts(settings, LOCAL) if asked else None
    for request in asked:
        assert facts is not None  # noqa: S101 - loaded when there is anything to ask
        _plan_one(request, facts, settings)


def as_planned(origin: Origin, device: Literal["cuda", "cpu"]) -> PlanRequest:
    """The request with everything decided that the planner decided then.

    Args:
        origin: of an engine whose model was planned.
        device: without a GPU the planner's layout doesn't count.
    """
    assert origin.request is not None  # noqa: S101 - the caller chose those
    if origin.plan is None or device == "cpu":
        return origin.request
    names = (
        *("quantisation", "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"),
        *("max_model_len", "max_num_seqs"),
        # One of the GPUs may be another model's, which the parallel sizes don't count.
        *(("num_gpus",) if origin.plan.beside else ()),
    )
    return origin.request.model_copy(update={name: getattr(origin.plan, name) for name in names})


def _needs_plan(settings: Settings, wanted: str) -> bool:
    return wanted in settings.models or not is_demo(wanted)


def _plan_one(request: PlanRequest, facts: Facts, settings: Settings) -> tuple[Plan | None, tuple[str, ...]]:
    """The plan of one model, None where nothing is known of it; and what is to be told.

    Raises:
        ModelDoesNotFitError: it can't work here.
        ModelNotFoundError: there is no such model.
    """
    try:
        known = _find_numbers(request, facts, settings.hf_home)
        known, notes = _within_model(known, facts)
        plan = make_plan(known, facts)
    except ModelNotFoundError as error:
        _check_is_model(request.model, error)
        return None, (f"Whether it fits can't be told before it runs: {error.message}",)
    if not plan.fits:
        raise ModelDoesNotFitError(plan.reason, render_remedy(plan.alternatives, request))
    plan = plan.model_copy(update={"why": (), "alternatives": ()})
    if plan.folder and known.model == request.model:
        find_weights(Path(plan.folder))  # raises where config.json stands alone: enough to plan, not to serve
    if known.model != request.model:  # its numbers came from the cache; it is still the hub's model
        plan = plan.model_copy(update={"folder": "", "hub_id": request.model, "revision": None})
    return keep_downloaded(plan, settings.hf_home), (*notes, *_name_served(plan, request))


def _name_served(plan: Plan, request: PlanRequest) -> tuple[str, ...]:
    """What is served, where that isn't what the person typed."""
    if plan.folder or plan.hub_id.lower() == request.model.lower():
        return ()
    return (f"{plan.hub_id} is served ({plan.quantisation}).",)


def _find_numbers(request: PlanRequest, facts: Facts, hf_home: Path) -> PlanRequest:
    """The request for a model that something is known of: the catalogue's, a folder, or a downloaded one.

    The id of one quantisation means that one, so it isn't exchanged for another.

    Raises:
        ModelNotFoundError: nothing is known of it.
    """
    try:
        found = facts.find_model(request.model)
    except ModelNotFoundError:
        folder = find_downloaded(hf_home, request.model)
        if folder is None:
            raise
        return request.model_copy(update={"model": str(folder)})
    if found.weights is None or request.quantisation is not None:
        return request
    return request.model_copy(update={"quantisation": found.weights.format})


def _within_model(request: PlanRequest, facts: Facts) -> tuple[PlanRequest, tuple[str, ...]]:
    """The request with no more context than the model was made for: sessions never ask for more."""
    limit = facts.find_model(request.model).model.max_context_tokens
    if request.max_model_len is None or request.max_model_len <= limit:
        return request, ()
    note = (
        f"The context is lowered from {request.max_model_len:,} to {limit:,} tokens, the model's own limit."
    )
    return request.model_copy(update={"max_model_len": limit}), (note,)


def _check_is_model(model: str, error: ModelNotFoundError) -> None:
    """Raises when a model that nothing is known of can't be served for certain."""
    if is_hub_id(model) and not Path(model).exists():
        return
    if not model.startswith((".", "/", "~")) and not Path(model).expanduser().is_dir():
        raise error
    folder = find_model_folder(model)
    if folder is not None:
        find_weights(folder)  # raises when a file is missing or broken


def check_code(settings: Settings, wanted: str, plan: Plan) -> None:
    """Raises LaunchError for a model that brings code which nobody allowed to run.

    Args:
        settings: say whose code may run.
        wanted: what the person called the model.
        plan: what the planner found out about it.
    """
    own = settings.models.get(wanted)
    allowed = own.trust_remote_code if own is not None else None
    allowed = settings.defaults.trust_remote_code if allowed is None else allowed
    if plan.vllm_fields.get("trust_remote_code") and not allowed:
        raise LaunchError(
            f"{plan.title} needs Python code that comes with it, which is run only when you say so.",
            "If you trust its makers, set trust_remote_code: true for it in your settings.",
        )
