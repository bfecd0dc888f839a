"""The site file's partitions against Slurm's."""

from __future__ import annotations

from collections.abc import Iterator

from curc_llm.centre.finding import Finding, compare
from curc_llm.centre.slurm_facts import SlurmFacts, parse_number, parse_tres
from curc_llm.sites.lookup import SiteGpu, list_gpus
from curc_llm.sites.site import Partition, Site

MIB_PER_GIB = 1024
# Slurm keeps memory in whole MiB, and site files state it with two digits.
MEMORY_TOLERANCE = 0.01
_DOES_NOT_SAY = "Slurm doesn't say. Ask whoever set up its accounting."


def check_partitions(site: Site, facts: SlurmFacts) -> Iterator[Finding]:
    """Every partition, and every GPU type in it."""
    for name, partition in site.partitions.items():
        subject = f"partition {name}"
        values = facts.partitions.get(name)
        if values is None:
            known = ", ".join(sorted(facts.partitions)) or "none"
            yield Finding(
                subject,
                "is there",
                "differs",
                name,
                "no such partition",
                f"Slurm has: {known}. Mend the name.",
            )
            continue
        yield from _check_limits(subject, partition, dict(values))
        yield from _check_nodes(subject, name, partition, facts)
        for gpu in list_gpus(site):
            if gpu.partition_name == name:
                yield from _check_gpu(subject, gpu, dict(values), facts, site)
    yield from _find_strangers(site, facts)


def _check_limits(subject: str, partition: Partition, values: dict[str, str]) -> Iterator[Finding]:
    state = values.get("State", "")
    if state != "UP":
        yield Finding(subject, "state", "differs", "UP", state or "unknown", "Jobs don't start there now.")
    yield compare(subject, "nodes", partition.nodes, parse_number(values.get("TotalNodes", "")))
    most = parse_number(values.get("MaxNodes", ""))
    yield compare(subject, "max_nodes_per_job", partition.max_nodes_per_job, most)
    memory = parse_number(values.get("DefMemPerCPU", ""))
    found = None if memory is None else memory / MIB_PER_GIB
    yield compare(
        subject, "memory_per_core_gib", partition.memory_per_core_gib, found,
        tolerance=MEMORY_TOLERANCE, unknown=_DOES_NOT_SAY,
    )  # fmt: skip
    allowed = values.get("AllowQos", "ALL")
    for qos in sorted({qos for gpu in partition.gpu_types.values() for qos in gpu.qos}):
        if allowed != "ALL" and qos not in allowed.split(","):
            yield Finding(
                subject, f"QoS {qos}", "differs", "allowed", f"only {allowed}",
                f"Remove {qos} from this partition's GPU types, or allow it in Slurm.",
            )  # fmt: skip


def _check_nodes(subject: str, name: str, partition: Partition, facts: SlurmFacts) -> Iterator[Finding]:
    nodes = facts.nodes_of(name)
    values = [facts.node_values[node.name] for node in nodes if node.name in facts.node_values]
    cores = [n for v in values if (n := parse_number(v.get("CPUEfctv") or v.get("CPUTot", ""))) is not None]
    cap = parse_number(facts.partitions[name].get("MaxCPUsPerNode", ""))
    found = min([*cores, cap]) if cores and cap is not None else min(cores, default=None)
    yield compare(subject, "cores_per_node", partition.cores_per_node, found)
    archs = {v["Arch"] for v in values if v.get("Arch")}
    if archs and archs != {partition.arch}:
        yield compare(subject, "arch", partition.arch, ", ".join(sorted(archs)))
    known = {feature for v in values for feature in v.get("AvailableFeatures", "").split(",")}
    for feature in partition.features:
        if feature not in known:
            yield Finding(
                subject, f"feature {feature}", "differs", "known to Slurm", "no node has it",
                f"Remove {feature} from `features` in the site file ({subject}).",
            )  # fmt: skip


def _check_gpu(
    subject: str, gpu: SiteGpu, values: dict[str, str], facts: SlurmFacts, site: Site
) -> Iterator[Finding]:
    gres_type = gpu.gres.partition(":")[2]
    nodes = facts.nodes_of(gpu.partition_name)
    counts = [n.gpus.get(gres_type, 0) if gres_type else sum(n.gpus.values()) for n in nodes]
    if not any(counts):
        there = sorted({kind or "gpu" for node in nodes for kind in node.gpus}) or ["no GPUs"]
        yield Finding(
            subject, f"GPU type {gpu.name}", "differs", gpu.gres, ", ".join(there),
            f"Mend gres_type of {gpu.name} in the site file, or remove the type.",
        )  # fmt: skip
        return
    yield compare(subject, f"gpus_per_node of {gpu.name}", gpu.gpus_per_node, max(counts))
    weights = parse_tres(values.get("TRESBillingWeights", ""))
    rate = weights.get(f"gres/{gpu.gres}".lower(), weights.get("gres/gpu"))
    yield compare(
        subject, f"su_per_gpu_h of {gpu.name}", gpu.gpu_type.su_per_gpu_h, rate,
        unknown=_DOES_NOT_SAY,
    )  # fmt: skip
    if gpu.name == next(iter(gpu.partition.gpu_types)):
        yield compare(
            subject, "su_per_core_h", site.billing.su_per_core_h, weights.get("cpu"),
            unknown=_DOES_NOT_SAY,
        )  # fmt: skip


def _find_strangers(site: Site, facts: SlurmFacts) -> Iterator[Finding]:
    """GPU types that Slurm has in the site's partitions, and the site file hasn't anywhere."""
    known = {gpu.gres.partition(":")[2] for gpu in list_gpus(site)}
    if "" in known:
        return
    for name in site.partitions:
        there = {kind for node in facts.nodes_of(name) for kind in node.gpus if kind}
        for kind in sorted(there - known):
            yield Finding(
                f"partition {name}", f"GPU type {kind}", "differs", "not in the site file", "Slurm has it",
                "Add it to the site file (docs/adding-a-site.md), so that people can choose it.",
            )  # fmt: skip
