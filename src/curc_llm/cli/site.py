"""`curc-llm site`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output, choose_fitting, fold, render_table, screen_columns
from curc_llm.errors import FactFileError

if TYPE_CHECKING:
    from curc_llm.sites.figures import Figure


@click.group()
def site() -> None:
    """List, show and check the descriptions of Slurm centres."""


@site.command("ls")
@verb_options
def ls(config: Path | None, as_json: bool) -> None:
    """List the sites that need no file; the one that counts for you has a star."""
    from curc_llm.sites.load import LOCAL, load_site, site_names

    mine = load(config).site
    titles = {name: "this machine" if name == LOCAL else load_site(name).title for name in site_names()}
    if mine not in titles:
        titles[mine] = load_site(mine).title
    rows = [["*" if name == mine else "", name, title] for name, title in titles.items()]
    values = [{"name": name, "title": title, "is_mine": name == mine} for name, title in titles.items()]
    Output(as_json).data(render_table(("", "NAME", "TITLE"), rows), values)


@site.command("show")
@click.argument("name", required=False)
@click.option("--path", "path_only", is_flag=True, help="Only where its file is, to copy it from.")
@verb_options
def show(name: str | None, path_only: bool, config: Path | None, as_json: bool) -> None:
    """Show every figure of a site with its source and date."""
    from curc_llm.sites.figures import list_figures
    from curc_llm.sites.load import find_site_file, load_site

    output = Output(as_json)
    wanted = name or load(config).site
    if path_only:
        path = str(find_site_file(wanted))
        return output.data(path, {"path": path})
    figures = list_figures(load_site(wanted))
    columns = screen_columns()
    return output.data(_render_figures(figures, columns), [_describe(figure) for figure in figures])


@site.command("check")
@click.argument("name", metavar="[NAME|FILE]", required=False)
@verb_options
def check(name: str | None, config: Path | None, as_json: bool) -> None:
    """Check a site's file: names, values, and that everything it refers to exists."""
    from curc_llm.sites.load import find_site_file, load_cards, load_site, read_site_file

    output = Output(as_json)
    path = find_site_file(name or load(config).site)
    found, flaws = read_site_file(path, load_cards())
    if flaws:
        listed = [{"line": flaw.line, "message": flaw.message, "remedy": flaw.remedy} for flaw in flaws]
        lines = [f"{path}, line {flaw.line}: {flaw.message} {flaw.remedy}" for flaw in flaws]
        output.data("\n".join(lines), {"path": str(path), "flaws": listed})
        count = "one mistake" if len(flaws) == 1 else f"{len(flaws)} mistakes"
        raise FactFileError(f"{path} has {count}.", "Mend what is listed above, then check again.")
    load_site(str(path))
    types = sum(len(partition.gpu_types) for partition in found.partitions.values())
    counts = f"{_count(len(found.partitions), 'partition')}, {_count(types, 'GPU type')}"
    text = f"{path}: {found.title} is fine: {counts}."
    output.data(text, {"path": str(path), "flaws": []})


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _render_figures(figures: Sequence[Figure], columns: int | None) -> str:
    rows = [[f.place, _render(f.value), f.source_key, "" if f.verified else "not verified"] for f in figures]
    sources = {figure.source_key: figure.source for figure in figures}
    lines = [
        f"{key} ({source.date}): {source.title}, {source.url}{f'. {source.note}' if source.note else ''}"
        for key, source in sources.items()
    ]
    whole = render_table(("FIGURE", "VALUE", "SOURCE", ""), rows)
    table = choose_fitting([whole, _render_narrow(rows, columns)], columns)
    return "\n".join([table, "", "Sources", *(fold(f"  {line}", columns, "    ") for line in lines)])


def _render_narrow(rows: Sequence[Sequence[str]], columns: int | None) -> str:
    """Each figure's value and source below its name."""
    lines = []
    for place, value, source, remark in rows:
        note = ", ".join(filter(None, (source, remark)))
        lines += [place, fold(f"    {value}  ({note})", columns, "    ")]
    return "\n".join(lines)


def _render(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _describe(figure: Figure) -> dict[str, Any]:
    return {
        "place": figure.place,
        "value": figure.value,
        "source_key": figure.source_key,
        "source": figure.source.title,
        "url": figure.source.url,
        "date": figure.source.date.isoformat(),
        "note": figure.source.note,
        "verified": figure.verified,
    }
