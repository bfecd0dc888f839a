"""`curc-llm keys`."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import find, session_option, verb_options
from curc_llm.cli.output import Output, render_table
from curc_llm.session.keys import SCOPES, ApiKey, add_key, read_keys, revoke_key

if TYPE_CHECKING:
    from curc_llm.session.store import FoundSession

UNITS_S = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
HEADS = ("NAME", "SCOPES", "MODELS", "PER MINUTE", "AT ONCE", "TOKENS/MIN", "PRIORITY", "EXPIRES", "STATE")
PRIORITIES = ("interactive", "batch")


def parse_duration(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """Seconds of a time such as `30m`, `12h`, `7d` or `2w`; anything else is a usage error."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})([mhdw])", text)
    if match is None or int(match[1]) == 0:
        raise click.BadParameter(f"{text!r} is not a time like 30m, 12h, 7d or 2w.")
    return float(int(match[1]) * UNITS_S[match[2]])


@click.group()
def keys() -> None:
    """Make, list and revoke API keys of a session."""


@keys.command("add")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="What it may do; chat when not given."
)
@click.option(
    "--expires",
    "life_s",
    callback=parse_duration,
    metavar="7d",
    help="Refuse it after this time (m, h, d, w).",
)
@click.option("--model", "models", multiple=True, help="Let it use only this model; can be repeated.")
@click.option(
    "--requests-per-minute", type=click.IntRange(min=0), default=0, help="Most requests per minute; 0: any."
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=0),
    default=0,
    help="Most requests at once, with those that wait; 0: any.",
)
@click.option(
    "--tokens-per-minute",
    type=click.IntRange(min=0),
    default=0,
    help="Most tokens per minute, of prompts and answers together; 0: any.",
)
@click.option(
    "--priority",
    type=click.Choice(PRIORITIES),
    help="batch: others go first. When not given: batch for a key with --scope batch alone.",
)
@session_option
@verb_options
def add(
    name: str,
    scopes: tuple[str, ...],
    life_s: float | None,
    models: tuple[str, ...],
    requests_per_minute: int,
    concurrency: int,
    tokens_per_minute: int,
    priority: str | None,
    session: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Make a key for someone. It is printed this once, and counts from the next request on."""
    found = find_running(config, session, models)
    fields: dict[str, Any] = {
        "scopes": scopes or ("chat",),
        "expires_at": time.time() + life_s if life_s else None,
        "models": models,
        "requests_per_minute": requests_per_minute,
        "concurrency": concurrency,
        "tokens_per_minute": tokens_per_minute,
        "priority": priority or "",
    }
    secret = add_key(found.paths.keys, name, **fields)
    audit(found, "key_added", name=name, **fields)
    output = Output(as_json)
    output.data(secret, {"session_id": found.session_id, "name": name, "key": secret, **fields})
    output.say(f"This is the key for {name}, shown this once. Take it back with: curc-llm keys revoke {name}")


@keys.command("list")
@session_option
@verb_options
def list_(session: str | None, config: Path | None, as_json: bool) -> None:
    """List the keys. The keys themselves are kept nowhere, only their digests."""
    found = find(config, session)
    now = time.time()
    entries = read_keys(found.paths.keys).keys
    table = render_table(HEADS, [_row(key, now) for key in entries])
    Output(as_json).data(table, [_to_json(key, now) for key in entries])


@keys.command("revoke")
@click.argument("name")
@session_option
@verb_options
def revoke(name: str, session: str | None, config: Path | None, as_json: bool) -> None:
    """Take a key back. The session refuses it from its next request on."""
    found = find(config, session)
    revoke_key(found.paths.keys, name)
    audit(found, "key_revoked", name=name)
    output = Output(as_json)
    output.data("", {"session_id": found.session_id, "name": name, "revoked": True})
    output.say(f"The key of {name} is refused from now on.")


def find_running(config: Path | None, session: str | None, models: tuple[str, ...]) -> FoundSession:
    """The session, which must be running and serve these models.

    Args:
        config: the settings file that the command line names.
        session: what the command line calls the session.
        models: names of models and adapters.

    Raises:
        CurcLlmError: it has ended, or has no such model.
    """
    from curc_llm.client.source import check_not_over
    from curc_llm.errors import ModelNotFoundError

    found = find(config, session)
    check_not_over(found.record)
    for model in models:
        if found.record.engine_of(model) is None:
            names = ", ".join(name for engine in found.record.models for name in engine.names)
            raise ModelNotFoundError(
                f"Session {found.session_id} doesn't serve {model!r}.", f"Models here: {names}."
            )
    return found


def audit(found: FoundSession, event: str, **fields: Any) -> None:
    """Writes into the session's audit log what the owner did; never a key."""
    from curc_llm.session.files import append_jsonl

    entry = {"time": round(time.time(), 3), "part": "cli", "event": event, **fields}
    append_jsonl(found.paths.audit_log, entry)


def _state(key: ApiKey, now: float) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "valid" if key.is_valid(now) else "expired"


def _row(key: ApiKey, now: float) -> list[str]:
    from curc_llm.client.progress import render_duration

    expires = "never" if key.expires_at is None else f"in {render_duration(key.expires_at - now)}"
    limits = [str(n or "any") for n in (key.requests_per_minute, key.concurrency, key.tokens_per_minute)]
    models, state = ", ".join(key.models) or "all", _state(key, now)
    only_batch = "batch" in key.scopes and "chat" not in key.scopes
    priority = key.priority or PRIORITIES[only_batch]
    when = expires if state == "valid" else "-"
    return [key.name, ", ".join(key.scopes), models, *limits, priority, when, state]


def _to_json(key: ApiKey, now: float) -> dict[str, Any]:
    return {
        "name": key.name,
        "scopes": list(key.scopes),
        "models": list(key.models),
        "requests_per_minute": key.requests_per_minute,
        "concurrency": key.concurrency,
        "tokens_per_minute": key.tokens_per_minute,
        "priority": key.priority,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "state": _state(key, now),
    }
