"""`curc-llm demo`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output

if TYPE_CHECKING:
    from curc_llm.settings import Settings

REAL_MODEL = "Qwen/Qwen3-0.6B"
REAL_MODEL_SIZE = "1.5 GB"


@click.command()
@click.option(
    "--model", help="Serve this instead: a folder, a Hugging Face id, or an entry of your settings."
)
@click.option("--detach", is_flag=True, help="Return when the session is ready, and leave it running.")
@click.option("--time-h", type=click.FloatRange(min=0, min_open=True), help="End after so many hours.")
@click.option(
    "--idle-stop-min", type=click.FloatRange(min=0), help="End after so many minutes unused; 0: never."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="The gateway's port; any free one when not given."
)
@verb_options
def demo(
    model: str | None,
    detach: bool,
    time_h: float | None,
    idle_stop_min: float | None,
    port: int | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Start a session on this machine with the bundled model and open it to you.

    The bundled model is tiny and answers questions about curc-llm itself. Ctrl-C ends the session.
    """
    from curc_llm.cli.launching import Start, run_session

    settings = load(config, {"idle_stop_min": idle_stop_min})
    output = Output(as_json)
    if model is None:
        talks = sys.stdin.isatty() and sys.stderr.isatty() and not as_json and not detach
        model = REAL_MODEL if talks and _wants_real_model(settings, output) else "demo"
    run_session(settings, Start((model,), {}, port, time_h, detach), output)


def _wants_real_model(settings: Settings, output: Output) -> bool:
    """Asks once whether to download a real model; later runs keep to the answer."""
    from curc_llm.cli.hub import is_reachable
    from curc_llm.cli.launching import recall, remember

    note = settings.state_dir / "demo.json"
    answer = recall(note).get("real_model")
    if isinstance(answer, bool):
        chosen = f"Serving {REAL_MODEL}" if answer else "Serving the bundled model"
        output.say(
            f"{chosen}, as you chose before. `--model` takes any other; remove {note} to be asked again."
        )
        return answer
    if settings.offline or not is_reachable():
        return False
    question = (
        f"Download the small real model {REAL_MODEL} ({REAL_MODEL_SIZE}) instead of the tiny bundled one?"
    )
    answer = click.confirm(question, default=False, err=True)
    remember(note, {"real_model": answer})
    return answer
