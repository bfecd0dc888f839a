"""Network: how the nodes of a site's jobs speak with each other, and what NCCL and Gloo are told of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curc_llm.factfile import Fact

INTERFACE = r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,14})?$"  # the kernel's names have at most 15 characters
# Names of devices, `:PORT` and commas, with NCCL's `^` (all but) and `=` (exactly) in front.
HCA = r"^(\^?=?[A-Za-z0-9][A-Za-z0-9_.:,-]{0,254})?$"


class Network(Fact):
    """What a site says of the network between nodes. Of what stands empty, NCCL, Gloo or vLLM choose.

    What NCCL's settings mean, and the limits of their values:
    https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html.

    Args:
        interface: name of the network interface, such as `ib0`, or how its name begins, such as `hsn`; empty:
            each node looks for its best (InfiniBand before RoCE before Ethernet).
        ib_hca: InfiniBand or RoCE devices for NCCL, such as `mlx5_0,mlx5_1` (NCCL_IB_HCA).
        ib_timeout: how long an InfiniBand device waits for its peer: 4.096 µs x 2^this (NCCL_IB_TIMEOUT).
        ib_gid_index: which of a RoCE port's addresses is used (NCCL_IB_GID_INDEX).
        disable_ib: True when NCCL must use plain sockets although there is InfiniBand (NCCL_IB_DISABLE).
        nccl_debug: how much NCCL writes into an engine's log (NCCL_DEBUG).
        nccl_buffsize_mib: the block that two GPUs hand over at a time, in MiB (NCCL_BUFFSIZE).
        nccl_timeout_s: seconds until an exchange between GPUs counts as failed
            (vLLM's --distributed-timeout-seconds).
        gloo_timeout_s: the same between processors (vLLM's --cpu-distributed-timeout-seconds).
        step_timeout_s: seconds that all ranks together may take for one step of the model
            (VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS).
        min_gb_per_s: 10^9 bytes per second that two nodes exchange when all is well; a preflight that
            measures less warns.

    Example:
        >>> Network(interface="ib0", ib_timeout=22).nccl_debug
        ''
    """

    source: str = ""  # in a site file: the partition's own, when the network of a partition names none
    interface: str = Field(default="", pattern=INTERFACE)
    ib_hca: str = Field(default="", pattern=HCA)
    ib_timeout: int | None = Field(default=None, ge=1, le=31)
    ib_gid_index: int | None = Field(default=None, ge=0, le=255)
    disable_ib: bool = False
    nccl_debug: Literal["", "VERSION", "WARN", "INFO", "TRACE"] = ""
    nccl_buffsize_mib: int | None = Field(default=None, ge=1, le=1024)
    nccl_timeout_s: int | None = Field(default=None, ge=1, le=24 * 3600)
    gloo_timeout_s: int | None = Field(default=None, ge=1, le=24 * 3600)
    step_timeout_s: int | None = Field(default=None, ge=1, le=24 * 3600)
    min_gb_per_s: float | None = Field(default=None, gt=0)


def choose_network(whole_site: Network, partition: Network) -> Network:
    """The network of a partition: what its own entry sets, and the whole site's for the rest.

    Args:
        whole_site: the site's `network`.
        partition: the partition's.

    Example:
        >>> choose_network(Network(interface="ib0", ib_timeout=22), Network(interface="hsn")).ib_timeout
        22
    """
    own = {name: getattr(partition, name) for name in partition.model_fields_set - {"source", "sources"}}
    return whole_site.model_copy(update=own)
