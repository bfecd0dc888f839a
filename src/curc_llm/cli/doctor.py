"""`curc-llm doctor`."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from curc_llm.cli.check import Check
from curc_llm.cli.options import verb_options
from curc_llm.cli.output import Output

MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


@click.command()
@verb_options
def doctor(config: Path | None, as_json: bool) -> None:
    """Check whether this machine can run sessions, and say what to mend.

    Ends with 1 when something must be mended first. Warnings are for you to judge.
    """
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
