"""`curc-llm serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output


@click.command()
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option("--max-model-len", type=click.IntRange(min=16), help="Context in tokens.")
@click.option("--max-num-seqs", type=click.IntRange(min=1), help="Requests that run at once.")
@click.option(
    "--gpu-memory-utilization",
    type=click.FloatRange(0, 1, min_open=True),
    help="Share of each GPU's memory to use, 0 to 1.",
)
@click.option(
    "--tensor-parallel-size", type=click.IntRange(min=1), help="GPUs that each model is spread over."
)
@click.option(
    "--device", type=click.Choice(["cuda", "cpu"]), help="What to run on; found out when not given."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="The gateway's port; any free one when not given."
)
@click.option("--time-h", type=click.FloatRange(min=0, min_open=True), help="End after so many hours.")
@click.option(
    "--idle-stop-min", type=click.FloatRange(min=0), help="End after so many minutes unused; 0: never."
)
@click.option("--detach", is_flag=True, help="Return when the session is ready, and leave it running.")
@verb_options
def serve(
    models: tuple[str, ...],
    device: str | None,
    port: int | None,
    time_h: float | None,
    idle_stop_min: float | None,
    detach: bool,
    config: Path | None,
    as_json: bool,
    **engine_flags: Any,
) -> None:
    """Start a session on this machine that serves one or more models.

    MODEL is a folder, a Hugging Face id, an entry of your settings, or `demo`. Without one, the settings'
    active_model is served. Several models become several engines behind one address.
    """
    from curc_llm.cli.launching import Start, run_session

    settings = load(config, {"idle_stop_min": idle_stop_min, "device": device})
    run_session(settings, Start(models, engine_flags, port, time_h, detach), Output(as_json))
