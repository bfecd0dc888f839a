"""JobRequest: what sbatch is asked for. Every value is checked here, so that what is rendered needs no trust."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curc_llm.errors import PlanError, SpecError
from curc_llm.plan.plan import Plan
from curc_llm.sites.lookup import find_gpu
from curc_llm.sites.site import Site
from curc_llm.spec import SlurmSpec

# Slurm's names: accounts and QoS, and GPU types such as a100_3g.20gb.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./+-]{0,99}")
_CONSTRAINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.&|,()\[\]*+-]*")
_MAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+")
MAIL_TYPES = ("BEGIN", "END", "FAIL", "REQUEUE", "TIME_LIMIT", "TIME_LIMIT_90", "ALL", "NONE")
# Slurm warns the job this long before it is ended, and the session then ends by itself (job/ending.py).
WARN_BEFORE_END_S = 120


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """What Slurm is asked for.

    Args:
        job_name: what `squeue` shows.
        partition, qos, account, reservation, constraint: Slurm's words; empty: not asked for.
        num_nodes: nodes; each gets one task.
        cpus_per_task: cores on each node.
        gres_type: Slurm's name of the GPU type; empty: GPUs without a type.
        gpus_per_node: GPUs on each node; 0 for none.
        memory_gib: host memory of each node in GiB; None: what the cores bring with them.
        time_s: wall time in seconds.
        warn_before_end_s: seconds before the end at which the job gets SIGUSR1; 0 for never.
        requeue: whether Slurm may start the job again after a preemption or a lost node.
        exclusive: whether the nodes are shared with nobody.
        output: where the job's output goes; None leaves it to Slurm.
        mail_user, mail_types: whom Slurm writes to, about what.

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
    mail_user: str = ""
    mail_types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_words(self)
        _check_numbers(self)

    @property
    def gres(self) -> str:
        """What `--gres` is given; empty without GPUs."""
        if not self.gpus_per_node:
            return ""
        return ":".join(part for part in ("gpu", self.gres_type, str(self.gpus_per_node)) if part)

    @property
    def num_tasks(self) -> int:
        """One task a node: the job starts what it needs there itself."""
        return self.num_nodes

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
        )


def make_job_request(
    plan: Plan,
    site: Site,
    *,
    job_name: str = "curc-llm",
    output: Path | None = None,
    reservation: str = "",
    requeue: bool = False,
    mail_user: str = "",
    mail_types: tuple[str, ...] = (),
) -> JobRequest:
    """What Slurm is asked for so that a plan can run.

    CURC's job filter demands partition, QoS and wall time, and of GPU jobs the number of nodes, the tasks and
    one typed gres (error-status-codes page, 2026-08-05, codes 2, 9, 13, 15, 17, 20); all of them are always given.

    Args:
        plan: a plan that fits.
        site: where it was planned for.
        job_name, output, reservation, requeue, mail_user, mail_types: as in `JobRequest`.

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
        gpus_per_node=plan.num_gpus // plan.num_nodes,
        memory_gib=plan.memory_gib,
        time_s=math.ceil(plan.hours * 3600),
        requeue=requeue,
        output=output,
        mail_user=mail_user,
        mail_types=mail_types,
    )


def parse_gres(gres: str) -> tuple[str, int]:
    """The type and the count of a `--gres`; a missing count is 1, a missing type is empty.

    Raises:
        SpecError: it isn't one kind of GPU.

    Example:
        >>> parse_gres("gpu:a100_80gb:2"), parse_gres("gpu:4"), parse_gres("")
        (('a100_80gb', 2), ('', 4), ('', 0))
    """
    if not gres:
        return "", 0
    found = re.fullmatch(r"gpu(?::(?P<type>[A-Za-z][\w.+-]*))?(?::(?P<count>\d+))?", gres)
    if found is None:
        raise SpecError(f"{gres!r} isn't one kind of GPU as Slurm writes it.", "Write it as gpu:TYPE:COUNT.")
    return found["type"] or "", int(found["count"] or 1)


def make_repeated_request(
    slurm: SlurmSpec, *, job_name: str, time_s: float, output: Path | None = None
) -> JobRequest:
    """What an earlier launch asked for, asked again.

    Raises:
        SpecError: a value isn't one that Slurm could mean.
    """
    gres_type, gpus_per_node = parse_gres(slurm.gres)
    return JobRequest(
        job_name=job_name,
        partition=slurm.partition,
        qos=slurm.qos,
        account=slurm.account,
        constraint=slurm.constraint,
        num_nodes=slurm.nodes,
        cpus_per_task=slurm.cpus_per_task,
        gres_type=gres_type,
        gpus_per_node=gpus_per_node,
        memory_gib=slurm.mem_gib,
        time_s=math.ceil(time_s),
        output=output,
    )


def _check_words(request: JobRequest) -> None:
    for name, pattern in _words(request):
        value = getattr(request, name)
        if value and pattern.fullmatch(value) is None:
            raise SpecError(
                f"{name} {_short(value)} isn't something that Slurm could mean.",
                "Use letters, digits and . _ - only, as Slurm prints it.",
            )
    if not request.job_name or not request.partition:
        raise SpecError("A job needs a name and a partition.", "Name the partition.")
    wrong = [kind for kind in request.mail_types if kind not in MAIL_TYPES]
    if wrong:
        raise SpecError(f"mail_types {_short(wrong[0])} isn't known.", f"There are: {', '.join(MAIL_TYPES)}.")


def _words(request: JobRequest) -> Iterator[tuple[str, re.Pattern[str]]]:
    yield "job_name", _JOB_NAME
    yield "constraint", _CONSTRAINT
    yield "mail_user", _MAIL
    for name in ("partition", "qos", "account", "reservation", "gres_type"):
        yield name, _NAME


def _check_numbers(request: JobRequest) -> None:
    lowest = {"num_nodes": 1, "cpus_per_task": 1, "time_s": 60, "gpus_per_node": 0, "warn_before_end_s": 0}
    for name, least in lowest.items():
        if getattr(request, name) < least:
            raise SpecError(f"{name} is {getattr(request, name)}, but at least {least} is needed.")
    if request.memory_gib is not None and request.memory_gib < 1:
        raise SpecError(f"memory_gib is {request.memory_gib}, but at least 1 is needed.")
    if request.output is not None and (not request.output.is_absolute() or "\n" in str(request.output)):
        raise SpecError(
            f"The job's output can't go to {_short(str(request.output))}: Slurm takes a full path without line breaks.",
            "Choose another state_dir.",
        )


def _short(value: str) -> str:
    """A hostile value in a sentence: quoted, and no more of it than a person reads."""
    return repr(value if len(value) <= 60 else value[:60] + "…")
