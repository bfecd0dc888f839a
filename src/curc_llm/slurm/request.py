"""JobRequest: what sbatch is asked for. Every value is checked, so what is rendered needs no trust."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from curc_llm.errors import PlanError
from curc_llm.plan.plan import Plan
from curc_llm.sites.lookup import find_gpu
from curc_llm.sites.site import Site
from curc_llm.slurm.gres import parse_gres, render_gres
from curc_llm.slurm.words import check_number, check_path, check_word
from curc_llm.spec import SlurmSpec

# Slurm warns the job this long before it is ended, and the session then ends by itself (job/ending.py).
WARN_BEFORE_END_S = 120
# The least that each number may be.
_LEAST = {"num_nodes": 1, "cpus_per_task": 1, "time_s": 60, "gpus_per_node": 0, "warn_before_end_s": 0}


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """What Slurm is asked for.

    Args:
        job_name: what `squeue` shows.
        partition, qos, account, reservation, constraint: Slurm's words; empty: not asked for.
        num_nodes: nodes; each gets one task, and the job starts what it needs there itself.
        cpus_per_task: cores on each node.
        gres_type: Slurm's name of the GPU type; empty: GPUs without a type.
        gpus_per_node: GPUs on each node; 0 for none.
        memory_gib: host memory of each node in GiB; None: what the cores bring with them.
        time_s: wall time in seconds.
        warn_before_end_s: seconds before the end at which the job gets SIGUSR1; 0 for never.
        requeue: whether Slurm may start the job again after a preemption or a lost node.
        exclusive: whether nobody else's job may be on its nodes.
        output: where the job's output goes; None leaves it to Slurm.

    Raises:
        SpecError: a value isn't one that Slurm could mean.

    Example:
        >>> JobRequest(job_name="chat", partition="al40", gres_type="l40", gpus_per_node=2, time_s=3600).gres
        'gpu:l40:2'
    """

    job_name: str
    partition: str
    time_s: int
    qos: str = ""
    account: str = ""
    reservation: str = ""
    constraint: str = ""
    num_nodes: int = 1
    cpus_per_task: int = 1
    gres_type: str = ""
    gpus_per_node: int = 0
    memory_gib: int | None = None
    warn_before_end_s: int = WARN_BEFORE_END_S
    requeue: bool = False
    exclusive: bool = False
    output: Path | None = None

    def __post_init__(self) -> None:
        for name in ("job_name", "partition"):
            check_word(name, getattr(self, name), needed=True)
        for name in ("qos", "account", "reservation", "constraint", "gres_type"):
            check_word(name, getattr(self, name))
        for name, least in _LEAST.items():
            check_number(name, getattr(self, name), least)
        if self.memory_gib is not None:
            check_number("memory_gib", self.memory_gib, 1)
        if self.output is not None:
            check_path(self.output)

    @property
    def gres(self) -> str:
        """What `--gres` is given; empty without GPUs."""
        return render_gres(self.gres_type, self.gpus_per_node)

    def to_spec(self) -> SlurmSpec:
        """The part that is kept in the LaunchSpec, so that the launch can be repeated."""
        return SlurmSpec(
            partition=self.partition,
            qos=self.qos,
            account=self.account,
            gres=self.gres,
            nodes=self.num_nodes,
            cpus_per_task=self.cpus_per_task,
            mem_gib=self.memory_gib,
            constraint=self.constraint,
            reservation=self.reservation,
            requeue=self.requeue,
            exclusive=self.exclusive,
        )


def make_job_request(
    plan: Plan,
    site: Site,
    *,
    job_name: str = "curc-llm",
    output: Path | None = None,
    reservation: str = "",
    requeue: bool = False,
    exclusive: bool | None = None,
) -> JobRequest:
    """What Slurm is asked for so that a plan can run.

    CURC's job filter demands partition, QoS and wall time, and of GPU jobs the number of nodes, the tasks and
    one typed gres (error-status-codes page, 2026-08-05, codes 2, 9, 13, 15, 17, 20): they are always given.

    Args:
        plan: a plan that fits.
        site: where it was planned for.
        job_name: what `squeue` shows.
        output: where the job's output goes.
        reservation: Slurm's reservation.
        requeue: whether Slurm may start the job again.
        exclusive: whether nobody else's job may be on its nodes; None: as `choose_exclusive` says.

    Raises:
        PlanError: the plan is a refusal.
        SpecError: a value isn't one that Slurm could mean.

    Example:
        >>> make_job_request(make_plan(PlanRequest(model="qwen3-4b"), facts), facts.site).num_nodes
        1
    """
    if not plan.fits or plan.num_gpus is None or plan.num_nodes is None or plan.hours is None:
        raise PlanError(f"{plan.model or plan.request.model} can't be launched: {plan.reason}")
    gpu = find_gpu(site, plan.gpu_type, plan.partition)
    return JobRequest(
        job_name=job_name,
        partition=plan.partition,
        qos=plan.qos,
        account=plan.account,
        reservation=reservation,
        num_nodes=plan.num_nodes,
        cpus_per_task=plan.cpus or 1,
        gres_type=gpu.gres.partition(":")[2],
        gpus_per_node=plan.num_gpus * plan.replicas // plan.num_nodes,
        memory_gib=plan.memory_gib,
        time_s=math.ceil(plan.hours * 3600),
        requeue=requeue,
        exclusive=choose_exclusive(plan, site) if exclusive is None else exclusive,
        output=output,
    )


def choose_exclusive(plan: Plan, site: Site) -> bool:
    """Whether a plan's nodes are asked for whole when nobody said so.

    vLLM's sockets between nodes know no password (docs/security.md), so a job over several nodes keeps others
    away where the site says so, or where it costs nothing: it has all GPUs anyway, and cores are free.

    Args:
        plan: a plan that fits.
        site: where it was planned for.
    """
    nodes = plan.num_nodes or 1
    if nodes == 1:
        return False
    gpu = find_gpu(site, plan.gpu_type, plan.partition)
    has_all = (plan.num_gpus or 0) // nodes == gpu.gpus_per_node
    return gpu.partition.keeps_others_away(site.billing) and (has_all or gpu.partition.exclusive is True)


def make_repeated_request(
    slurm: SlurmSpec, *, job_name: str, time_s: float, output: Path | None = None
) -> JobRequest:
    """What a spec's launch asks for, or asked for once.

    Args:
        slurm: of the LaunchSpec.
        job_name: what `squeue` shows.
        time_s: wall time in seconds.
        output: where the job's output goes.

    Raises:
        SpecError: a value isn't one that Slurm could mean.
    """
    gres_type, gpus_per_node = parse_gres(slurm.gres)
    return JobRequest(
        job_name=job_name,
        partition=slurm.partition,
        qos=slurm.qos,
        account=slurm.account,
        reservation=slurm.reservation,
        constraint=slurm.constraint,
        num_nodes=slurm.nodes,
        cpus_per_task=slurm.cpus_per_task,
        gres_type=gres_type,
        gpus_per_node=gpus_per_node,
        memory_gib=slurm.mem_gib,
        time_s=math.ceil(time_s),
        requeue=slurm.requeue,
        exclusive=slurm.exclusive,
        output=output,
    )
