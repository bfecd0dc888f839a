"""Doing again what an earlier session did: the same models, revisions, seeds and settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from curc_llm.cli.output import Output
from curc_llm.launch.queued import find_session
from curc_llm.session.paths import SessionPaths
from curc_llm.session.store import read_record
from curc_llm.spec import EngineSpec, LaunchSpec, make_repeat, read_launch_spec

if TYPE_CHECKING:
    from curc_llm.session.record import SessionRecord
    from curc_llm.settings import Settings


def make_repeat_spec(settings: Settings, name: str, output: Output) -> LaunchSpec:
    """The spec of a session that repeats another one; what can't be the same is told.

    Args:
        settings: of the person who repeats it.
        name: a session's id, or its folder or spec.json.
        output: where differences are told.

    Raises:
        SessionNotFoundError, SpecError: there is no such session, or its spec can't be used.
        ModelDoesNotFitError: it can't work on this machine.
    """
    from curc_llm.engine.versions import list_differences, read_versions
    from curc_llm.launch import detect_device, find_engine_python
    from curc_llm.launch.planning import check_repeat

    old, record = read_old_session(settings, name)
    device = settings.device or detect_device()
    python = find_engine_python(settings, device)
    check_repeat(old, settings)
    spec = make_repeat(old, settings, device=device, engine_python=python)
    pinned = tuple(_with_revision(engine, record) for engine in old.engines)
    versions = read_versions(python, device)
    told = [*_list_changes(old, spec), *list_differences(old.versions, versions)]
    if told:
        output.say(f"Warning: this is not quite the run of {old.session_id}: {'; '.join(told)}.")
    # Here it is no job, whatever it was, and so can neither span nodes nor submit others.
    here: dict[str, Any] = {"slurm": None, "hand_over_s": 0.0}
    return spec.model_copy(update={**here, "engines": pinned, "versions": versions})


def make_slurm_repeat(settings: Settings, name: str, output: Output) -> LaunchSpec:
    """The spec of a Slurm session that repeats another one; what can't be the same is told.

    Args:
        settings: of the person who repeats it.
        name: a session's id or job id, or its folder or spec.json.
        output: where differences are told.

    Raises:
        SessionNotFoundError, SpecError: there is no such session, or its spec can't be used.
        ModelDoesNotFitError: the site no longer has or allows what it needs.
        LaunchError: it was no job of this site.
    """
    from curc_llm.launch.request import make_repeated_spec

    old, record = read_old_session(settings, name)
    spec = make_repeated_spec(old, settings)
    if told := _list_changes(old, spec):
        output.say(f"Warning: this is not quite the run of {old.session_id}: {'; '.join(told)}.")
    pinned = tuple(_with_revision(engine, record) for engine in spec.engines)
    # The job compares these with what it finds on its node.
    versions = record.versions if record is not None else {}
    return spec.model_copy(update={"engines": pinned, "versions": versions})


def read_old_session(settings: Settings, name: str) -> tuple[LaunchSpec, SessionRecord | None]:
    """The spec of an earlier session, and its record where there is one.

    Raises:
        SessionNotFoundError, SpecError: there is no such session, or its spec can't be used.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        path = SessionPaths(path).spec
    if not path.is_file():
        path = find_session(settings.state_dir, name, over_too=True).paths.spec
    return read_launch_spec(path), read_record(SessionPaths(path.parent).record)


def _with_revision(engine: EngineSpec, record: SessionRecord | None) -> EngineSpec:
    """The engine with the very commit that was downloaded then, though only a branch was asked for."""
    found = record.engine(engine.served_model_name) if record is not None else None
    if engine.is_local or found is None or found.revision is None:
        return engine
    return engine.model_copy(update={"revision": found.revision})


def _list_changes(old: LaunchSpec, new: LaunchSpec) -> list[str]:
    """What differs besides versions: the device, and models in folders that have changed since."""
    changes = [] if old.device == new.device else [f"it ran on {old.device} and now runs on {new.device}"]
    for engine, before, after in zip(old.engines, old.origins, new.origins, strict=False):
        if before.fingerprint != after.fingerprint:
            changes.append(f"the folder {engine.model} has changed")
    return changes
