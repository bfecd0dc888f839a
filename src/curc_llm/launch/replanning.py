"""Planning one engine again inside its job, for the GPUs that the job can see."""

from __future__ import annotations

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
from curc_llm.spec import EngineSpec, Origin, planned_fields


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
    if origin.request is None or origin.plan is None:
        return engine, ()
    facts = _load_facts(settings)
    try:
        if _plan_here(as_planned(origin, "cuda"), facts).fits:
            return engine, ()
        anew = _plan_here(origin.request.model_copy(update={"num_gpus": None}), facts)
    except ModelNotFoundError:
        return engine, ()
    if not anew.fits:
        planned = f"{origin.plan.num_gpus} x {origin.plan.gpu_type}"
        raise ModelDoesNotFitError(
            f"The job did not get what was planned ({planned}): {anew.reason}",
            "Launch it again; if it happens twice, tell your centre which node it was.",
        )
    note = (
        f"{engine.served_model_name} runs on {anew.num_gpus} x {anew.gpu_type} with a context of "
        f"{anew.max_model_len:,} tokens, not as planned on {origin.plan.num_gpus} x {origin.plan.gpu_type}."
    )
    return engine.model_copy(update=_changes(engine, anew)), (note,)


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
