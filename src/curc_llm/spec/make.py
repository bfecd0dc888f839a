"""A new LaunchSpec: from settings and names of models, or from the spec of a session that is repeated."""

from __future__ import annotations

import getpass
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from curc_llm.errors import SpecError
from curc_llm.settings import ModelSettings, Settings
from curc_llm.spec.engine import EngineSpec, make_engine_spec
from curc_llm.spec.launch import LaunchSpec, Origin
from curc_llm.spec.model_folder import fingerprint_folder
from curc_llm.spec.replicas import check_names, make_replicas

SESSION_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def make_session_id(prefix: str = "local") -> str:
    """A new session id such as `local-k3v9qd`."""
    return f"{prefix}-" + "".join(secrets.choice(SESSION_LETTERS) for _ in range(6))


def choose_models(settings: Settings, models: Sequence[str]) -> tuple[str, ...]:
    """What is to be served: what was named, else the settings' active_model.

    Raises:
        SpecError: neither.
    """
    wanted = tuple(models) or ((settings.active_model,) if settings.active_model else ())
    if not wanted:
        raise SpecError("No model was named.", "Name one, or set active_model in your settings.")
    return wanted


def make_launch_spec(
    settings: Settings,
    models: Sequence[str],
    *,
    device: Literal["cuda", "cpu"],
    engine_python: str,
    session_id: str | None = None,
    time_h: float | None = None,
    bind_host: str | None = None,
    advertise_host: str | None = None,
    given: Mapping[str, Any] | None = None,
    origins: Sequence[Origin] = (),
    replicas: int = 1,
) -> LaunchSpec:
    """Makes the spec of a session that serves `models` (served_model_names must differ).

    Args:
        settings: the person's own.
        models: what to serve; empty for the settings' active_model.
        device: `cuda` or `cpu`.
        engine_python: the Python that has vLLM.
        session_id: its name; a new one when not given.
        time_h: wall time in hours.
        bind_host: where the gateway listens.
        advertise_host: what URLs call it.
        given: values from the command line by EngineSpec's field names, for every engine.
        origins: of each model what was asked and planned; without them nothing was planned.
        replicas: engines for each model, each with GPUs of its own.

    Raises:
        ModelNotFoundError: see `make_engine_spec`.
        SpecError: no model was named, or two would have the same name.
    """
    wanted = choose_models(settings, models)
    why = tuple(origins) or tuple(Origin(wanted=name) for name in wanted)
    engines = tuple(
        make_engine_spec(settings, name, given=given, plan=origin.plan, device=device)
        for name, origin in zip(wanted, why, strict=True)
    )
    check_names(engines)
    engines = make_replicas(engines, replicas, device)
    why = tuple(origin for origin in why for _ in range(replicas))
    own = settings.models.get(wanted[0], ModelSettings())
    hours = time_h or own.time_h or settings.defaults.time_h
    return LaunchSpec(
        **_place(settings, session_id, bind_host, advertise_host, own.port),
        engines=engines,
        device=device,
        engine_python=engine_python,
        idle_stop_min=settings.idle_stop_min,
        wall_time_s=hours * 3600 if hours else None,
        start_timeout_s=settings.start_timeout_min * 60,
        origins=tuple(map(_with_fingerprint, why, engines)),
    )


def _with_fingerprint(origin: Origin, engine: EngineSpec) -> Origin:
    found = fingerprint_folder(Path(engine.model)) if engine.is_local else ""
    return origin.model_copy(update={"fingerprint": found})


def _place(
    settings: Settings,
    session_id: str | None,
    bind_host: str | None,
    advertise_host: str | None,
    port: int | None,
) -> dict[str, Any]:
    """Where the session is and how it is reached: what is this person's and this machine's."""
    session_id = session_id or make_session_id()
    port = port or settings.defaults.port
    host = bind_host or settings.bind_host or "127.0.0.1"
    return {
        "session_id": session_id,
        "session_dir": settings.state_dir / "sessions" / session_id,
        "owner": getpass.getuser(),
        "cache_dir": settings.cache_dir,
        "hf_home": settings.hf_home,
        "state_dir": settings.state_dir,
        "bind_host": host,
        "advertise_host": advertise_host or host,
        "port_min": port or settings.port_min or 0,
        "port_max": port or settings.port_max or settings.port_min or 0,
        "max_body_mib": settings.max_body_mib,
        "heartbeat_s": settings.heartbeat_s,
        "log_prompts": settings.log_prompts,
        "offline": settings.offline,
    }


def make_repeat(
    spec: LaunchSpec, settings: Settings, *, device: Literal["cuda", "cpu"], engine_python: str
) -> LaunchSpec:
    """The spec of a session that does again what another one did.

    The models, their settings, revisions and seeds, the wall time and the idle time are the old session's;
    folders, ports and what is logged are this person's own settings.

    Args:
        spec: the old session's.
        settings: of the person who repeats it.
        device: what it runs on now.
        engine_python: the Python that has vLLM now.
    """
    now = _place(settings, None, None, None, None)
    own: dict[str, Any] = {
        "device": device,
        "engine_python": engine_python,
        "repeats": spec.session_id,
        "versions": {},
    }
    # A replica or a successor that is repeated is a session of its own.
    own |= {"parent": "", "predecessor": "", "has_chat": True}
    own |= {"idle_stop_min": settings.idle_stop_min} if spec.parent else {}
    origins = tuple(map(_with_fingerprint, spec.origins, spec.engines))
    return spec.model_copy(update={**now, **own, "origins": origins})
