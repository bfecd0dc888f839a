"""`curc-llm prompts`: your library of system prompts, the same that the chat page shows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output, render_table

if TYPE_CHECKING:
    from curc_llm.chats.prompts import Prompt, PromptLibrary

HEADS = ("NAME", "WHOSE", "TEXT")
SHOWN_CHARS = 60


def complete_prompt(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names of prompts that begin with what was typed."""
    from curc_llm.errors import CurcLlmError

    try:
        names = [one.name for one in _open(ctx.params.get("config")).list()]
    except CurcLlmError:
        return []
    return [name for name in names if name.casefold().startswith(incomplete.casefold())]


name_argument = click.argument("name", shell_complete=complete_prompt)


@click.group()
def prompts() -> None:
    """List, show, save and delete the system prompts of your library."""


@prompts.command("ls")
@click.option("--deleted", is_flag=True, help="Those that were deleted, and can be brought back.")
@verb_options
def ls(deleted: bool, config: Path | None, as_json: bool) -> None:
    """List prompts: your own, then the built-in ones."""
    found, output = _open(config).list(deleted=deleted), Output(as_json)
    output.data(render_table(HEADS, [_row(one) for one in found]), [one.to_json() for one in found])


@prompts.command("show")
@name_argument
@verb_options
def show(name: str, config: Path | None, as_json: bool) -> None:
    """Print a prompt's text."""
    found = _open(config).find(name)
    Output(as_json).data(found.text, found.to_json())


@prompts.command("add")
@click.argument("name")
@click.argument("text", required=False)
@click.option("--replace", "replaces", is_flag=True, help="Take the place of your own prompt of that name.")
@verb_options
def add(name: str, text: str | None, replaces: bool, config: Path | None, as_json: bool) -> None:
    """Save a prompt; without TEXT it is read from standard input."""
    from curc_llm.chats.prompts import MOST_CHARS

    given = sys.stdin.read(MOST_CHARS + 1) if text is None else text
    saved = _open(config).save(name, given, replaces=replaces)
    Output(as_json).data("", saved.to_json())


@prompts.command("rm")
@name_argument
@verb_options
def rm(name: str, config: Path | None, as_json: bool) -> None:
    """Delete a prompt of your own. `curc-llm prompts restore` brings it back."""
    library, output = _open(config), Output(as_json)
    gone = library.delete(library.find(name).prompt_id)
    output.data("", gone.to_json())
    output.say(f"Deleted. To undo: curc-llm prompts restore {gone.prompt_id}")


@prompts.command("restore")
@click.argument("prompt_id", metavar="ID")
@verb_options
def restore(prompt_id: str, config: Path | None, as_json: bool) -> None:
    """Bring a deleted prompt back; `curc-llm prompts ls --deleted --json` has its id."""
    Output(as_json).data("", _open(config).restore(prompt_id).to_json())


def _open(config: Path | None) -> PromptLibrary:
    from curc_llm.chats.prompts import PromptLibrary

    return PromptLibrary(load(config).state_dir)


def _row(one: Prompt) -> list[str]:
    text = " ".join(one.text.split())
    short = text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
    return [one.name, "built in" if one.is_built_in else "yours", short]
