"""`curc-llm table`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from curc_llm.cli.options import verb_options
from curc_llm.cli.output import Output

SHIPPED_SITE = "alpine"
SHIPPED_TABLE = Path("ood_app") / "launch_table.json"


@click.command()
@click.option("--site", default=SHIPPED_SITE, show_default=True, metavar="NAME|FILE", help="For which site.")
@click.option(
    "--output",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=SHIPPED_TABLE,
    show_default=True,
    help="The file.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 when the file is stale.")
@verb_options
def table(site: str, path: Path, check: bool, config: Path | None, as_json: bool) -> None:
    """Write the table of plans that the OnDemand form looks things up in.

    Every model of the catalogue on every GPU type and count of a site. It depends on what curc-llm ships and
    on the site's file alone, never on your settings, unless you name some with -c.
    """
    from curc_llm.plan.table import render_table

    output = Output(as_json)
    made = _make(site, config)
    text = render_table(made)
    plans = sum(len(presets) for places in made["plans"].values() for presets in places.values())
    is_fresh = path.is_file() and path.read_text(encoding="utf-8") == text
    if check and not is_fresh:
        _refuse(site, path)
    if not check and not is_fresh:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    done = "up to date" if is_fresh else "written"
    output.data("", {"path": str(path), "models": len(made["models"]), "plans": plans, "status": done})
    output.say(f"{path} is {done}: {len(made['models'])} models, {plans:,} plans.")


def _make(site: str, config: Path | None) -> dict[str, Any]:
    from curc_llm.plan.facts import load_facts
    from curc_llm.plan.table import make_table
    from curc_llm.settings import load_settings

    return make_table(load_facts(load_settings(config, environ={"HOME": "/nonexistent"}), site))


def _refuse(site: str, path: Path) -> None:
    from curc_llm.errors import PlanError

    named = "" if (site, path) == (SHIPPED_SITE, SHIPPED_TABLE) else f" --site {site} --output {path}"
    raise PlanError(f"{path} is stale or missing.", f"Write it anew: curc-llm table{named}")
