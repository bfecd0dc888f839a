"""The spec of a session that another one starts: as its replica, or as its successor."""

from __future__ import annotations

from curc_llm.launch.request import SESSION_PREFIX
from curc_llm.session.cost import make_cost
from curc_llm.session.record import SessionRecord
from curc_llm.spec import LaunchSpec, make_session_id


def make_replica_spec(spec: LaunchSpec, wall_time_s: float) -> LaunchSpec:
    """A session that serves the same models for another one, which also ends it.

    Args:
        spec: the other one's, as it was submitted.
        wall_time_s: seconds that it may run.
    """
    more = {"parent": spec.session_id, "has_chat": False, "idle_stop_min": 0.0, "hand_over_s": 0.0}
    if spec.slurm is not None:
        # One that is pre-empted is replaced; coming back by itself it would cost what nobody has counted.
        more["slurm"] = spec.slurm.model_copy(update={"requeue": False})
    return _make_other(spec, wall_time_s).model_copy(update=more)


def make_successor_spec(spec: LaunchSpec, total_s: float) -> LaunchSpec:
    """A session that goes on where another one's wall time ends, for as long as that one could, or less.

    Args:
        spec: the other one's, as it was submitted.
        total_s: seconds for which the models are to be served; what one job can't, its own successors do.

    Example:
        >>> make_successor_spec(spec, 3 * spec.wall_time_s).hand_over_s == 2 * spec.wall_time_s
        True
    """
    wall_s = min(total_s, spec.wall_time_s or total_s)
    more = {"predecessor": spec.session_id, "hand_over_s": total_s - wall_s}
    return _make_other(spec, wall_s).model_copy(update=more)


def _make_other(spec: LaunchSpec, wall_time_s: float) -> LaunchSpec:
    """The same models, settings and request to Slurm; a place, a key and a port of its own."""
    session_id = make_session_id(SESSION_PREFIX)
    is_fixed = spec.port_min == spec.port_max
    update = {
        "session_id": session_id,
        "session_dir": spec.state_dir / "sessions" / session_id,
        "advertise_host": "",
        "wall_time_s": wall_time_s,
        # One fixed port can't serve two sessions, which may share a node.
        "port_min": 0 if is_fixed else spec.port_min,
        "port_max": 0 if is_fixed else spec.port_max,
        "mail_on_ready": False,
        "parent": "",
        "predecessor": "",
        "repeats": "",
    }
    return spec.model_copy(update=update)


def find_su_per_h(spec: LaunchSpec, record: SessionRecord) -> float:
    """What a session like this costs in an hour, in service units; 0 where nothing is charged."""
    cost = make_cost(record, spec, "")
    return float(cost["su_per_h"]) if cost is not None else 0.0
