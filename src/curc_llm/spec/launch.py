"""LaunchSpec: all that a job is told, and enough to repeat its run exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from curc_llm.errors import SpecError
from curc_llm.factfile import Frozen
from curc_llm.plan.plan import Plan
from curc_llm.plan.request import PlanRequest
from curc_llm.sites.network import Network
from curc_llm.spec.engine import EngineSpec

SPEC_VERSION: Literal[4] = 4
# Specs of versions 2 and 3 say less: one engine on each set of GPUs, on one node. They mean the same now.
READABLE = (2, 3, SPEC_VERSION)


class Origin(Frozen):
    """Why an engine is as it is: what was asked, and what the planner answered.

    Args:
        wanted: what the person called the model.
        request: what was asked of the planner; None for the bundled model, which needs no plan, and for an
            embedding model that was asked for with the first one: its request names both.
        plan: its answer, without the arithmetic's steps; None where nothing was known of the model.
        fingerprint: of a model's folder; see `fingerprint_folder`. Empty for models from the hub.
    """

    wanted: str
    request: PlanRequest | None = None
    plan: Plan | None = None
    fingerprint: str = ""


class SlurmSpec(Frozen):
    """What Slurm is asked for, in its own words; the wall time is the LaunchSpec's.

    Args:
        gres: such as `gpu:a100_80gb:2`.
        nodes, cpus_per_task: nodes, and cores on each.
        mem_gib: host memory of each node in GiB.
        reservation: Slurm's; empty for none.
        requeue: whether Slurm may start the session again after a preemption or a lost node.
        exclusive: whether nobody else's job may be on the nodes.
    """

    partition: str
    qos: str = ""
    account: str = ""
    gres: str = ""
    nodes: int = 1
    cpus_per_task: int = 1
    mem_gib: int | None = None
    constraint: str = ""
    reservation: str = ""
    requeue: bool = False
    exclusive: bool = False


class LaunchSpec(Frozen):
    """All that a job is told.

    Args:
        session_id: the session's name; also its folder's.
        session_dir: the session's folder.
        engines: the models to serve, at least one.
        device: `cuda` or `cpu`.
        engine_python: the Python that has vLLM; empty in a job: the one that runs it.
        bind_host: address the gateway listens on.
        advertise_host: host name put into URLs; empty in a job: its node's name.
        port_min, port_max: the gateway's port range; 0 and 0 for any free port.
        idle_stop_min: minutes without a request until the session ends; 0 for never.
        wall_time_s: seconds until the session must end; None for no end.
        start_timeout_s: seconds an engine may take to become ready.
        drain_s: seconds that running requests get to finish when the session ends.
        last_chance_s: seconds that a session waits for its owner to start a model again after the last one
            has failed; only if it could answer before.
        origins: for each engine why it is as it is.
        site: where it was planned for; empty when nothing was planned.
        site_file: of a site that isn't shipped: its file, which the job reads too; empty otherwise.
        facts_digest: of the facts that were planned with; the same facts give the same digest.
        versions: of curc-llm, Python, vLLM, torch and transformers where it was launched.
        repeats: id of the session that this one repeats; empty otherwise.
        slurm: what Slurm is asked for; None outside Slurm.
        network: how the job's nodes speak with each other, as the site says.
        mail_on_ready: whether the job writes an e-mail when the session is ready.
        mail_user: to whom; empty: the owner.
        has_chat: whether the session has a chat page; replicas have none.
        parent: id of the session that this one is a replica of: it ends when that one does.
        predecessor: id of the session that this one takes over from.
        hand_over_s: seconds for which further jobs are to serve its models after its wall time; 0: none.
    """

    version: Literal[2, 3, 4] = SPEC_VERSION
    session_id: str
    session_dir: Path
    owner: str
    engines: tuple[EngineSpec, ...]
    device: Literal["cuda", "cpu"]
    engine_python: str
    cache_dir: Path
    hf_home: Path
    state_dir: Path
    bind_host: str = "127.0.0.1"
    advertise_host: str = "127.0.0.1"
    port_min: int = 0
    port_max: int = 0
    idle_stop_min: float = 30
    wall_time_s: float | None = None
    start_timeout_s: float = 3600
    drain_s: float = 20
    last_chance_s: float = 300
    max_body_mib: int = 32
    heartbeat_s: float = 15
    log_prompts: bool = False
    offline: bool = False
    origins: tuple[Origin, ...] = ()
    site: str = ""
    site_file: str = ""
    facts_digest: str = ""
    versions: dict[str, str] = {}
    repeats: str = ""
    slurm: SlurmSpec | None = None
    network: Network = Network()
    mail_on_ready: bool = False
    mail_user: str = ""
    has_chat: bool = True
    parent: str = ""
    predecessor: str = ""
    hand_over_s: float = 0


def read_launch_spec(path: Path) -> LaunchSpec:
    """Reads a spec that was written as JSON.

    Raises:
        SpecError: it is missing, broken, or of another version.
    """
    try:
        text = path.read_bytes()
        _check_version(path, text)
        return LaunchSpec.model_validate_json(text).model_copy(update={"version": SPEC_VERSION})
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise SpecError(
            f"{path} can't be used as a launch spec: {reason}.", "Launch again with curc-llm serve."
        ) from error


def _check_version(path: Path, text: bytes) -> None:
    try:
        values = json.loads(text)
    except ValueError:
        return  # what is wrong with it is told by who reads it
    found = values.get("version") if isinstance(values, dict) else None
    if found not in READABLE:
        raise SpecError(
            f"{path} is a launch spec of version {found}; this curc-llm reads version {SPEC_VERSION}.",
            "Launch again with curc-llm serve.",
        )
