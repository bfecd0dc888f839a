"""`curc-llm models verify`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output

if TYPE_CHECKING:
    from curc_llm.catalogue.model import Catalogue
    from curc_llm.catalogue.verify import Verdict


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Compare one model with a folder instead of with the hub.",
)
@verb_options
def verify(names: tuple[str, ...], folder: Path | None, config: Path | None, as_json: bool) -> None:
    """Compare the catalogue's figures with the hub or a folder; exit 1 when one differs.

    A NAME may be a folder too; then the model is told by the folder's name.
    """
    from curc_llm.cli.models import read_catalogue
    from curc_llm.errors import DownloadError

    catalogue = read_catalogue(config)
    if folder is None and len(names) == 1 and _is_path(names[0]):
        folder = Path(names[0]).expanduser()
        names = ()
    if folder is None and load(config).offline:
        raise DownloadError(
            "The settings say offline, so the hub isn't asked.", "Name a folder: --folder PATH"
        )
    output, verdicts = Output(as_json), []
    for verdict in _list_verdicts(names, folder, catalogue):
        verdicts.append(verdict)
        if not as_json:
            output.data(render_verdict(verdict), None)
    if as_json:
        output.data("", [_to_json(verdict) for verdict in verdicts])
    wrong = sum(not verdict.is_same for verdict in verdicts)
    output.say(f"{len(verdicts) - wrong} of {len(verdicts)} are the same.")
    if wrong:
        raise click.exceptions.Exit(1)


def _is_path(name: str) -> bool:
    """Whether a folder (or its config.json) is named instead of a model."""
    return name.startswith((".", "/", "~")) or Path(name, "config.json").is_file()


def _list_verdicts(names: tuple[str, ...], folder: Path | None, catalogue: Catalogue) -> Iterator[Verdict]:
    from curc_llm.catalogue.lookup import find_model
    from curc_llm.catalogue.verify import verify_in_folder, verify_on_hub

    if folder is not None:
        name = names[0] if len(names) == 1 else _guess_name(folder, names, catalogue)
        found = find_model(name, catalogue)
        yield verify_in_folder(found.name, found.model, folder)
        return
    for name in names or catalogue.models:
        found = find_model(name, catalogue)
        only = {"weights": (found.weights,)} if found.weights else {}
        yield from verify_on_hub(found.name, found.model.model_copy(update=only))


def _guess_name(folder: Path, names: tuple[str, ...], catalogue: Catalogue) -> str:
    """The model that a folder of Hugging Face's cache, or one that is called like a model, holds."""
    from curc_llm.catalogue.folder import read_folder
    from curc_llm.catalogue.lookup import find_model, nearest_names
    from curc_llm.errors import ModelNotFoundError

    if len(names) > 1:
        raise click.UsageError("A folder holds one model: name at most one.")
    theirs = read_folder(folder)
    for called in filter(None, (theirs.weights[0].hub_id, theirs.title)):
        try:
            return find_model(called, catalogue).name
        except ModelNotFoundError:
            continue
    near = " or ".join(nearest_names(theirs.title, catalogue)) or "see: curc-llm models"
    raise ModelNotFoundError(
        f"Which model {folder} holds can't be told by its name.",
        f"Name the model too ({near}).",
    )


def render_verdict(verdict: Verdict) -> str:
    """One line for one comparison, and one more for each figure that differs."""
    note = f" ({verdict.note})" if verdict.note else ""
    if verdict.is_same:
        return f"same     {verdict.name}: {verdict.where}{note}"
    head = f"DIFFERS  {verdict.name}: {verdict.where}{note}"
    return "\n".join([head, *(f"         {difference}" for difference in verdict.differences)])


def _to_json(verdict: Verdict) -> dict[str, Any]:
    differences = [{"figure": d.figure, "ours": d.ours, "theirs": d.theirs} for d in verdict.differences]
    return {
        "name": verdict.name,
        "where": verdict.where,
        "same": verdict.is_same,
        "differences": differences,
        "note": verdict.note,
    }
