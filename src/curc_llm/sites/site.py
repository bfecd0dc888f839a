"""Site: one Slurm centre: what it has, what it allows, what it charges, where things are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curc_llm.factfile import Fact, Frozen, Source
from curc_llm.sites.card import Card
from curc_llm.sites.network import Network, choose_network


class QosLimit(Fact):
    """What one QoS allows of one GPU type.

    Args:
        max_gpus_per_user: GPUs of this type that one person's jobs may hold at once; None: no such limit is
            known.
        max_gpus_in_qos: GPUs of this type that all jobs of the QoS may hold together.
    """

    source: str = ""
    max_gpus_per_user: int | None = Field(default=None, ge=1)
    max_gpus_in_qos: int | None = Field(default=None, ge=1)


class GpuType(Fact):
    """GPUs of a partition under the name that Slurm knows them by.

    Args:
        card: key of the hardware in the site's `cards` or in `data/cards.yml`.
        gres_type: Slurm's spelling in `--gres=gpu:TYPE:N`; empty means this entry's own key; `-` means
            untyped.
        gpus_per_node: GPUs of this type in one node; None: as many as the partition's nodes have.
        max_cores_per_gpu: cores that a job may ask for with each GPU.
        max_memory_per_gpu_gib: host memory that a job may ask for with each GPU, in GiB.
        su_per_gpu_h: service units for one GPU for one hour (Slurm's billing weight).
        qos: the QoS that take this type, with their limits.
        on_request: True when people must ask the centre before they may use it.
    """

    card: str
    gres_type: str = ""
    gpus_per_node: int | None = Field(default=None, ge=1)
    max_cores_per_gpu: int = Field(ge=1)
    max_memory_per_gpu_gib: float | None = Field(default=None, gt=0)
    su_per_gpu_h: float = Field(default=0.0, ge=0)
    qos: dict[str, QosLimit] = {}
    on_request: bool = False
    note: str = ""


class Partition(Fact):
    """A Slurm partition with GPUs.

    Args:
        nodes: how many nodes it has.
        gpus_per_node, cores_per_node: of one node.
        memory_per_core_gib: host memory that comes with each core, in GiB (Slurm's DefMemPerCPU).
        local_disk_gb: a node's own disk.
        arch: the nodes' processor.
        gpu_link: how the GPUs of one node are joined.
        node_link: how nodes are joined.
        max_nodes_per_job: nodes that one GPU job may have; None: no limit.
        exclusive: whether a job over several nodes asks for whole nodes; None: where that costs nothing.
        features: what `--constraint` takes.
        network: what differs here from the site's `network`.
    """

    title: str = ""
    nodes: int = Field(ge=1)
    gpus_per_node: int = Field(ge=1)
    cores_per_node: int = Field(ge=1)
    memory_per_core_gib: float = Field(gt=0)
    local_disk_gb: float | None = Field(default=None, gt=0)
    arch: Literal["x86_64", "aarch64"] = "x86_64"
    gpu_link: Literal["nvlink", "pcie", "none"] = "pcie"
    node_link: Literal["infiniband", "roce", "ethernet", "none"] = "ethernet"
    max_nodes_per_job: int | None = Field(default=None, ge=1)
    exclusive: bool | None = None
    features: tuple[str, ...] = ()
    network: Network = Network()
    gpu_types: dict[str, GpuType]

    def keeps_others_away(self, billing: Billing) -> bool:
        """Whether a job that has all GPUs of several nodes asks for the whole nodes."""
        return billing.su_per_core_h == 0 if self.exclusive is None else self.exclusive


class Qos(Fact):
    """A Slurm quality of service.

    Args:
        max_time_h, min_time_h: wall time that a job may ask for, in hours.
        billing_factor: what service units are multiplied by (0.1 for a test QoS).
        max_jobs_per_user: jobs at once.
        is_for_tests: True when it is not meant for work; then it is chosen only when it is asked for, or
            nothing else fits.
    """

    max_time_h: float = Field(gt=0)
    min_time_h: float = Field(default=0.0, ge=0)
    billing_factor: float = Field(default=1.0, ge=0)
    max_jobs_per_user: int | None = Field(default=None, ge=1)
    is_for_tests: bool = False


class Account(Fact):
    """Whom jobs are charged to.

    Args:
        is_required: True when a job without `--account` is refused.
        default: the account that everyone has; empty when there is none.
        examples: how accounts look here.
    """

    is_required: bool = False
    default: str = ""
    examples: tuple[str, ...] = ()


class Billing(Fact):
    """How service units are counted: cores and GPUs of the request, times hours.

    Args:
        unit: what they are called.
        su_per_core_h: for one core for one hour.
    """

    unit: str = "SU"
    su_per_core_h: float = Field(default=0.0, ge=0)


class Storage(Fact):
    """Where things are kept; `$USER` and other variables are replaced on the machine that uses them.

    Args:
        state_dir: sessions, chats, logs.
        cache_dir: downloads and compiled code.
        hf_home: Hugging Face's folder; empty: below cache_dir.
        models_dir: models that the centre keeps for everyone; empty when there are none.
        read_gb_per_s: how fast a job reads a checkpoint from there, in 10^9 bytes per second.
    """

    state_dir: str
    cache_dir: str
    hf_home: str = ""
    models_dir: str = ""
    read_gb_per_s: float = Field(default=1.0, gt=0)


class Runtime(Fact):
    """What jobs run with.

    Args:
        python: the Python that has curc-llm and vLLM; empty: the one that launches.
        modules: environment modules to load before.
        has_internet: whether compute nodes reach the hub.
        cuda_driver: lowest CUDA version that the nodes' driver serves; None when it isn't known.
        jobs_may_submit: whether a job may submit others (sbatch on compute nodes), as replicas need it.
        users_may_extend: whether people may give their own jobs more time (scontrol update timelimit).
    """

    python: str = ""
    modules: tuple[str, ...] = ()
    has_internet: bool | None = None
    cuda_driver: float | None = None
    jobs_may_submit: bool = True
    users_may_extend: bool = False


class Site(Frozen):
    """One Slurm centre.

    Args:
        name: its key, also the file's name.
        title: for people.
        support: where people ask for help.
        portals: addresses of its Open OnDemand.
        login_hosts: where people log in with ssh.
        sources: what the figures' `source` keys stand for.
        network: how nodes speak with each other; a partition may say otherwise.
        cards: hardware that only this site describes; all others are in `data/cards.yml`.
    """

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str
    support: str = ""
    portals: tuple[str, ...] = ()
    login_hosts: tuple[str, ...] = ()
    sources: dict[str, Source]
    account: Account
    billing: Billing
    storage: Storage
    runtime: Runtime
    qos: dict[str, Qos]
    network: Network = Network()
    partitions: dict[str, Partition]
    cards: dict[str, Card] = {}

    def network_of(self, partition: str) -> Network:
        """How the nodes of a partition speak with each other; the site's own words where it has none."""
        own = self.partitions[partition].network if partition in self.partitions else Network()
        return choose_network(self.network, own)
