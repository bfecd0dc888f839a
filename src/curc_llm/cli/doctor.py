"""`curc-llm doctor`."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from curc_llm.cli.check import Check
from curc_llm.cli.options import verb_options
from curc_llm.cli.output import Output

MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


@click.command()
@click.option(
    "--site", is_flag=True, help="For the centre's staff: check the installation and the site file."
)
@click.option("--app", type=click.Path(path_type=Path), help="With --site: the installed app's folder.")
@click.option(
    "--probe", is_flag=True, help="With --site: submit a job of a minute that looks at a compute node."
)
@click.option(
    "--gpu", default="", metavar="TYPE", help="With --probe: on which GPU type; the cheapest if not told."
)
@click.option("--account", default="", help="With --site: Slurm account to try limits and the probe with.")
@click.option("--qos", default="", help="With --probe: Slurm QoS.")
@click.option("--reservation", default="", help="With --probe: Slurm reservation.")
@click.option(
    "--wait-min", type=float, default=10.0, show_default=True, help="With --probe: how long to wait."
)
@click.option(
    "--portal-root",
    type=click.Path(path_type=Path),
    default=Path("/"),
    show_default=True,
    help="With --site: where the portal's /etc/ood and /opt/ood are.",
)
@verb_options
def doctor(config: Path | None, as_json: bool, site: bool, **asked: Any) -> None:
    """Check whether this machine can run sessions, and say what to mend.

    Ends with 1 when something must be mended first. Warnings are for you to judge.
    With --site the whole installation is checked instead: portal, app, Slurm against the site file, a node.
    """
    if site:
        from curc_llm.cli.doctor_site import run_site_doctor

        run_site_doctor(config, Output(as_json), **asked)
        return
    wrong = [name for name in ("app", "probe", "gpu", "account", "qos", "reservation") if asked[name]]
    if wrong:
        raise click.UsageError(f"--{wrong[0]} goes with --site.")
    from curc_llm.cli.check_settings import check_settings
    from curc_llm.cli.checks import run_checks

    settings, checks = check_settings(config, os.environ)
    checks += run_checks(settings, os.environ)
    failed = [check for check in checks if check.level == "fail"]

    def render(check: Check) -> str:
        text = f"{MARKS[check.level]}  {check.name:<12}  {check.message}"
        return f"{text}\n{'':20}{check.remedy}" if check.remedy else text

    value = {"ok": not failed, "checks": [asdict(check) for check in checks]}
    Output(as_json).data("\n".join(map(render, checks)), value)
    if failed:
        Output(as_json).say(f"\n{len(failed)} of {len(checks)} checks failed; mend them first.")
        sys.exit(1)
