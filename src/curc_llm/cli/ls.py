"""`curc-llm ls`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output, render_table

if TYPE_CHECKING:
    from curc_llm.session.store import FoundSession

HEADS = ("SESSION", "STATUS", "MODEL", "HOST", "AGE", "ENDPOINT")


@click.command()
@click.option("--all", "over_too", is_flag=True, help="Also sessions that have ended.")
@verb_options
def ls(over_too: bool, config: Path | None, as_json: bool) -> None:
    """List your sessions."""
    from curc_llm.session.store import discover_sessions

    output = Output(as_json)
    sessions = discover_sessions(load(config).state_dir, over_too=over_too)
    if not sessions:
        output.say("No session is running. Start one with: curc-llm demo, or curc-llm serve MODEL")
    table = render_table(HEADS, [_row(found) for found in sessions]) if sessions else ""
    output.data(table, [found.record.to_json() for found in sessions])


def _row(found: FoundSession) -> list[str]:
    import time

    from curc_llm.client.progress import render_duration

    record = found.record
    models = ", ".join(engine.served_model_name for engine in record.engines)
    age = render_duration((record.ended_at or time.time()) - record.started_at)
    return [found.session_id, str(found.status), models, record.host, age, record.base_url or "-"]
