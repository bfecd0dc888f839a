"""`curc-llm serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from curc_llm.cli.options import adapter_options, load, verb_options
from curc_llm.cli.output import Output


@click.command()
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option("--max-model-len", type=click.IntRange(min=16), help="Context in tokens.")
@click.option("--preset", help="A goal, such as low-latency; decides what you leave open.")
@click.option("--quantisation", help="Which of the model's weights: bf16, fp8, awq-int4 …; online-fp8.")
@click.option("--num-gpus", type=click.IntRange(min=1), help="GPUs to use; as many as needed when not given.")
@click.option("--max-num-seqs", type=click.IntRange(min=1), help="Requests that run at once.")
@click.option(
    "--gpu-memory-utilization",
    type=click.FloatRange(0, 1, min_open=True),
    help="Share of each GPU's memory to use, 0 to 1.",
)
@click.option(
    "--tensor-parallel-size", type=click.IntRange(min=1), help="GPUs that each model is spread over."
)
@click.option("--pipeline-parallel-size", type=click.IntRange(min=1), help="Groups of layers, each on GPUs.")
@click.option("--data-parallel-size", type=click.IntRange(min=1), help="Copies of each model.")
@click.option(
    "--replicas",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Engines for each model; the gateway shares requests among them.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Start of vLLM's random numbers.")
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
@click.option(
    "--from",
    "repeats",
    metavar="SESSION",
    help="Do an earlier session again: its id, or a spec.json; the same models, revisions and settings.",
)
@adapter_options
@click.option("--detach", is_flag=True, help="Return when the session is ready, and leave it running.")
@verb_options
def serve(
    models: tuple[str, ...],
    device: str | None,
    port: int | None,
    time_h: float | None,
    idle_stop_min: float | None,
    repeats: str | None,
    detach: bool,
    adapters: tuple[str, ...],
    replicas: int,
    config: Path | None,
    as_json: bool,
    **engine_flags: Any,
) -> None:
    """Start a session on this machine that serves one or more models.

    MODEL is a name of the catalogue, a folder, a Hugging Face id, an entry of your settings, or `demo`.
    Without one, the settings' active_model is served. Several models become several engines behind one
    address. What can't fit on this machine is refused before anything starts, and you are told what does fit.
    """
    from curc_llm.cli.launching import Start, run_session

    more = {"replicas": None if replicas == 1 else replicas, "adapter": adapters or None}
    _check_repeat(repeats, models, engine_flags | more)
    settings = load(config, {"idle_stop_min": idle_stop_min, "device": device})
    times = (port, time_h, detach, repeats, idle_stop_min)
    start = Start(models, engine_flags, *times, replicas=replicas, adapters=adapters)
    run_session(settings, start, Output(as_json))


def _check_repeat(repeats: str | None, models: tuple[str, ...], engine_flags: dict[str, Any]) -> None:
    """Refuses what would make a repeat another run."""
    changed = [f"--{name.replace('_', '-')}" for name, value in engine_flags.items() if value is not None]
    if repeats is not None and (models or changed):
        what = ", ".join([*models, *changed])
        raise click.UsageError(f"--from does an earlier session again as it was, without {what}.")
