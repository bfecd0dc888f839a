"""Another model on the GPUs that an engine of a running session has: planned before anything is stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curc_llm.errors import CurcLlmError, ModelDoesNotFitError, SwapError
from curc_llm.launch.adapters import add_adapters
from curc_llm.launch.hub_cache import find_downloaded
from curc_llm.launch.planning import plan_engines
from curc_llm.launch.site_plan import find_more_models
from curc_llm.plan.facts import Facts, load_facts
from curc_llm.plan.plan import Plan
from curc_llm.plan.planner import make_plan
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings, load_settings
from curc_llm.sites.load import LOCAL
from curc_llm.spec import DEMO_MODEL_NAME, EngineSpec, LaunchSpec, Origin, make_engine_spec, share_gpus

SEE_WHAT_FITS = "See what fits in this session: curc-llm swap --list"
GIB = 2**30


@dataclass(frozen=True)
class SwapPlan:
    """What an engine becomes.

    Args:
        engine: the new model and how it is served.
        origin: why it is so.
        notes: what a person should know, in sentences.
        is_here: whether its files are on this machine already.
    """

    engine: EngineSpec
    origin: Origin
    notes: tuple[str, ...] = ()
    is_here: bool = True


@dataclass(frozen=True)
class Candidate:
    """A model that could be swapped in.

    Args:
        model: what to name.
        title: for people.
        uses: what it is good for.
        quantisation: of its weights.
        max_model_len: context in tokens.
        weights_gib: of its weights.
        is_here: whether its files are on this machine already.
    """

    model: str
    title: str
    uses: tuple[str, ...] = ()
    quantisation: str = ""
    max_model_len: int | None = None
    weights_gib: float | None = None
    is_here: bool = False


def load_own_settings(spec: LaunchSpec) -> Settings:
    """The settings of the session's owner, with the session's own folders; reads files."""
    settings = load_settings(flags={"offline": spec.offline})
    return settings.model_copy(update={"hf_home": spec.hf_home, "offline": spec.offline})


def plan_swap(
    spec: LaunchSpec, place: int, wanted: str, more: Mapping[str, Any], settings: Settings
) -> SwapPlan:
    """What an engine becomes with another model, as it fits on the GPUs that it has.

    Args:
        spec: the session as it is now.
        place: of the engine in it.
        wanted: what the person calls the model.
        more: further values by EngineSpec's field names, such as `max_loras`.
        settings: the owner's own.

    Raises:
        ModelDoesNotFitError, ModelNotFoundError, LaunchError: see `plan_engines`.
        SwapError: the name is taken, or the engine spans nodes.
    """
    old = spec.engines[place]
    if spec.slurm is not None and spec.slurm.nodes > 1:
        raise SwapError(
            f"The session runs on {spec.slurm.nodes} nodes; a model is exchanged within one node only.",
            "Launch the other model as a session of its own: curc-llm launch",
        )
    given = {**find_room(spec, place), **more}
    planned, origin = _plan(settings, wanted, given, spec)
    engine = make_engine_spec(settings, wanted, given=given, plan=origin.plan, device=spec.device)
    engine = _keep_place(engine, old, spec, place)
    _check_name(spec, place, engine, more)
    alone = spec.model_copy(update={"engines": (engine,), "origins": (origin,)})
    engine = add_adapters(alone, (), settings).engines[0]
    return SwapPlan(engine, origin, planned, is_here(engine, settings))


def _plan(
    settings: Settings, wanted: str, given: Mapping[str, Any], spec: LaunchSpec
) -> tuple[tuple[str, ...], Origin]:
    """All the GPUs that the engine has are used if the model can be spread over them, else fewer."""
    tries = [given, {**given, "num_gpus": None}] if given.get("num_gpus") else [given]
    for last, asked in enumerate(tries, start=1):
        try:
            planned = plan_engines(settings, [wanted], asked, device=spec.device, replicas=len(spec.engines))
        except ModelDoesNotFitError as error:
            if last == len(tries):
                raise ModelDoesNotFitError(error.message, SEE_WHAT_FITS) from error
            continue
        return planned.notes, planned.origins[0]
    raise AssertionError  # one of the tries returned or raised


def find_room(spec: LaunchSpec, place: int) -> dict[str, Any]:
    """What an engine has of the job, by the planner's names.

    Args:
        spec: the session.
        place: of the engine.

    Example:
        >>> find_room(spec, 0)
        {'num_gpus': 2, 'gpu_memory_utilization': 0.45}
    """
    engine = spec.engines[place]
    if spec.device == "cpu":
        return {}
    others = [one for index, one in enumerate(spec.engines) if index != place]
    room: dict[str, Any] = {}
    if engine.device_ids:
        room["num_gpus"] = len(engine.device_ids)
    elif not others:
        room["num_gpus"] = count_local_gpus() or None
    if any(share_gpus(engine, other) for other in others):
        room["gpu_memory_utilization"] = engine.gpu_memory_utilization
    return {name: value for name, value in room.items() if value is not None}


def count_local_gpus() -> int:
    """The GPUs that this job can see."""
    import os

    from curc_llm.sites.nvidia_smi import find_local_gpus

    return len(find_local_gpus(os.environ))


def _keep_place(engine: EngineSpec, old: EngineSpec, spec: LaunchSpec, place: int) -> EngineSpec:
    """The new engine on the old one's GPUs, as many of them as it needs, and within its share of them."""
    if spec.device == "cpu":
        return engine
    sizes = (engine.tensor_parallel_size, engine.pipeline_parallel_size, engine.data_parallel_size)
    needed = 1
    for size in sizes:
        needed *= size or 1
    update: dict[str, Any] = {"device_ids": old.device_ids[:needed]}
    if share := find_room(spec, place).get("gpu_memory_utilization"):
        update["gpu_memory_utilization"] = share
    return engine.model_copy(update=update)


def _check_name(spec: LaunchSpec, place: int, engine: EngineSpec, more: Mapping[str, Any]) -> None:
    """Raises SwapError when the name is another's in the session, or when nothing would change."""
    old, name = spec.engines[place], engine.served_model_name
    others = [one for one in spec.engines if one.served_model_name != old.served_model_name]
    if name in {one.served_model_name for one in others}:
        raise SwapError(
            f"The session serves {name} already.", f"Ask it by that name: curc-llm ask --model {name}"
        )
    if name in {adapter.name for one in others for adapter in one.adapters}:
        raise SwapError(f"An adapter of the session is called {name!r} already.", "Remove it first.")
    same = ("served_model_name", "model", "revision")
    if not more and all(getattr(engine, field) == getattr(old, field) for field in same):
        raise SwapError(f"The session serves {name} already.", SEE_WHAT_FITS)


def is_here(engine: EngineSpec, settings: Settings) -> bool:
    """Whether a model's files are on this machine."""
    found = engine.is_local or find_downloaded(settings.hf_home, engine.model, engine.revision)
    return bool(found)


def list_candidates(spec: LaunchSpec, place: int, settings: Settings) -> list[Candidate]:
    """The models that fit on the GPUs that an engine has: the catalogue's, the settings' and the bundled one.

    Args:
        spec: the session as it is now.
        place: of the engine in it.
        settings: the owner's own.
    """
    facts = find_more_models(load_facts(settings, LOCAL), settings)
    room = {k: v for k, v in find_room(spec, place).items() if k in PlanRequest.model_fields}
    served = {engine.served_model_name for engine in spec.engines}
    names = [*settings.models, DEMO_MODEL_NAME, *facts.models]
    found = [_try(name, room, facts, settings) for name in dict.fromkeys(names) if name not in served]
    fitting = [one for one in found if one is not None]
    return sorted(fitting, key=lambda one: (not one.is_here, "embeddings" in one.uses))


def _try(name: str, room: Mapping[str, Any], facts: Facts, settings: Settings) -> Candidate | None:
    """A model that fits, None for one that doesn't, or that isn't there."""
    own = settings.models.get(name)
    wanted = (own.model if own is not None else None) or name
    for given in (room, {**room, "num_gpus": None}):
        try:
            plan = make_plan(PlanRequest(model=wanted, **given), facts)
        except CurcLlmError:
            return None
        if plan.fits:
            return _make_candidate(name, plan, facts, settings)
    return None


def _make_candidate(name: str, plan: Plan, facts: Facts, settings: Settings) -> Candidate:
    local = bool(plan.folder) or find_downloaded(settings.hf_home, plan.hub_id) is not None
    return Candidate(
        model=name,
        title=plan.title,
        uses=facts.find_model(plan.folder or plan.model).model.uses,
        quantisation=plan.quantisation,
        max_model_len=plan.max_model_len,
        weights_gib=round(plan.weights_gib, 2) if plan.weights_gib is not None else None,
        is_here=local,
    )
