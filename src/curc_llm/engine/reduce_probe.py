"""An all-reduce over all nodes, as the model's layers do it. Run as a file by the Python that has torch.

Imports nothing of curc-llm. Reads one JSON line from standard input (`rank`, `world_size`, `local_rank`,
`address`, `port`, `device`, `listen_fd` on the first rank) and prints one: `gb_per_s` or `error`. torch is
imported before it reads, so that this goes on while the nodes look at each other.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from typing import Any

TENSOR_MIB = 16
ROUNDS = 4
TIMEOUT_S = 20
BYTES_PER_MIB = 2**20


def measure(asked: dict[str, Any]) -> dict[str, Any]:
    """Joins the others and reduces a tensor a few times.

    Returns:
        `gb_per_s`: the bus bandwidth as nccl-tests count it, 2 (n - 1) / n of the tensor in each round's time
        (https://github.com/NVIDIA/nccl-tests/blob/master/doc/PERFORMANCE.md), and `ms` of one round.
    """
    import torch
    from torch import distributed

    rank, world_size = asked["rank"], asked["world_size"]
    is_first = rank == 0
    timeout = dt.timedelta(seconds=TIMEOUT_S)
    store = distributed.TCPStore(  # type: ignore[attr-defined]
        host_name=asked["address"],
        port=asked["port"],
        world_size=world_size,
        is_master=is_first,
        timeout=timeout,
        master_listen_fd=asked["listen_fd"] if is_first else None,
    )
    is_cuda = asked["device"] == "cuda"
    device = torch.device("cuda", asked["local_rank"]) if is_cuda else torch.device("cpu")
    distributed.init_process_group(
        "nccl" if is_cuda else "gloo", store=store, rank=rank, world_size=world_size, timeout=timeout
    )
    tensor = torch.ones(TENSOR_MIB * BYTES_PER_MIB // 4, device=device)
    distributed.all_reduce(tensor)  # the first one opens the connections
    expected = float(world_size)
    if tensor[0].item() != expected or tensor[-1].item() != expected:
        return {"error": f"the sum over {world_size} ranks was {tensor[0].item():g}"}
    began = time.perf_counter()
    for _ in range(ROUNDS):
        distributed.all_reduce(tensor)
    if is_cuda:
        torch.cuda.synchronize(device)
    seconds = (time.perf_counter() - began) / ROUNDS
    distributed.barrier()
    moved = 2 * (world_size - 1) / world_size * TENSOR_MIB * BYTES_PER_MIB
    return {"gb_per_s": round(moved / seconds / 1e9, 3), "ms": round(seconds * 1000, 2)}


def main() -> None:
    """One line in, one line out."""
    try:
        import torch.distributed  # noqa: F401 - the slow part, done before it is needed
    except ImportError as error:
        torch_error = str(error)
    else:
        torch_error = ""
    line = sys.stdin.readline()
    if not line.strip():
        return
    try:
        result = {"error": torch_error} if torch_error else measure(json.loads(line))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        text = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        result = {"error": text, "is_late": "timed out" in text.lower()}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
