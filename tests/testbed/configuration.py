"""Configuration: a site file becomes the configuration of a small Slurm. Pure: text out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from string import Template

from curc_llm.sites.lookup import SiteGpu, list_gpus
from curc_llm.sites.site import Partition, Site
from tests.testbed.ground import CONTROLLER, NODES, Ground

TEMPLATES = Path(__file__).parent / "templates"
# The site whose documented job filter the bed enforces.
FILTERED_SITE = "alpine"


def render_configuration(
    site: Site, ground: Ground, *, kill_wait_s: int, min_job_age_s: int, paper_nodes: int = 0
) -> dict[str, str]:
    """File name → text, of all files in the folder `etc`."""
    values = _values(site, ground) | {"kill_wait_s": kill_wait_s, "min_job_age_s": min_job_age_s}
    values["paper_nodes"] = render_paper_nodes(paper_nodes)
    files = {
        name: Template((TEMPLATES / name).read_text()).substitute(values)
        for name in ("slurm.conf", "slurmdbd.conf")
    }
    files["gres.conf"] = render_gres_conf(site, ground)
    files["hosts"] = render_hosts(ground)
    # On the nodes' loopback nobody answers, which the kernel says at once. The machine's own server can't be
    # reached from there: each name that is asked for (torch asks for its peers') would take ten seconds.
    files["resolv.conf"] = "nameserver 127.0.0.1\n"
    if site.name == FILTERED_SITE:
        files["job_submit.lua"] = render_filter(site)
    return files


def render_hosts(ground: Ground) -> str:
    """An /etc/hosts with the nodes."""
    own = [("127.0.0.1", "localhost"), (ground.address, CONTROLLER)]
    rows = own + [(node.address, node.name) for node in ground.nodes]
    return "".join(f"{address} {name}\n" for address, name in rows)


def render_paper_nodes(count: int) -> str:
    """Nodes that Slurm believes it could start: a cloud where nothing is ever started."""
    if not count:
        return ""
    programs = "SuspendProgram=/bin/true\nResumeProgram=/bin/true\nSuspendTime=600"
    return f"{programs}\nSuspendExcNodes={','.join(NODES)}\nNodeName=paper[1-{count}] State=CLOUD"


def render_gres_conf(site: Site, ground: Ground) -> str:
    """Every kind of GPU on every node; the device files are copies of /dev/null."""
    lines = ["AutoDetect=off"]
    for gpu, first in _numbered(site):
        last = first + gpu.gpus_per_node - 1
        kind = f" Type={_type(gpu)}" if _type(gpu) else ""
        lines.append(
            f"NodeName={','.join(NODES)} Name=gpu{kind} File={ground.folder}/dev/nvidia[{first}-{last}]"
        )
    return "\n".join(lines) + "\n"


def count_devices(site: Site) -> int:
    """GPUs of all kinds in one node."""
    return sum(gpu.gpus_per_node for gpu in list_gpus(site))


def render_filter(site: Site) -> str:
    """The job filter: the site's rules as a Lua table, then what looks at them."""
    partitions = ",\n".join(_lua_partition(name, part, site) for name, part in site.partitions.items())
    qos = ",\n".join(
        f'    ["{name}"] = {{ max_minutes = {qos.max_time_h * 60:g}, min_minutes = {qos.min_time_h * 60:g} }}'
        for name, qos in site.qos.items()
    )
    rules = f"rules = {{\n  partitions = {{\n{partitions}\n  }},\n  qos = {{\n{qos}\n  }}\n}}\n"
    return rules + (TEMPLATES / "job_submit.lua").read_text()


def _lua_partition(name: str, partition: Partition, site: Site) -> str:
    gpus = sorted(_gpus_of(site, name), key=lambda gpu: gpu.card.memory_gb)
    types = "".join(f"        {_lua_type(gpu)},\n" for gpu in gpus)
    qos = ", ".join(f'"{qos}"' for qos in qos_of(partition))
    return f'    ["{name}"] = {{\n      qos = {{ {qos} }},\n      types = {{\n{types}      }}\n    }}'


def _lua_type(gpu: SiteGpu) -> str:
    rule, most = gpu.gpu_type, []
    for qos, limit in rule.qos.items():
        most.append(f'["{qos}"] = {limit.max_gpus_per_user or gpu.gpus_per_node}')
    memory = rule.max_memory_per_gpu_gib
    memory_mib = "nil" if memory is None else f"{memory * 1024:.2f}"
    return (
        f'{{ name = "{_type(gpu)}", cores = {rule.max_cores_per_gpu}, memory_mib = {memory_mib}, '
        f"most = {{ {', '.join(most)} }} }}"
    )


def _values(site: Site, ground: Ground) -> dict[str, object]:
    partitions = site.partitions
    return {
        "controller": CONTROLLER,
        "address": ground.address,
        "munge_socket": ground.munge_socket,
        "folder": ground.folder,
        "controller_port": ground.port(17),
        "node_port": ground.port(18),
        "database_daemon_port": ground.port(19),
        "database_port": ground.port(6),
        "srun_first": ground.port(20),
        "srun_last": ground.port(199),
        "cpus": max(p.cores_per_node for p in partitions.values()),
        "memory_mib": max(node_memory_mib(p) for p in partitions.values()),
        "gres": ",".join(_gres(gpu) for gpu in list_gpus(site)),
        "tres": ",".join(["gres/gpu", *(f"gres/{name}" for name in gres_types(site))]),
        "nodes": "\n".join(
            f"NodeName={n.name} NodeAddr={n.address} NodeHostname={n.name}" for n in ground.nodes
        ),
        "partitions": "\n".join(_partition(name, p, site) for name, p in partitions.items()),
        "filter": "JobSubmitPlugins=lua" if site.name == FILTERED_SITE else "",
    }


def gres_types(site: Site) -> list[str]:
    """`gpu:TYPE` of all typed kinds of GPU, as accounting counts them."""
    return [f"gpu:{_type(gpu)}" for gpu in list_gpus(site) if _type(gpu)]


def qos_of(partition: Partition) -> list[str]:
    """The QoS that any kind of GPU of a partition takes."""
    return sorted({qos for gpu in partition.gpu_types.values() for qos in gpu.qos})


def node_memory_mib(partition: Partition) -> int:
    """Host memory of one node in MiB."""
    return int(partition.cores_per_node * partition.memory_per_core_gib * 1024)


def _partition(name: str, partition: Partition, site: Site) -> str:
    weights = [f"CPU={site.billing.su_per_core_h}"] + [
        f"GRES/{'gpu:' + _type(gpu) if _type(gpu) else 'gpu'}={gpu.gpu_type.su_per_gpu_h}"
        for gpu in _gpus_of(site, name)
    ]
    limits = f"MaxCPUsPerNode={partition.cores_per_node} MaxMemPerNode={node_memory_mib(partition)}"
    most = f" MaxNodes={partition.max_nodes_per_job}" if partition.max_nodes_per_job else ""
    return (
        f"PartitionName={name} AllowQos={','.join(qos_of(partition)) or 'ALL'} {limits}{most} PriorityTier=1 "
        f"GraceTime=5 DefMemPerCPU={int(partition.memory_per_core_gib * 1024)} "
        f'TRESBillingWeights="{",".join(weights)}"'
    )


def _gpus_of(site: Site, partition: str) -> list[SiteGpu]:
    return [gpu for gpu in list_gpus(site) if gpu.partition_name == partition]


def _type(gpu: SiteGpu) -> str:
    return gpu.gres.partition(":")[2]


def _gres(gpu: SiteGpu) -> str:
    return f"{gpu.gres}:{gpu.gpus_per_node}"


def _numbered(site: Site) -> Iterator[tuple[SiteGpu, int]]:
    """Each kind of GPU with the number of its first device file."""
    first = 0
    for gpu in list_gpus(site):
        yield gpu, first
        first += gpu.gpus_per_node
