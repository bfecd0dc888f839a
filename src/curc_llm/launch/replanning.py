"""Planning one engine again inside its job, for the GPUs that the job can see."""

from __future__ import annotations

from collections.abc import Sequence

from curc_llm.errors import ModelDoesNotFitError, ModelNotFoundError
from curc_llm.launch.asked import OF_SLURM
from curc_llm.launch.planning import as_planned
from curc_llm.launch.site_plan import find_more_models
from curc_llm.plan.facts import Facts, load_facts
from curc_llm.plan.plan import Plan
from curc_llm.plan.planner import make_plan
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings, load_settings
from curc_llm.sites.load import LOCAL
from curc_llm.spec import EngineSpec, Origin, place_engine, planned_fields
from curc_llm.spec.replicas import make_replicas


def plan_all_again(
    engines: Sequence[EngineSpec], origins: Sequence[Origin], settings: Settings | None = None
) -> tuple[tuple[EngineSpec, ...], tuple[str, ...]]:
    """All engines of a session as they can run on the GPUs of this job, and what is different, in sentences.

    Engines that were planned together are planned together again.

    Args:
        engines: as they were planned for the site.
        origins: of each engine what was asked, and the plan.
        settings: as in `plan_again`.

    Raises:
        ModelDoesNotFitError: they don't fit any more.
    """
    fitted: list[EngineSpec] = []
    notes: list[str] = []
    while len(fitted) < len(engines):
        place = len(fitted)
        plan = origins[place].plan
        end = place + (plan.replicas + len(plan.beside) if plan is not None else 1)
        some, told = _plan_group_again(tuple(engines[place:end]), origins[place], settings)
        fitted += some
        notes += told
    return tuple(fitted), tuple(notes)


def plan_again(
    engine: EngineSpec, origin: Origin, settings: Settings | None = None
) -> tuple[EngineSpec, tuple[str, ...]]:
    """The engine as it can run on the GPUs of this job, and what is different, in sentences.

    As planned if that fits; else as it was asked for, planned anew. A model that nothing is known of here
    stays as it is, and vLLM will tell.

    Args:
        engine: as it was planned for the site.
        origin: what was asked, and the plan.
        settings: name catalogues; the user's own, never asking the hub, when not given.

    Raises:
        ModelDoesNotFitError: neither fits.
    """
    (fitted,), notes = _plan_group_again((engine,), origin, settings)
    return fitted, notes


def _plan_group_again(
    engines: tuple[EngineSpec, ...], origin: Origin, settings: Settings | None
) -> tuple[tuple[EngineSpec, ...], tuple[str, ...]]:
    """Engines that one request asked for, replicas or two models; the origin is the first one's."""
    if origin.request is None or origin.plan is None:
        return engines, ()
    facts = _load_facts(settings)
    try:
        if _plan_here(as_planned(origin, "cuda"), facts).fits:
            return engines, ()
        anew = _plan_here(origin.request.model_copy(update={"num_gpus": None}), facts)
    except ModelNotFoundError:
        return engines, ()
    if not anew.fits:
        planned = f"{origin.plan.num_gpus} x {origin.plan.gpu_type}"
        raise ModelDoesNotFitError(
            f"The job did not get what was planned ({planned}): {anew.reason}",
            "Launch it again; if it happens twice, tell your centre which node it was.",
        )
    pairs = zip(engines, (*[anew] * anew.replicas, *anew.beside), strict=True)
    changed = tuple(engine.model_copy(update=_changes(engine, plan)) for engine, plan in pairs)
    if anew.replicas > 1:
        changed = make_replicas(changed[:1], anew.replicas, "cuda")
    if anew.beside:
        changed = tuple(map(place_engine, changed, (anew, *anew.beside)))
    return changed, (_describe(engines, origin.plan, anew),)


def _describe(engines: tuple[EngineSpec, ...], planned: Plan, anew: Plan) -> str:
    """What is different from what was planned, in a sentence."""
    names = " and ".join(dict.fromkeys(engine.served_model_name for engine in engines))
    runs = "runs" if len(engines) == 1 else "run"
    runs = f"in {anew.replicas} replicas runs each" if anew.replicas > 1 else runs
    return (
        f"{names} {runs} on {anew.num_gpus} x {anew.gpu_type} with a context of {anew.max_model_len:,} "
        f"tokens, not as planned on {planned.num_gpus} x {planned.gpu_type}."
    )


def _load_facts(settings: Settings | None) -> Facts:
    settings = settings or load_settings(flags={"offline": True})
    return find_more_models(load_facts(settings, LOCAL), settings)


def _plan_here(request: PlanRequest, facts: Facts) -> Plan:
    """A request's plan on this node, where Slurm's words mean nothing."""
    return make_plan(request.model_copy(update=dict.fromkeys(OF_SLURM)), facts)


def _changes(engine: EngineSpec, plan: Plan) -> dict[str, object]:
    """What the new plan decides for vLLM; weights of another kind come from elsewhere."""
    fields = {k: v for k, v in planned_fields(plan, "cuda").items() if k in EngineSpec.model_fields}
    if not engine.is_local and plan.hub_id and plan.hub_id != engine.model:
        fields |= {"model": plan.hub_id, "revision": plan.revision}
    return fields
