"""SessionRequest: what a person asks of a site, from wherever; and the one way from there to a LaunchSpec."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from curc_llm.engine.topology import choose_kind
from curc_llm.errors import LaunchError
from curc_llm.factfile import Frozen
from curc_llm.launch.adapters import add_adapters
from curc_llm.launch.asked import make_site_request
from curc_llm.launch.fact_files import digest_facts
from curc_llm.launch.planning import as_planned
from curc_llm.launch.site_plan import load_site_facts, plan_on_site
from curc_llm.plan.facts import Facts
from curc_llm.plan.plan import Plan
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings
from curc_llm.sites.load import find_own_file
from curc_llm.slurm.request import make_job_request
from curc_llm.spec import (
    EngineSpec,
    LaunchSpec,
    Origin,
    is_demo,
    make_launch_spec,
    make_repeat,
    make_session_id,
    place_engine,
)
from curc_llm.spec.adapter import MOST_AT_ONCE

SESSION_PREFIX = "slurm"
# The whole node's addresses: the portal's proxy and other machines of the cluster reach a job from outside.
ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - every route of the gateway asks for a key or a cookie


class SessionRequest(Frozen):
    """What a person asks for. What is left empty is chosen for them.

    Args:
        plan: model, GPUs, hours, account and all else that the planner decides upon; `plan.model` may also be
            an entry of the settings or `demo`, `plan.embed` likewise or `demo-embed`.
        idle_stop_min: minutes without a request until the session ends, 0 for never; None: the settings'.
        reservation: Slurm's reservation; empty for none.
        mail_on_ready: whether the job writes an e-mail once the session is ready.
        mail_user: to whom; empty for the owner's own mailbox.
        requeue: whether Slurm may start the session again after a preemption or a lost node.
        exclusive: whether nobody else's job may be on the nodes; None: as the site says.
        hand_over_h: hours for which further jobs go on after its wall time; None: none.
        adapters: LoRA adapters: `NAME=FOLDER`, `NAME=HUB-ID`, or the name of one of the catalogue's.
        max_loras, max_lora_rank: as in EngineSpec, for the model that chats.

    Example:
        >>> SessionRequest(plan=PlanRequest(model="demo", hours=1)).idle_stop_min is None
        True
    """

    plan: PlanRequest
    idle_stop_min: float | None = Field(default=None, ge=0, le=7 * 24 * 60)
    reservation: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9_.+-]{0,63})?$")
    mail_on_ready: bool = False
    mail_user: str = Field(default="", pattern=r"^([A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190})?$")
    requeue: bool = False
    exclusive: bool | None = None
    hand_over_h: float | None = Field(default=None, ge=0.1, le=31 * 24)
    adapters: tuple[str, ...] = ()
    max_loras: int | None = Field(default=None, ge=1, le=64)
    max_lora_rank: int | None = None


def make_slurm_spec(
    request: SessionRequest,
    settings: Settings,
    *,
    facts: Facts | None = None,
    session_id: str | None = None,
    session_dir: Path | None = None,
    advertise_host: str = "",
) -> LaunchSpec:
    """The spec of a session in Slurm: planned on the site first, so that nothing is submitted in vain.

    What depends on the node (its name, whether it has a GPU, how much of the wall time is left) the job finds
    out itself.

    Args:
        request: what was asked.
        settings: the person's own; `settings.site` is the site.
        facts: of the site, where they are loaded already.
        session_id: its name; a new one when not given.
        session_dir: its folder; below the settings' state_dir when not given.
        advertise_host: what URLs call the node; empty: the job's own host name.

    Raises:
        RefusedError: it can't work at this site; the remedy names the nearest launches that can.
        EngineError: vLLM can't be spread so over the nodes.
        ModelNotFoundError, PlanError, SiteError, SpecError: a value can't be meant.
        AdapterError: an adapter can't be served.
    """
    facts = facts or load_site_facts(settings)
    asked = make_site_request(settings, _with_adapters(request))
    plan = plan_on_site(asked, facts, settings, request.plan.model, request.plan.embed or "")
    spec = _make_planned(request, settings, facts, _Planned(asked, plan), session_id)
    more = _place_on_site(request, settings, facts, plan, spec.engines)
    more["advertise_host"] = advertise_host
    if session_dir is not None:
        more["session_dir"] = session_dir
    return add_adapters(_with_room(spec.model_copy(update=more), request), request.adapters, settings)


class _Planned(NamedTuple):
    """What the planner was asked for the first model, and its answer."""

    asked: PlanRequest
    plan: Plan


def _make_planned(
    request: SessionRequest, settings: Settings, facts: Facts, planned: _Planned, session_id: str | None
) -> LaunchSpec:
    """The spec with what was planned, before Slurm's part."""
    wanted, embed = request.plan.model, request.plan.embed or ""
    asked, plan = planned
    others = tuple(Origin(wanted=embed, plan=other) for other in plan.beside)
    return make_launch_spec(
        settings,
        (wanted, *(origin.wanted for origin in others)),
        device=settings.device or "cuda",
        engine_python=settings.engine_python or facts.site.runtime.python,
        session_id=session_id or make_session_id(SESSION_PREFIX),
        time_h=plan.hours,
        bind_host=settings.bind_host or ALL_ADDRESSES,
        given={"max_model_len": asked.max_model_len, "seed": asked.seed} if is_demo(wanted) else None,
        origins=(Origin(wanted=wanted, request=asked, plan=plan), *others),
        replicas=plan.replicas,
    )


def _place_on_site(
    request: SessionRequest,
    settings: Settings,
    facts: Facts,
    plan: Plan,
    engines: tuple[EngineSpec, ...],
) -> dict[str, Any]:
    """The fields of the spec that site and Slurm decide."""
    job = make_job_request(
        plan,
        facts.site,
        reservation=request.reservation,
        requeue=request.requeue,
        exclusive=request.exclusive,
    )
    for engine in engines:
        choose_kind(engine, job.num_nodes)  # raises for what could not be spread so
    more: dict[str, Any] = {
        "site": facts.site.name,
        "site_file": find_own_file(settings.site),
        "facts_digest": digest_facts(settings.catalogue),
        "slurm": job.to_spec(),
        "network": facts.site.network_of(plan.partition),
        "mail_on_ready": request.mail_on_ready,
        "mail_user": request.mail_user,
        "hand_over_s": (request.hand_over_h or 0) * 3600,
    }
    if plan.beside:
        more["engines"] = tuple(map(place_engine, engines, (plan, *plan.beside)))
    if request.idle_stop_min is not None:
        more["idle_stop_min"] = request.idle_stop_min
    return more


def _with_adapters(request: SessionRequest) -> PlanRequest:
    """What is asked of the planner, with the room that adapters take."""
    room = {"max_loras": request.max_loras, "max_lora_rank": request.max_lora_rank}
    if request.adapters and request.max_loras is None:
        room["max_loras"] = min(len(request.adapters), MOST_AT_ONCE)
    return request.plan.model_copy(update={name: value for name, value in room.items() if value is not None})


def _with_room(spec: LaunchSpec, request: SessionRequest) -> LaunchSpec:
    """The spec with room for adapters in its first engine and that one's replicas, as it was asked for."""
    asked = {"max_loras": request.max_loras, "max_lora_rank": request.max_lora_rank}
    told = {name: value for name, value in asked.items() if value is not None}
    name = spec.engines[0].served_model_name
    engines = (
        engine.model_copy(update=told) if engine.served_model_name == name else engine
        for engine in spec.engines
    )
    return spec.model_copy(update={"engines": tuple(engines)})


def make_repeated_spec(old: LaunchSpec, settings: Settings, facts: Facts | None = None) -> LaunchSpec:
    """The spec of a session that does again, as a job, what another job did.

    Args:
        old: the other one's.
        settings: of the person who repeats it; `settings.site` must be where it ran.
        facts: of the site, where they are loaded already.

    Raises:
        LaunchError: it was no job, or one of another site.
        RefusedError: the site no longer has or allows what it needs.
        ModelNotFoundError: its model is gone.
    """
    facts = facts or load_site_facts(settings)
    name = old.session_id
    if old.slurm is None:
        raise LaunchError(
            f"Session {name} was no Slurm job.", f"Do it again with: curc-llm serve --from {name}"
        )
    if old.site != facts.site.name:
        message = f"Session {name} was planned for {old.site}, and your site is {facts.site.name}."
        raise LaunchError(message, "Repeat it there, or launch its model anew: curc-llm launch MODEL")
    for origin in old.origins:
        if origin.request is not None:
            plan_on_site(_as_launched(origin, old), facts, settings, origin.wanted)
    python = settings.engine_python or facts.site.runtime.python
    spec = make_repeat(old, settings, device=settings.device or "cuda", engine_python=python)
    session_id = make_session_id(SESSION_PREFIX)
    place = {
        "session_id": session_id,
        "session_dir": settings.state_dir / "sessions" / session_id,
        "bind_host": settings.bind_host or ALL_ADDRESSES,
        "advertise_host": "",
        "network": facts.site.network_of(old.slurm.partition),
        "site_file": find_own_file(settings.site),
    }
    return spec.model_copy(update=place)


def _as_launched(origin: Origin, old: LaunchSpec) -> PlanRequest:
    """The request with all that the planner and Slurm were asked for then."""
    assert origin.request is not None  # noqa: S101 - the caller chose those
    if origin.plan is None:
        return origin.request
    plan = origin.plan
    names = ("partition", "gpu_type", "num_gpus", "num_nodes")
    places = {name: getattr(plan, name) for name in names} | {"qos": plan.qos or None}
    hours = old.wall_time_s / 3600 if old.wall_time_s else plan.hours
    return as_planned(origin, "cuda").model_copy(update={**places, "hours": hours})
