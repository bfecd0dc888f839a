"""`curc-llm repeat`."""

from __future__ import annotations

from pathlib import Path

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output


@click.command()
@click.argument("session")
@click.option("--dry-run", is_flag=True, help="Show the batch script and the cost; submit nothing.")
@click.option("--wait", is_flag=True, help="Stay until it is ready, and show how it gets there.")
@verb_options
def repeat(session: str, dry_run: bool, wait: bool, config: Path | None, as_json: bool) -> None:
    """Launch an earlier session's job again, just as it was.

    SESSION is its id, its Slurm job id, or its spec.json: the same model, weights, settings, seeds, GPUs and
    hours. What can't be the same any more is told, or refused with exit status 3.
    """
    from curc_llm.cli.interruption import Underway
    from curc_llm.cli.repeating import make_slurm_repeat
    from curc_llm.cli.submitting import run_launch

    output = Output(as_json)
    with Underway(output) as underway:
        settings = load(config)
        spec = underway.spec = make_slurm_repeat(settings, session, output)
        run_launch(settings, spec, output, is_dry=dry_run, is_awaited=wait)
