"""Card: a kind of GPU as hardware, the same at every site."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curc_llm.factfile import Fact


class Card(Fact):
    """A kind of GPU, or of a part of one (MIG), as hardware.

    Args:
        title: its name for people, such as "NVIDIA A100 80 GB".
        vendor: who makes it; `cpu` stands for a machine without a GPU.
        product_names: how `nvidia-smi --query-gpu=name` prints it, for finding it on a machine.
        memory_gb: memory as sites and makers write it, in GB.
        memory_gib: memory that CUDA reports to a program (`torch.cuda.mem_get_info()[1]`), in GiB; less
            than memory_gb, since ECC and the driver keep a part.
        memory_bandwidth_gb_per_s: in 10^9 bytes per second.
        bf16_tflops: dense BF16 tensor throughput in 10^12 operations per second.
        compute_capability: CUDA's, as 8.0; None where there is none.
        is_mig: True for a MIG instance: alone, without a way to other GPUs.
        link_gb_per_s: GPU to GPU within a node, one direction, in 10^9 bytes per second (NVLink, or the
            PCIe slot).
    """

    title: str
    vendor: Literal["nvidia", "amd", "cpu"] = "nvidia"
    product_names: tuple[str, ...] = ()
    memory_gb: float = Field(gt=0)
    memory_gib: float = Field(gt=0)
    memory_bandwidth_gb_per_s: float = Field(gt=0)
    bf16_tflops: float | None = Field(default=None, gt=0)
    compute_capability: float | None = None
    is_mig: bool = False
    link_gb_per_s: float | None = Field(default=None, gt=0)
