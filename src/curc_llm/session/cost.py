"""What a session costs: worked out from what was planned, and when the job began to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curc_llm.session.record import SessionRecord, SessionStatus
from curc_llm.spec import LaunchSpec

Cost = Mapping[str, Any]


def make_cost(record: SessionRecord, spec: LaunchSpec | None, unit: str) -> dict[str, Any] | None:
    """What the session costs: rate, limit, and since when it counts; None where nothing is charged.

    Args:
        record: says when the job began to run, which is when charging begins.
        spec: says what was planned.
        unit: what service units are called.
    """
    plans = [origin.plan for origin in spec.origins if origin.plan is not None] if spec is not None else []
    rate = max((plan.su_per_h or 0.0 for plan in plans), default=0.0)
    if not rate or spec is None or spec.slurm is None:
        return None
    hours = (spec.wall_time_s or 0.0) / 3600
    since = None if record.status is SessionStatus.QUEUED else record.started_at
    return {"su_per_h": rate, "su_most": rate * hours, "unit": unit, "since": since}


def count_su(cost: Cost, now: float, ended_at: float | None = None) -> float:
    """Service units that were spent so far.

    Args:
        cost: from `make_cost`.
        now: Unix time in seconds.
        ended_at: when the session ended, if it has.

    Example:
        >>> count_su({"su_per_h": 100, "su_most": 400, "since": 0}, 1800)
        50.0
    """
    if cost["since"] is None:
        return 0.0
    hours = max(0.0, (ended_at or now) - cost["since"]) / 3600
    spent: float = min(cost["su_per_h"] * hours, cost["su_most"] or float("inf"))
    return spent
