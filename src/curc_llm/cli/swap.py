"""`curc-llm swap`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import MAX_LORA_RANKS, find, session_option, verb_options
from curc_llm.cli.output import Output, render_table

if TYPE_CHECKING:
    from curc_llm.client.source import LocalSource
    from curc_llm.session.record import EngineRecord

HEADS = ("MODEL", "WEIGHTS", "CONTEXT", "SIZE", "HERE", "FOR")
LOOK_S = 0.3


@click.command()
@click.argument("model", required=False)
@click.option("--list", "lists", is_flag=True, help="List the models that fit on this session's GPUs.")
@click.option("--engine", metavar="MODEL", help="The model to exchange, where the session serves several.")
@click.option("--max-loras", type=click.IntRange(1, 64), help="Make room for adapters in the new model.")
@click.option(
    "--max-lora-rank",
    type=click.Choice(MAX_LORA_RANKS),
    help="Largest rank of those adapters; 16 when not given.",
)
@click.option("--no-wait", is_flag=True, help="Return as soon as it has begun.")
@session_option
@verb_options
def swap(
    model: str | None,
    lists: bool,
    engine: str | None,
    no_wait: bool,
    session: str | None,
    config: Path | None,
    as_json: bool,
    **room: Any,
) -> None:
    """Exchange a running session's model for another one on the same GPUs.

    MODEL is a name of the catalogue, an entry of your settings, a Hugging Face id, a folder, or `demo`. It is
    planned for the GPUs that the session has, and what doesn't fit is refused before anything is stopped. It
    is downloaded while the old model still answers; if it can't start, the old one comes back.
    """
    from curc_llm.client.managing import swap_model
    from curc_llm.client.source import LocalSource

    model = (model or "").strip() or None
    if lists == (model is not None):
        raise click.UsageError("Name a model, or ask for the --list of those that fit.")
    source, output = LocalSource(find(config, session).paths), Output(as_json)
    if model is None:
        _list(source, engine, output)
        return
    more = {name: str(value) for name, value in room.items() if value is not None}
    told = swap_model(source, model, engine, **more)
    for note in told.get("notes") or ():
        output.say(f"Note: {note}")
    output.say(f"{told['served_model_name']} is to take the place of {told['engine']} …")
    if not no_wait:
        _follow(source, told, output)
    output.data("", {"session_id": source.name, **told, "status": "swapping" if no_wait else "swapped"})


def _list(source: LocalSource, engine: str | None, output: Output) -> None:
    from curc_llm.client.managing import list_swaps

    told = list_swaps(source, engine)
    models = told.get("models") or []
    table = render_table(HEADS, [_row(one) for one in models])
    foot = f"Exchange {told.get('engine')} with: curc-llm swap MODEL" if models else "Nothing else fits here."
    output.data(table, told, foot)


def _row(one: dict[str, Any]) -> list[str]:
    size, context = one.get("weights_gib"), one.get("max_model_len")
    return [
        str(one.get("model")),
        str(one.get("quantisation") or "-"),
        f"{context:,}" if context else "-",
        f"{size:,.1f} GiB" if size is not None else "-",
        "yes" if one.get("is_here") else "no",
        ", ".join(one.get("uses") or ()),
    ]


def _follow(source: LocalSource, told: dict[str, Any], output: Output) -> None:
    """Tells each step until the exchange is over.

    Raises:
        EngineError: the new model could not take the old one's place.
    """
    from curc_llm.client.progress import render_swap
    from curc_llm.client.source import check_not_over
    from curc_llm.errors import EngineError

    shown = ""
    while True:
        record = source.record()
        check_not_over(record)
        engines = [one for one in record.engines if is_part(one, told)]
        steps = [step for one in engines if (step := render_swap(one))]
        if not steps and record.heartbeat_at >= told["since"]:  # else it was written before it began
            break
        if steps and steps[0] != shown:
            shown = steps[0]
            output.say(shown)
        time.sleep(LOOK_S)
    name = told["served_model_name"]
    done = next((one for one in engines if one.served_model_name == name and one.ready_at), None)
    if done is None or done.swap_trouble is not None:
        trouble = next(
            (one.swap_trouble or one.trouble for one in engines if one.swap_trouble or one.trouble), None
        )
        message = trouble.message if trouble else f"{name} could not be started."
        raise EngineError(message, (trouble.remedy if trouble else "") or f"See: curc-llm logs {source.name}")
    output.say(f"{name} is ready.")


def is_part(engine: EngineRecord, told: dict[str, Any]) -> bool:
    """Whether an engine is one of those that are exchanged."""
    return engine.served_model_name in {told["engine"], told["served_model_name"]}
