"""`curc-llm restart`."""

from __future__ import annotations

from pathlib import Path

import click

from curc_llm.cli.options import find, session_argument, verb_options
from curc_llm.cli.output import Output


@click.command()
@session_argument
@click.argument("model", required=False)
@verb_options
def restart(session: str | None, model: str | None, config: Path | None, as_json: bool) -> None:
    """Start a model again that failed for good in a session that still runs.

    Without MODEL all that have failed are started. Returns at once. A session whose last model failed waits
    five minutes for this; one that is over is launched again with `curc-llm repeat`.
    """
    from curc_llm.client.restarting import restart_models
    from curc_llm.client.source import LocalSource

    found = find(config, session)
    models = restart_models(LocalSource(found.paths), model)
    output = Output(as_json)
    output.data("", {"session_id": found.session_id, "status": "restarting", "models": models})
    output.say(f"{', '.join(models)} is being started again: curc-llm status {found.session_id} --watch")
