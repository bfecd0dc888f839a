"""`curc-llm fetch`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output

if TYPE_CHECKING:
    from curc_llm.engine.download import DownloadProgress, FoundModel
    from curc_llm.launch.fetch_choice import Choice
    from curc_llm.launch.fetch_place import Place
    from curc_llm.settings import Settings


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from curc_llm.cli.models import complete_model

    return complete_model(ctx, parameter, incomplete)


@click.command()
@click.argument("model", shell_complete=_complete)
@click.option("--quantisation", metavar="NAME", help="Which of its weights, such as fp8 or awq-int4.")
@click.option("--revision", help="A commit, branch or tag, instead of the one that a launch would take.")
@click.option(
    "--to", metavar="FOLDER", help="Share it: as a plain folder in FOLDER, or `site` for the centre's."
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--no-checksums", is_flag=True, help="Don't read everything again to compare checksums.")
@verb_options
def fetch(
    model: str,
    quantisation: str | None,
    revision: str | None,
    to: str | None,
    yes: bool,
    no_checksums: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Download a model before its GPU hours are spent, and check that it is whole.

    Size, licence and conditions are shown first. Run it on a login node: downloading is fine there. Ctrl-C
    keeps what is there, and the same command goes on from it.
    """
    from curc_llm.cli.models import read_catalogue
    from curc_llm.launch.centre_copy import find_centre_copy
    from curc_llm.launch.fetch_choice import choose
    from curc_llm.launch.fetch_place import make_place
    from curc_llm.sites.load import load_site

    settings, output = load(config), Output(as_json)
    choice = choose(model, settings, read_catalogue(config), quantisation=quantisation, revision=revision)
    site = load_site(settings.site)
    kept = find_centre_copy(choice.weights, site, os.environ) if choice.weights and not to else None
    if kept is not None:
        output.data(f"{site.title} keeps it for everyone: {kept}", {"phase": "done", "path": str(kept)})
        output.say(f"Nothing to fetch. Use it with: curc-llm launch {kept}")
        return
    place = make_place(to, choice.hub_id, settings, site, os.environ)
    _fetch(choice, place, settings, output, yes=yes, checksums=not no_checksums)


def _fetch(
    choice: Choice, place: Place, settings: Settings, output: Output, *, yes: bool, checksums: bool
) -> None:
    from curc_llm.cli.fetch_screen import render_found, show_progress
    from curc_llm.launch.fetch_place import check_room, is_published, publish

    if _is_offline(settings):
        _tell_offline(choice, place, output)
        return
    found = _look_up(choice, place)
    free = check_room(place, found)
    fields = asdict(found) | {"path": str(place.folder or found.path)}
    output.data(
        "" if output.as_json else render_found(choice, place, found, free), {"phase": "found", **fields}
    )
    if is_published(place, found):
        _finish(choice, place.shown, found.commit, output)
        return
    _warn_of_gpus(output)
    if found.missing_bytes and not yes:
        _ask(found)
    steps = _download(choice, place, found, checksums=checksums)
    try:
        last = asyncio.run(show_progress(steps, output))
    except KeyboardInterrupt:
        output.say("Stopped. What is there is kept; the same command goes on from it.")
        raise
    assert last.path is not None  # noqa: S101 - the last step has it
    _finish(choice, publish(last.path, place), last.revision or found.commit, output)


def _is_offline(settings: Settings) -> bool:
    return settings.offline or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def _tell_offline(choice: Choice, place: Place, output: Output) -> None:
    """Says what is here; fails when that is nothing."""
    from curc_llm.errors import DownloadError
    from curc_llm.launch.hub_cache import find_downloaded

    here = find_downloaded(place.hf_home, choice.hub_id, choice.revision)
    if here is None:
        raise DownloadError(
            f"{choice.hub_id} isn't in {place.shown}, and nothing may be downloaded (offline).",
            "Set offline to false (CURC_LLM_OFFLINE=0; unset HF_HUB_OFFLINE) where there is internet.",
        )
    output.say("Offline: the hub wasn't asked, and nothing was compared.")
    output.data(f"{here}", {"phase": "done", "path": str(here), "revision": here.name})


def _look_up(choice: Choice, place: Place) -> FoundModel:
    from curc_llm.engine.download import look_up

    environ = {**os.environ, "HF_HUB_DISABLE_XET": "1"}
    return asyncio.run(look_up(choice.hub_id, choice.revision, hf_home=place.hf_home, environ=environ))


def _download(
    choice: Choice, place: Place, found: FoundModel, *, checksums: bool
) -> AsyncIterator[DownloadProgress]:
    from curc_llm.engine.download import run_download
    from curc_llm.launch.fetch_choice import make_environment

    environ = make_environment(os.environ, found)
    return run_download(
        choice.hub_id, choice.revision, hf_home=place.hf_home, checksums=checksums, environ=environ
    )


def _ask(found: FoundModel) -> None:
    from curc_llm.cli.fetch_screen import render_bytes

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("Nobody can be asked here: say --yes to accept the licence and to fetch it.")
    question = f"Fetch {render_bytes(found.missing_bytes)} under this licence?"
    click.confirm(question, default=True, abort=True, err=True)


def _warn_of_gpus(output: Output) -> None:
    if os.environ.get("SLURM_JOB_ID") and os.environ.get("SLURM_JOB_GPUS"):
        output.say("This job holds GPUs while it downloads. On a login node the same costs nothing.")


def _finish(choice: Choice, path: Path, revision: str, output: Output) -> None:
    output.data(f"{path}", {"phase": "done", "path": str(path), "revision": revision})
    name = str(path) if path.parent.name != "snapshots" else choice.name
    output.say(f"It is here and whole. Use it with: curc-llm launch {name}")
