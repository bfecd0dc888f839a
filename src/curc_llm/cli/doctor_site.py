"""`curc-llm doctor --site`: what was found, for people and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from curc_llm.centre.app_settings import read_app_settings
from curc_llm.centre.finding import Finding
from curc_llm.centre.probe_job import make_probe_request
from curc_llm.centre.site_doctor import Examination, adopt_environment, examine
from curc_llm.cli.options import load
from curc_llm.cli.output import Output
from curc_llm.sites.load import load_site
from curc_llm.slurm.command import Slurm

MARKS = {"ok": "ok     ", "differs": "DIFFERS", "unknown": "unknown"}


def run_site_doctor(
    config: Path | None,
    output: Output,
    *,
    app: Path | None,
    probe: bool,
    gpu: str,
    account: str,
    qos: str,
    reservation: str,
    wait_min: float,
    portal_root: Path,
) -> None:
    """Looks at everything, tells it, and leaves with 1 when something differs.

    Args:
        config: settings file.
        output: where it is told.
        app: the installed app's folder.
        probe: submit a job that looks at a compute node.
        gpu: its GPU type.
        account: whom limits and that job are tried with.
        qos: of that job.
        reservation: of that job.
        wait_min: minutes until the job must have answered.
        portal_root: where the portal's file system begins.
    """
    installed = read_app_settings(app.expanduser().absolute()) if app is not None else None
    if installed is not None:
        adopt_environment(installed)
    settings = load(config)
    site = load_site(settings.site)
    wanted = {"gpu": gpu, "qos": qos, "account": account, "reservation": reservation}
    asked = Examination(
        site=site,
        site_name=settings.site,
        state_dir=settings.state_dir,
        app=installed,
        portal_root=portal_root,
        probe=make_probe_request(site, **wanted) if probe else None,
        wait_s=wait_min * 60,
        account=account,
    )
    findings = list(examine(asked, Slurm(), output.say))
    _tell(findings, output)
    if any(finding.level == "differs" for finding in findings):
        sys.exit(1)


def _tell(findings: list[Finding], output: Output) -> None:
    counts = {level: sum(f.level == level for f in findings) for level in MARKS}
    value = {"ok": not counts["differs"], "findings": [{**asdict(f), "message": f.message} for f in findings]}
    output.data("\n".join(render_findings(findings)), value)
    told = f"{counts['ok']} as they should be, {counts['differs']} differ, {counts['unknown']} unknown"
    output.say(f"\n{len(findings)} facts: {told}.")


def render_findings(findings: Iterable[Finding]) -> list[str]:
    """A line for each that differs or isn't known, with its remedy below; the others together by subject."""
    by_subject: dict[str, list[Finding]] = {}
    for finding in findings:
        by_subject.setdefault(finding.subject, []).append(finding)
    lines: list[str] = []
    for subject, found in by_subject.items():
        fine = [f for f in found if f.level == "ok"]
        if len(fine) > 3:
            lines.append(f"{MARKS['ok']}  {subject}: {len(fine)} figures as expected")
        else:
            lines += [f"{MARKS['ok']}  {subject}: {f.message}" for f in fine]
        for finding in found:
            if finding.level != "ok":
                lines.append(f"{MARKS[finding.level]}  {subject}: {finding.message}")
                lines += [f"{'':9}{finding.remedy}"] if finding.remedy else []
    return lines
