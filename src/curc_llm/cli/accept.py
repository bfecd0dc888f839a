"""`curc-llm accept`."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output

if TYPE_CHECKING:
    from curc_llm.centre.promise import Promise
    from curc_llm.settings import Settings
    from curc_llm.spec import LaunchSpec

MARKS = {"kept": "kept   ", "broken": "BROKEN ", "unknown": "unknown"}


@click.command()
@click.option("--model", default="demo", show_default=True, help="What is launched; `demo` is the smallest.")
@click.option("--gpu", metavar="TYPE", help="GPU type; the cheapest when not told.")
@click.option("--partition", help="Slurm partition.")
@click.option("--qos", help="Slurm QoS.")
@click.option("--account", help="Whom it is charged to.")
@click.option("--reservation", default="", help="Slurm reservation.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option(
    "--wait-min", type=float, default=60.0, show_default=True, help="Until the job must have started."
)
@click.option(
    "--ready-min", type=float, default=30.0, show_default=True, help="Until the model must be ready."
)
@click.option("--output", "folder", type=click.Path(path_type=Path), help="Where the report is written.")
@verb_options
def accept(
    config: Path | None,
    as_json: bool,
    reservation: str,
    wait_min: float,
    ready_min: float,
    folder: Path | None,
    **wanted: str | float | None,
) -> None:
    """For the centre's staff: launch a small session and check every promise of the card.

    It is charged like any launch, and ended as soon as everything was looked at. Run it as a normal user on a
    login node, after installation and after every change of Slurm, portal or drivers. Exit status 1 when a
    promise is broken; the report says which, and holds no secret.
    """
    from curc_llm.centre.acceptance import Acceptance, check_caller
    from curc_llm.centre.report import write_report
    from curc_llm.cli.interruption import Underway
    from curc_llm.sites.load import load_site
    from curc_llm.slurm.command import Slurm

    check_caller()
    output = Output(as_json)
    promises: list[Promise] = []
    with Underway(output, lambda *_: "Interrupted: its job was ended.") as underway:
        settings = load(config)
        spec = underway.spec = _make_spec(settings, reservation, wanted)
        site = load_site(settings.site)
        run = Acceptance(Slurm(), site, wait_s=wait_min * 60, ready_s=ready_min * 60, say=output.say)
        for promise in run.run(spec):
            promises.append(promise)
            output.say(f"{MARKS[promise.verdict]}  {promise.text} {promise.found}")
    place = (folder or Path(f"curc-llm-accept-{time.strftime('%Y%m%d-%H%M%S')}")).absolute()
    report = write_report(place, promises, _facts(spec, settings))
    broken = [p.name for p in promises if p.verdict == "broken"]
    value = {"ok": not broken, "report": str(report), "promises": [asdict(p) for p in promises]}
    output.data(f"{len(promises)} promises, {len(broken)} broken. The report: {report}", value)
    if broken:
        sys.exit(1)


def _make_spec(settings: Settings, reservation: str, wanted: dict[str, str | float | None]) -> LaunchSpec:
    from curc_llm.launch.request import SessionRequest, make_slurm_spec
    from curc_llm.plan.request import PlanRequest

    asked = {("gpu_type" if name == "gpu" else name): value for name, value in wanted.items() if value}
    return make_slurm_spec(
        SessionRequest(plan=PlanRequest.model_validate(asked), reservation=reservation), settings
    )


def _facts(spec: LaunchSpec, settings: Settings) -> dict[str, str]:
    """What stands above the report's table."""
    import curc_llm

    slurm = spec.slurm
    where = f"{slurm.partition}, {slurm.qos}, {slurm.gres}" if slurm is not None else ""
    return {
        "When": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "Version": curc_llm.__version__,
        "Site": settings.site,
        "Session": spec.session_id,
        "Model": ", ".join(dict.fromkeys(engine.served_model_name for engine in spec.engines)),
        "Ran on": where,
        "As": spec.owner,
    }
