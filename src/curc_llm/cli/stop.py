"""`curc-llm stop`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import load, session_argument, verb_options
from curc_llm.cli.output import Output

if TYPE_CHECKING:
    from curc_llm.session.store import FoundSession


@click.command()
@session_argument
@click.option("--all", "every", is_flag=True, help="End all your sessions.")
@verb_options
def stop(session: str | None, every: bool, config: Path | None, as_json: bool) -> None:
    """End a session and everything that it started.

    Returns when nothing of it is left. Stopping one that is over already is no error.
    """
    from curc_llm.launch.queued import discover_sessions, find_session

    if session and every:
        raise click.UsageError("Give a SESSION or --all, not both.")
    output = Output(as_json)
    state_dir = load(config).state_dir
    running = discover_sessions(state_dir)
    if not running and session is None:
        output.say("No session is running.")
    if every:
        output.data("", [_stop(found, output) for found in running])
    elif running or session is not None:
        output.data("", _stop(find_session(state_dir, session), output))
    else:
        output.data("", {"session_id": None, "status": "none", "reason": None})


def _stop(found: FoundSession, output: Output) -> dict[str, Any]:
    """Ends a session, and first what goes on for it since a hand-over: the name means both."""
    from curc_llm.launch.heirs import list_line
    from curc_llm.launch.queued import load_session

    for paths in reversed(list_line(found.paths.root)[1:]):
        heir = load_session(paths.root)
        if heir is not None and not heir.status.is_over:
            _stop_one(heir, output)
    return _stop_one(load_session(found.paths.root) or found, output)


def _stop_one(found: FoundSession, output: Output) -> dict[str, Any]:
    from curc_llm.client.ending import end_session

    if found.status.is_over:
        found.paths.remove_secrets()  # a job that was killed with its guard could not do it itself
        output.say(f"Session {found.session_id} is over already ({found.status}).")
        return _result(found, found.record.to_json())
    output.say(f"Stopping session {found.session_id} …")
    record = end_session(found)
    output.say(f"Session {found.session_id} has ended. Nothing of it is left running.")
    return _result(found, record.to_json() if record else {})


def _result(found: FoundSession, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "session_id": found.session_id,
        "status": record.get("status", "ended"),
        "reason": record.get("reason"),
    }
