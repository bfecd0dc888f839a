"""vllm-router, the Rust router of the vLLM project, as it comes from the Python registry."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateways import Server
from probe import get_status
from processes import find_free_port, run_child, wait_until

NAME = "vllm-router"
ROUND_ROBIN = "vllm-router round_robin"


@contextlib.contextmanager
def run_vllm_router(
    program: Path, folder: Path, ports: Sequence[int], policy: str, name: str
) -> Iterator[Server]:
    """Starts it before TCP workers; yields it when it answers.

    It asks no client for a key (`--api-key` is the one that it shows its workers); its log is on.

    Args:
        program: its command.
        folder: for its log.
        ports: the workers', on loopback.
        policy: `cache_aware` or `round_robin`.
        name: in the results.
    """
    port, own = find_free_port(), find_free_port()
    workers = [f"http://127.0.0.1:{worker}" for worker in ports]
    command = [str(program), "--host", "127.0.0.1", "--port", str(port), "--worker-urls", *workers]
    command += ["--policy", policy, "--log-level", "info", "--prometheus-port", str(own)]
    command += ["--queue-size", "4000", "--max-concurrent-requests", "4000"]
    log = folder / f"{policy}.log"
    with run_child(command, log) as child:
        wait_until(lambda: get_status(f"tcp:{port}") == 200, child, log, 60)
        yield Server(name, f"tcp:{port}", child.pid)
