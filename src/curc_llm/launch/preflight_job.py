"""A short job that looks at nodes together, as a session over several nodes does before it starts."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from curc_llm.engine.node_facts import PreflightRequest
from curc_llm.errors import LaunchError, SiteError, SlurmError
from curc_llm.factfile import Frozen
from curc_llm.session.files import write_private
from curc_llm.session.preflight import PreflightReport
from curc_llm.settings import Settings
from curc_llm.sites.lookup import SiteGpu, find_gpu, list_gpus
from curc_llm.sites.site import Site
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.job import Job
from curc_llm.slurm.poll import SlurmPoll
from curc_llm.slurm.request import JobRequest
from curc_llm.slurm.script import render_modules, render_options
from curc_llm.slurm.state import JobState

REQUEST, REPORT = "request.json", "report.json"
TIME_S = 300
POLL_S = 0.5
FEW_CORES = 4


class AloneRequest(Frozen):
    """What the job is told.

    Args:
        nodes: what each node is asked.
        num_nodes, cpus_per_task, gres: of the step; as the job's.
    """

    nodes: PreflightRequest
    num_nodes: int
    cpus_per_task: int = 1
    gres: str = ""


@dataclass(frozen=True)
class PreflightAsked:
    """Which nodes are to be looked at. What is left empty is chosen.

    Args:
        partition, gpu, qos, account, reservation: as for a launch.
        num_nodes: how many together.
        gpus_per_node: GPUs on each.
        model: a folder that the nodes must be able to read.
    """

    partition: str = ""
    gpu: str = ""
    qos: str = ""
    account: str = ""
    reservation: str = ""
    num_nodes: int = 2
    gpus_per_node: int = 1
    model: str = ""


def make_preflight_request(asked: PreflightAsked, site: Site) -> JobRequest:
    """What Slurm is asked for.

    Raises:
        SiteError: the site has no such partition or GPUs, or lets no job have so many nodes.
    """
    gpu = _choose_gpu(asked, site)
    most = gpu.partition.max_nodes_per_job
    if most is not None and asked.num_nodes > most:
        nodes = f"{most} node{'s' if most > 1 else ''}"
        raise SiteError(
            f"A job in {gpu.partition_name} may have {nodes}, not {asked.num_nodes}.",
            f"`max_nodes_per_job` of that partition in the file of {site.name} says so.",
        )
    if asked.gpus_per_node > gpu.gpus_per_node:
        raise SiteError(
            f"A node in {gpu.partition_name} has {gpu.gpus_per_node} {gpu.name}, not {asked.gpus_per_node}.",
            "Ask for as many or fewer.",
        )
    cores = max(1, gpu.gpu_type.max_cores_per_gpu) * max(1, asked.gpus_per_node)
    qos = asked.qos or next(iter(gpu.gpu_type.qos), "")
    shortest_s = int(site.qos[qos].min_time_h * 3600) if qos in site.qos else 0
    return JobRequest(
        job_name="curc-llm-preflight",
        partition=gpu.partition_name,
        qos=qos,
        account=asked.account or site.account.default,
        reservation=asked.reservation,
        num_nodes=asked.num_nodes,
        cpus_per_task=min(FEW_CORES, cores),
        gres_type=gpu.gres.partition(":")[2],
        gpus_per_node=asked.gpus_per_node,
        time_s=max(TIME_S, shortest_s),
        warn_before_end_s=0,
    )


def _choose_gpu(asked: PreflightAsked, site: Site) -> SiteGpu:
    """The kind that is named, else the cheapest of the partition."""
    if asked.gpu:
        return find_gpu(site, asked.gpu, asked.partition)
    known = [g for g in list_gpus(site) if asked.partition in ("", g.partition_name)]
    if not known:
        names = ", ".join(site.partitions)
        raise SiteError(f"{site.name} has no partition {asked.partition!r}.", f"It has: {names}.")
    return min(known, key=lambda g: g.gpu_type.su_per_gpu_h)


class PreflightJob:
    """Submits the job and waits for its report.

    Args:
        slurm: Slurm's commands.
        settings: say where sessions are kept, and with which Python engines run.
        site: where.
        say: told how it goes.
    """

    def __init__(self, slurm: Slurm, settings: Settings, site: Site, say: Callable[[str], None]) -> None:
        self._slurm, self._settings, self._site, self._say = slurm, settings, site, say

    def run(self, asked: PreflightAsked, wait_s: float) -> PreflightReport:
        """The report; the job and its folder are gone then.

        Raises:
            SiteError: see `make_preflight_request`.
            SlurmError: the job is refused.
            LaunchError: it gave no report in time.
        """
        request = make_preflight_request(asked, self._site)
        self._settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="preflight-", dir=self._settings.state_dir))
        try:
            write_private(folder / REQUEST, self._tell(asked, request).model_dump_json())
            request = replace(request, output=folder / "log")
            job_id = self._slurm.submit(request, self._render(request, folder), folder=folder)
            self._say(f"Job {job_id} looks at {asked.num_nodes} nodes of {request.partition} ...")
            try:
                return self._watch(job_id, folder, wait_s)
            finally:
                self._cancel(job_id)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _cancel(self, job_id: str) -> None:
        """What the job has told counts, though Slurm be silent; without its folder it ends at once."""
        try:
            self._slurm.cancel(job_id)
        except SlurmError as error:
            self._say(f"Job {job_id} can't be cancelled: {error.message}")

    def _tell(self, asked: PreflightAsked, request: JobRequest) -> AloneRequest:
        settings = self._settings
        is_cuda = (settings.device or "cuda") == "cuda"
        nodes = PreflightRequest(
            network=self._site.network_of(request.partition),
            device="cuda" if is_cuda else "cpu",
            engine_python=settings.engine_python or self._site.runtime.python or sys.executable,
            models=(asked.model,) if asked.model else (),
            folders=(str(settings.cache_dir), "/tmp", "/dev/shm"),  # noqa: S108 - looked at, not used
            gpus_per_node=asked.gpus_per_node if is_cuda else 0,
        )
        return AloneRequest(
            nodes=nodes,
            num_nodes=request.num_nodes,
            cpus_per_task=request.cpus_per_task,
            gres=request.gres,
        )

    def _render(self, request: JobRequest, folder: Path) -> str:
        runtime = self._site.runtime
        python = runtime.python or sys.executable
        command = shlex.join([python, "-P", "-m", "curc_llm.job.preflight_alone", str(folder)])
        options = [f"#SBATCH {option}" for option in render_options(request)]
        return "\n".join(
            ["#!/bin/bash", *options, "umask 077", *render_modules(runtime.modules), f"exec {command}", ""]
        )

    def _watch(self, job_id: str, folder: Path, wait_s: float) -> PreflightReport:
        poll, until = SlurmPoll(self._slurm), time.monotonic() + wait_s
        job = Job(job_id, JobState.UNKNOWN)
        while time.monotonic() < until:
            job = poll.jobs([job_id])[job_id]
            if (folder / REPORT).is_file():
                return PreflightReport.model_validate_json((folder / REPORT).read_bytes())
            if job.state.is_over:
                raise LaunchError(explain_over(job, _read_end(folder / "log")))
            time.sleep(POLL_S)
        raise LaunchError(
            explain_late(job, wait_s),
            "See when such a job would start: curc-llm capacity; or wait longer with --wait-min.",
        )


def explain_over(job: Job, last_line: str) -> str:
    """What became of a job that is over and left no report.

    Example:
        >>> explain_over(Job("7", JobState.CANCELLED), "")
        'Job 7 was cancelled before it had looked at its nodes.'
    """
    if job.state is JobState.CANCELLED:
        return f"Job {job.job_id} was cancelled before it had looked at its nodes."
    if not last_line:
        return f"Job {job.job_id} ended ({job.state.value}) before it had looked at its nodes."
    return f"Job {job.job_id} ended without a report: {last_line}"


def explain_late(job: Job, wait_s: float) -> str:
    """Why a job has no report yet: it still waits, or it runs and is slow.

    Example:
        >>> explain_late(Job("7", JobState.RUNNING), 60)
        'Job 7 gave no report within 60 s, so it was cancelled.'
    """
    if not job.state.is_waiting:
        return f"Job {job.job_id} gave no report within {wait_s:.0f} s, so it was cancelled."
    why = f" ({job.why_waiting})" if job.why_waiting else ""
    return f"Job {job.job_id} still waited in the queue after {wait_s:.0f} s{why}, so it was cancelled."


def _read_end(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return (lines or [""])[-1][:300]
