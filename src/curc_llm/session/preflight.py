"""What was found out about a job's nodes before the model was loaded. Part of the session record."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    # As in the record: readers may be older than the job that wrote it.
    model_config = ConfigDict(frozen=True, extra="ignore")


class PreflightFinding(_Frozen):
    """Something that isn't as it should be.

    Args:
        code: a stable name, such as `nodes_apart`.
        is_fatal: whether the model can't run like this.
        message: what was found, with node and value.
        remedy: what to do about it.
        nodes: where.
    """

    code: str
    is_fatal: bool
    message: str
    remedy: str = ""
    nodes: tuple[str, ...] = ()


class PreflightReport(_Frozen):
    """The outcome of one look at all nodes.

    Args:
        seconds: how long it took.
        nodes: their names, in the job's order.
        findings: what isn't as it should be, the worst first.
        figures: measured values by name, units in the names.
        facts: for each node, in words, what it is and has.

    Example:
        >>> PreflightReport(seconds=3.2, nodes=("n1", "n2")).status
        'ok'
    """

    seconds: float
    nodes: tuple[str, ...] = ()
    findings: tuple[PreflightFinding, ...] = ()
    figures: dict[str, float] = {}
    facts: dict[str, str] = {}

    @property
    def status(self) -> Literal["ok", "warning", "failed"]:
        """The worst of the findings."""
        if any(finding.is_fatal for finding in self.findings):
            return "failed"
        return "warning" if self.findings else "ok"
