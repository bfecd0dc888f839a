"""`curc-llm demo`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import adapter_options, load, verb_options
from curc_llm.cli.output import Output

if TYPE_CHECKING:
    from curc_llm.settings import Settings

REAL_MODEL = "Qwen/Qwen3-0.6B"
REAL_MODEL_SIZE = "1.5 GB"
SHARE_OF_TWO = 0.4  # of a GPU's memory, for each of two engines


@click.command()
@click.option(
    "--model", help="Serve this instead: a folder, a Hugging Face id, or an entry of your settings."
)
@click.option("--embed", is_flag=True, help="Also serve the bundled model as `demo-embed`, for embeddings.")
@adapter_options
@click.option(
    "--lab", is_flag=True, help="Also start JupyterLab with the notebooks, connected; Ctrl-C ends it."
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
    embed: bool,
    lab: bool,
    detach: bool,
    time_h: float | None,
    idle_stop_min: float | None,
    port: int | None,
    adapters: tuple[str, ...],
    max_loras: int | None,
    max_lora_rank: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Start a session on this machine with the bundled model and open it to you.

    The bundled model is tiny and answers questions about curc-llm itself. Ctrl-C ends the session.
    """
    from curc_llm.cli.launching import Start, run_session
    from curc_llm.spec import DEMO_EMBED_NAME

    if lab:
        _check_lab(detach)
    settings = load(config, {"idle_stop_min": idle_stop_min})
    output = Output(as_json)
    if model is None:
        talks = sys.stdin.isatty() and sys.stderr.isatty() and not as_json and not detach
        model = REAL_MODEL if talks and _wants_real_model(settings, output) else "demo"
    if not lab and not detach and not as_json:
        output.say(tell_of_lab(os.environ))
    models = (model, DEMO_EMBED_NAME) if embed or (lab and model == "demo") else (model,)
    # Two engines share what the machine has.
    flags: dict[str, Any] = {"gpu_memory_utilization": SHARE_OF_TWO} if len(models) == 2 else {}
    flags |= {"max_loras": max_loras, "max_lora_rank": max_lora_rank}
    run_session(settings, Start(models, flags, port, time_h, detach, lab=lab, adapters=adapters), output)


def tell_of_lab(environment: Mapping[str, str]) -> str:
    """How JupyterLab would come with it: as an option, or as make's variable where make started it.

    Args:
        environment: make sets MAKELEVEL in it.

    Example:
        >>> tell_of_lab({"MAKELEVEL": "1"}).partition(",")[0]
        'With `make demo LAB=1`'
    """
    how = "`make demo LAB=1`" if environment.get("MAKELEVEL") else "--lab"
    return f"With {how}, JupyterLab starts too: notebooks to learn from, connected to this session."


def _check_lab(detach: bool) -> None:
    from curc_llm.cli.lab import check_lab

    if detach:
        raise click.UsageError("--lab ends with the demo, so it doesn't go with --detach.")
    check_lab()


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
