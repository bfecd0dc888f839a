"""The place of a preflight in a session's start: between what the job got and the first engine."""

from __future__ import annotations

from collections.abc import Callable

from curc_llm.job.board import Board
from curc_llm.job.ending import Ending, make_trouble_ending
from curc_llm.job.preflight import make_trouble, run_preflight
from curc_llm.session.paths import SessionPaths
from curc_llm.session.preflight import PreflightReport
from curc_llm.session.record import EnginePhase
from curc_llm.spec import LaunchSpec

DETAIL = "looks at the job's nodes"


async def look_first(
    spec: LaunchSpec, paths: SessionPaths, board: Board, request_end: Callable[[Ending], None]
) -> bool:
    """Whether the engines may start. On one node there is nothing to look at; else the record has the report.

    Args:
        spec: as it can run on this job's nodes.
        paths: the session's files.
        board: where the report, its warnings and the phase are shown.
        request_end: called when the model can't run on these nodes.
    """
    if spec.slurm is None or spec.slurm.nodes < 2:
        return True
    for index in range(len(spec.engines)):
        board.update_engine(index, phase=EnginePhase.ENVIRONMENT, detail=DETAIL)
    try:
        report = await run_preflight(spec, paths)
    except (OSError, ValueError, LookupError) as error:
        # No srun, a full disk, words that can't be read: the engine's own start tells whether it can work.
        board.warn(f"The job's nodes could not be looked at: {error}.")
        return True
    board.update(preflight=report)
    for warning in list_warnings(report):
        board.warn(warning)
    trouble = make_trouble(report)
    if trouble is not None:
        request_end(make_trouble_ending(trouble))
    return trouble is None


def list_warnings(report: PreflightReport) -> tuple[str, ...]:
    """What isn't as it should be, but may go well.

    Example:
        >>> list_warnings(PreflightReport(seconds=1))
        ()
    """
    found = [finding for finding in report.findings if not finding.is_fatal]
    return tuple(f"{finding.message} {finding.remedy}".strip() for finding in found)
