"""`curc-llm preflight`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import find, load, session_argument, verb_options
from curc_llm.cli.output import Output

if TYPE_CHECKING:
    from curc_llm.session.preflight import PreflightReport
    from curc_llm.session.record import SessionRecord

FIGURES = {
    "latency_ms": "longest answer {:.2f} ms",
    "link_gb_per_s": "slowest link {:.2f} GB/s (TCP)",
    "all_reduce_gb_per_s": "all-reduce {:.2f} GB/s",
}


@click.command()
@session_argument
@click.option("--partition", default="", metavar="NAME", help="Look at nodes of this partition, as a job.")
@click.option("--nodes", "num_nodes", type=click.IntRange(2, 64), default=2, help="How many together (2).")
@click.option("--gpu", default="", metavar="TYPE", help="GPU type; the cheapest if left out.")
@click.option("--gpus-per-node", type=click.IntRange(0, 16), default=1, help="GPUs on each node (1).")
@click.option("--model", default="", metavar="FOLDER", help="A model that the nodes must be able to read.")
@click.option("--qos", default="", metavar="NAME", help="Slurm QoS.")
@click.option("--account", default="", metavar="NAME", help="Slurm account.")
@click.option("--reservation", default="", metavar="NAME", help="Slurm reservation.")
@click.option("--wait-min", type=click.FloatRange(min=0.1), default=30, help="Minutes to wait for it (30).")
@verb_options
def preflight(session: str | None, wait_min: float, config: Path | None, as_json: bool, **asked: Any) -> None:
    """Look at several nodes together: whether they see each other, how fast, and are alike.

    A session over several nodes does this before it loads its model; with SESSION its report is shown. With
    --partition a job of a few minutes does it alone. Exit status 1 when a model could not run there.

    \b
    Examples:
      curc-llm preflight slurm-k3v9qd
      curc-llm preflight --partition capella --nodes 4 --gpus-per-node 4
    """  # noqa: D301 - click wants the character
    output = Output(as_json)
    if asked["partition"] or asked["gpu"]:
        report = _run_job(config, output, wait_min, asked)
    else:
        report = _read_report(config, session)
    output.data(render_report(report), report.model_dump(mode="json") | {"status": report.status})
    if report.status == "failed":
        sys.exit(1)


def _run_job(config: Path | None, output: Output, wait_min: float, asked: dict[str, Any]) -> PreflightReport:
    from curc_llm.launch.preflight_job import PreflightAsked, PreflightJob
    from curc_llm.sites.load import load_site
    from curc_llm.slurm.command import Slurm

    settings = load(config)
    job = PreflightJob(Slurm(), settings, load_site(settings.site), output.say)
    asked["account"] = asked["account"] or settings.defaults.account or ""
    return job.run(PreflightAsked(**asked), wait_min * 60)


def _read_report(config: Path | None, session: str | None) -> PreflightReport:
    from curc_llm.errors import SessionNotReadyError

    record = find(config, session).record
    if record.preflight is None:
        remedy = "Look at nodes yourself: curc-llm preflight --partition NAME"
        raise SessionNotReadyError(explain_no_report(record), remedy)
    return record.preflight


def explain_no_report(record: SessionRecord) -> str:
    """Why a session's record has no report: it waits, has only begun, is on one node, or ended early."""
    from curc_llm.session.record import SessionStatus

    name = f"Session {record.session_id}"
    if record.status is SessionStatus.QUEUED:
        why = next((f" ({engine.detail})" for engine in record.engines if engine.detail), "")
        return f"{name} still waits in the queue{why}; one over several nodes looks at them once it runs."
    if record.status is SessionStatus.STARTING:
        return f"{name} is starting; one over several nodes looks at them before its model loads."
    if record.status.is_over:
        return f"{name} is over and was without a preflight: it was on one node, or ended before it looked."
    return f"{name} has no preflight: one over several nodes does it once it runs."


def render_report(report: PreflightReport) -> str:
    """The report for people: nodes, figures, then what isn't as it should be."""
    told = [text.format(report.figures[name]) for name, text in FIGURES.items() if name in report.figures]
    lines = [f"{len(report.nodes)} nodes in {report.seconds:.1f} s: {'; '.join(told) or 'nothing measured'}"]
    lines += [f"  {node}  {report.facts.get(node, '')}" for node in report.nodes]
    for finding in report.findings:
        lines.append(f"{'ERROR  ' if finding.is_fatal else 'warning'}  {finding.message}")
        lines += [f"{'':9}{finding.remedy}"] if finding.remedy else []
    return "\n".join(lines if report.findings else [*lines, "All is well."])
