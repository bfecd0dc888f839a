"""`curc-llm adapter`."""

from __future__ import annotations

from pathlib import Path

import click

from curc_llm.cli.options import find, session_option, verb_options
from curc_llm.cli.output import Output, render_table

HEADS = ("NAME", "MODEL", "RANK", "LAYERS", "SOURCE")


@click.group()
def adapter() -> None:
    """Add, remove and list LoRA adapters of a running session."""


@adapter.command("add")
@click.argument("name")
@click.argument("source", metavar="PATH")
@click.option("--model", help="The model that it is for, where several take adapters.")
@session_option
@verb_options
def add(
    name: str, source: str, model: str | None, session: str | None, config: Path | None, as_json: bool
) -> None:
    """Load an adapter while the session runs; it is then a model called NAME.

    PATH is the adapter's folder, a Hugging Face id, or a name that the catalogue has for the model. It is
    looked at first: an adapter of another model, or of too large a rank, is refused. The model must have been
    started with --adapter or --max-loras.
    """
    from curc_llm.client.managing import add_adapter
    from curc_llm.client.source import LocalSource

    found = find(config, session)
    told = add_adapter(LocalSource(found.paths), name, source, model)
    output = Output(as_json)
    output.data("", {"session_id": found.session_id, "name": name, **told})
    if told.get("status") == "loaded":
        output.say(f"{name} can be used now: curc-llm ask --model {name} QUESTION")
    else:
        output.say(f"{name} is still being fetched or loaded: curc-llm adapter ls")


@adapter.command("remove")
@click.argument("name")
@session_option
@verb_options
def remove(name: str, session: str | None, config: Path | None, as_json: bool) -> None:
    """Unload an adapter. What it is answering just now ends well."""
    from curc_llm.client.managing import remove_adapter
    from curc_llm.client.source import LocalSource

    found = find(config, session)
    told = remove_adapter(LocalSource(found.paths), name)
    output = Output(as_json)
    output.data("", {"session_id": found.session_id, **told})
    if told.get("status") == "under_way":
        output.say(f"{name} goes once what is under way is done: curc-llm adapter ls")
    else:
        output.say(f"{name} is no model of this session any more.")


@adapter.command("ls")
@session_option
@verb_options
def ls(session: str | None, config: Path | None, as_json: bool) -> None:
    """List the adapters of a session."""
    found = find(config, session)
    rows, values = [], []
    for engine in found.record.engines:
        for one in engine.adapters:
            layers = ", ".join(one.target_modules)
            rows.append([one.name, engine.served_model_name, str(one.rank or "?"), layers, one.source])
            values.append({**one.model_dump(mode="json"), "model": engine.served_model_name})
    output = Output(as_json)
    output.data(render_table(HEADS, rows) if rows else "", values)
    if not rows:
        output.say("This session has no adapters. Add one with: curc-llm adapter add NAME PATH")
