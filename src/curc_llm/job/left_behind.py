"""Replicas that this session hasn't submitted, but that its budget pays: they are followed until they end."""

from __future__ import annotations

from curc_llm.errors import SpecError
from curc_llm.job.other_jobs import OtherJobs
from curc_llm.job.other_session import OtherSession, find_session_dir
from curc_llm.session.demand import OtherPhase, ReplicaRecord, ScaleRecord
from curc_llm.session.paths import SessionPaths
from curc_llm.spec import read_launch_spec


class LeftBehind:
    """What the replicas of an earlier session have cost, and what those that still run will cost at most.

    The earlier one's word is taken for those that it has seen end. Those that it hadn't are looked at: they
    end soon after it, so that what it had put aside for them isn't spent.

    Args:
        jobs: knows where sessions are, and asks Slurm of them.
    """

    def __init__(self, jobs: OtherJobs) -> None:
        self._jobs = jobs
        self._spent = 0.0
        self._replicas: dict[str, OtherSession] = {}

    def take(self, told: ScaleRecord, inherited: float = 0.0) -> None:
        """Takes what the earlier session says; may be called again, with newer words.

        Args:
            told: its record.
            inherited: service units in it that are counted elsewhere.
        """
        # What one costs until its end stands with it; what else is bound is due to still earlier ones.
        listed = sum((r.su or 0.0) + (r.su_bound or 0.0) for r in told.replicas)
        self._spent = max(0.0, (told.su_spent or 0.0) + (told.su_bound or 0.0) - listed - inherited)
        known = self._replicas
        self._replicas = {r.session_id: known.get(r.session_id) or self._find(r) for r in told.replicas}

    def _find(self, replica: ReplicaRecord) -> OtherSession:
        folder = find_session_dir(self._jobs.spec, replica.session_id)
        try:
            spec = read_launch_spec(SessionPaths(folder).spec)
        except SpecError:  # at most what this session costs itself
            own = {"session_id": replica.session_id, "session_dir": folder}
            spec = self._jobs.spec.model_copy(update=own)
        return OtherSession(spec, replica.job_id)

    def look(self) -> None:
        """Looks at those that may still run. Blocks a moment."""
        for replica in list(self._replicas.values()):
            if replica.phase is not OtherPhase.ENDED:
                replica.look(self._jobs.poll)

    def count_su(self, now: float) -> float:
        """Service units that they have cost until Unix time `now`."""
        return self._spent + sum(r.count_su(now) for r in self._replicas.values())

    def bound_su(self) -> float:
        """Service units that they will cost from now on at most."""
        return sum(r.bound_su(self._jobs.su_per_h) for r in self._replicas.values())
