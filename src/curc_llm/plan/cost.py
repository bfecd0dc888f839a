"""What a launch costs in service units (SU)."""

from __future__ import annotations

from curc_llm.plan.plan import Step
from curc_llm.plan.refusal import count_hours
from curc_llm.sites.site import Billing, GpuType, Qos

ALPINE_HARDWARE = "https://curc.readthedocs.io/en/latest/clusters/alpine/alpine-hardware.html"
# What CURC's older pages charged for one A100, L40 or MI100 for one hour.
OLDER_SU_PER_GPU_H = 108.6


def su_per_h(billing: Billing, qos: Qos | None, gpu: GpuType, *, num_gpus: int, cores: int) -> float:
    """Service units of one hour; GPUs and cores are those of the whole job, over all nodes.

    CURC: "users are billed 1.0 for each core they request and an amount for each GPU they request"; the test
    QoS at 10 % (Alpine hardware page, 2026-08-13).

    Example:
        >>> gpu = GpuType(source="x", card="a100-40gb", max_cores_per_gpu=21, su_per_gpu_h=108.6)
        >>> round(su_per_h(Billing(su_per_core_h=1.0), None, gpu, num_gpus=3, cores=64), 1)
        389.8
    """
    factor = 1.0 if qos is None else qos.billing_factor
    return (billing.su_per_core_h * cores + gpu.su_per_gpu_h * num_gpus) * factor


def older_su(hours: float, num_gpus: int, su_per_gpu_h: float = OLDER_SU_PER_GPU_H) -> float:
    """Service units as CURC counted them before cores were charged: hours x GPUs x 108.6.

    Kept so that figures in older documents can be understood.

    Example:
        >>> round(older_su(24, 1)), round(older_su(8, 4))
        (2606, 3475)
    """
    return hours * num_gpus * su_per_gpu_h


def cost_steps(
    billing: Billing, qos: Qos | None, gpu: GpuType, *, num_gpus: int, cores: int, hours: float
) -> tuple[Step, ...]:
    """The arithmetic of `su_per_h` and of the whole job, for `--why`."""
    factor = 1.0 if qos is None else qos.billing_factor
    rate = su_per_h(billing, qos, gpu, num_gpus=num_gpus, cores=cores)
    unit = billing.unit
    return (
        Step(
            name=f"{unit} per hour",
            formula=f"({unit} per core x cores + {unit} per GPU x GPUs) x QoS factor",
            numbers=f"({billing.su_per_core_h:g} x {cores} + {gpu.su_per_gpu_h:g} x {num_gpus}) x {factor:g}",
            result=f"{rate:,.1f} {unit}/h",
            source=ALPINE_HARDWARE,
        ),
        Step(
            name=f"{unit} of the whole job",
            formula=f"{unit} per hour x hours",
            numbers=f"{rate:,.1f} x {count_hours(hours)}",
            result=f"{rate * hours:,.0f} {unit}",
        ),
    )
