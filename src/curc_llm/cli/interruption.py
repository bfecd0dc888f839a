"""What people are told who press Ctrl-C during a launch."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from curc_llm.session.paths import SessionPaths
from curc_llm.session.slurm_note import read_slurm_note

if TYPE_CHECKING:
    from curc_llm.cli.output import Output
    from curc_llm.spec import LaunchSpec


def describe_going_on(spec: LaunchSpec, job_id: str) -> str:
    """The words where the job outlives the command that submitted it."""
    return (
        f"The session goes on as job {job_id}. See how it is: curc-llm status {spec.session_id} --watch\n"
        f"End it: curc-llm stop {spec.session_id}"
    )


class Underway:
    """A launch on its way: whoever interrupts it is told whether there is a job, and what becomes of it.

    Args:
        output: where it is told.
        describe_job: session and Slurm's job id to what is said when the job exists.

    Attributes:
        spec: set it as soon as there is one.

    Example:
        with Underway(output) as underway:
            underway.spec = make_slurm_spec(request, settings)
    """

    def __init__(
        self, output: Output, describe_job: Callable[[LaunchSpec, str], str] = describe_going_on
    ) -> None:
        self._output = output
        self._describe_job = describe_job
        self.spec: LaunchSpec | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self._output.say(f"\n{self._describe()}")

    def _describe(self) -> str:
        note = read_slurm_note(SessionPaths(self.spec.session_dir).slurm) if self.spec is not None else None
        if self.spec is None or note is None:
            return "Nothing was submitted."
        return self._describe_job(self.spec, note.job_id)
