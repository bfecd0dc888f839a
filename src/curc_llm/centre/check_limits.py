"""What the job filter takes: the largest launch of each GPU type is tried, and one that is a little larger.

Nothing is submitted: `sbatch --test-only` asks Slurm and its filter. What only a filter knows, such as the
cores and the memory that a job may have with each GPU, can't be learnt otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from curc_llm.centre.finding import Finding, Level
from curc_llm.errors import SlurmError, SlurmSilentError
from curc_llm.sites.lookup import SiteGpu, list_gpus
from curc_llm.sites.site import Site
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.request import JobRequest

SCRIPT = "#!/bin/sh\nexit 0\n"
TEST_TIME_S = 1800


def check_limits(site: Site, slurm: Slurm, account: str = "") -> Iterator[Finding]:
    """Tries the limits of each GPU type.

    Args:
        site: whose limits are tried.
        slurm: where.
        account: whom the jobs would be charged to; empty: the caller's own default.
    """
    for gpu in list_gpus(site):
        qos = _choose_qos(gpu, site)
        if gpu.gpu_type.on_request or qos is None:
            continue
        subject = f"partition {gpu.partition_name}"
        largest = make_largest(gpu, site, qos, account)
        refusal = _ask(slurm, largest)
        if refusal is None:
            yield from _try_more(subject, gpu, largest, slurm)
        else:
            level: Level = "unknown" if isinstance(refusal, SlurmSilentError) else "differs"
            yield Finding(
                subject, f"largest job of one {gpu.name}", level, _describe(largest), refusal.message,
                "Lower max_cores_per_gpu or max_memory_per_gpu_gib in the site file, or name an --account.",
            )  # fmt: skip


def make_largest(gpu: SiteGpu, site: Site, qos: str, account: str = "") -> JobRequest:
    """The most that the site file allows with one GPU."""
    memory = gpu.gpu_type.max_memory_per_gpu_gib
    return JobRequest(
        job_name="curc-llm-doctor",
        partition=gpu.partition_name,
        qos=qos,
        account=account or site.account.default,
        gres_type=gpu.gres.partition(":")[2],
        gpus_per_node=1,
        cpus_per_task=gpu.gpu_type.max_cores_per_gpu,
        memory_gib=int(memory) if memory else None,
        time_s=max(TEST_TIME_S, int(site.qos[qos].min_time_h * 3600)),
    )


def _choose_qos(gpu: SiteGpu, site: Site) -> str | None:
    return next((name for name in gpu.gpu_type.qos if name in site.qos), None)


def _try_more(subject: str, gpu: SiteGpu, largest: JobRequest, slurm: Slurm) -> Iterator[Finding]:
    """Slurm must refuse what the site file doesn't allow, or the file says less than people may have."""
    cores = largest.cpus_per_task + 1
    tries = [("max_cores_per_gpu", replace(largest, cpus_per_task=cores), f"{cores} or more")]
    if largest.memory_gib is not None:
        memory = largest.memory_gib + 1
        tries.append(("max_memory_per_gpu_gib", replace(largest, memory_gib=memory), f"{memory} or more"))
    for what, request, more in tries:
        allowed = getattr(gpu.gpu_type, what)
        refusal = _ask(slurm, request)
        level: Level = "differs" if refusal is None else "ok"
        remedy = f"Raise {what} of {gpu.name} in the site file ({subject})." if refusal is None else ""
        found = more if refusal is None else f"{allowed:g}"
        yield Finding(subject, f"{what} of {gpu.name}", level, f"{allowed:g}", found, remedy)


def _ask(slurm: Slurm, request: JobRequest) -> SlurmError | None:
    """None when Slurm would take it, else its refusal."""
    try:
        slurm.test(request, SCRIPT)
    except SlurmError as error:
        return error
    return None


def _describe(request: JobRequest) -> str:
    memory = f", {request.memory_gib} GiB" if request.memory_gib is not None else ""
    return f"{request.gres}, {request.cpus_per_task} cores{memory}, {request.qos}"
