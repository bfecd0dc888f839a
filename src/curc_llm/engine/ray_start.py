"""Joins a node to an engine's own Ray, and on the first node runs vLLM on top of it.

Run as a file by the Python that has Ray: it imports nothing of curc_llm. It ends as soon as one of its
children does; whoever runs it ends the rest.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

JOIN_S = 300.0
LOOK_S = 0.5
# Plasma is hardly used by vLLM, which moves tensors itself; Ray would take 30 % of the node's memory.
OBJECT_STORE_BYTES = 256 * 2**20


def render_start(options: argparse.Namespace) -> list[str]:
    """The `ray start` of this node. Every port but the head's is left to the system (0): others collide."""
    if options.place == 0:
        # Ray starts its client server always, and takes no 0 for it; its own choice may be in use.
        client = f"--ray-client-server-port={find_free_port(options.address)}"
        # Without a monitor: nothing here grows or shrinks, and its figures would be open to everybody.
        role = ["--head", f"--port={options.port}", "--include-dashboard=false", "--no-monitor", client]
    else:
        role = [f"--address={join_address(options.head, options.port)}"]
    return [
        *(sys.executable, "-m", "ray.scripts.scripts", "start"),
        *role,
        f"--node-ip-address={options.address}",
        f"--num-gpus={options.gpus}",
        f"--num-cpus={max(1, len(os.sched_getaffinity(0)))}",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        f"--temp-dir={options.temp_dir}",
        *("--node-manager-port=0", "--object-manager-port=0", "--metrics-export-port=0"),
        *("--dashboard-agent-listen-port=0", "--dashboard-agent-grpc-port=0", "--runtime-env-agent-port=0"),
        *("--min-worker-port=0", "--max-worker-port=0"),
        *("--disable-usage-stats", "--include-log-monitor=false", "--block"),
    ]


def join_address(host: str, port: int) -> str:
    """`HOST:PORT`, with brackets around an IPv6 address: without them Ray takes all of it for the host."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def find_free_port(address: str) -> int:
    """A port that nobody listens on."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def wait_for_head(options: argparse.Namespace, ray: subprocess.Popen[bytes] | None) -> None:
    """Waits until the head's port is open.

    Raises:
        SystemExit: it never was.
    """
    deadline = time.monotonic() + JOIN_S
    while time.monotonic() < deadline:
        if ray is not None and ray.poll() is not None:
            raise SystemExit(f"Error: Ray ended with exit status {ray.returncode} on {socket.gethostname()}.")
        try:
            socket.create_connection((options.head, options.port), timeout=2).close()
        except OSError:
            time.sleep(LOOK_S)
        else:
            return
    raise SystemExit(f"Error: Ray's head at {join_address(options.head, options.port)} can't be reached.")


def wait_for_nodes(options: argparse.Namespace) -> None:
    """Waits until all nodes have joined.

    Raises:
        SystemExit: one never did; says how many there are.
    """
    import ray

    head = join_address(options.head, options.port)
    ray.init(address=head, log_to_driver=False, logging_level=logging.ERROR)
    deadline = time.monotonic() + JOIN_S
    num_alive = 0
    while time.monotonic() < deadline:
        num_alive = sum(node["Alive"] for node in ray.nodes())  # type: ignore[no-untyped-call]
        if num_alive >= options.num_nodes:
            ray.shutdown()
            return
        time.sleep(LOOK_S)
    raise SystemExit(f"Error: No available node types: {num_alive} of {options.num_nodes} nodes joined Ray.")


def run(options: argparse.Namespace, command: Sequence[str]) -> int:
    """Runs this node's Ray, and vLLM if it is to run here; returns the status of what ended first."""
    if options.place > 0:
        wait_for_head(options, None)
    os.makedirs(options.temp_dir, mode=0o700, exist_ok=True)  # noqa: PTH103 - this file imports next to nothing
    children = [subprocess.Popen(render_start(options))]
    if command:
        wait_for_head(options, children[0])
        wait_for_nodes(options)
        environment = {**os.environ, "RAY_ADDRESS": join_address(options.head, options.port)}
        children.append(subprocess.Popen(list(command), env=environment))
    while True:
        for child in children:
            if (status := child.poll()) is not None:
                return status
        time.sleep(LOOK_S)


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser()
    for name in ("place", "num-nodes", "port", "gpus"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("head", "address", "temp-dir"):
        parser.add_argument(f"--{name}", required=True)
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    return run(parser.parse_args(arguments[:split]), arguments[split + 1 :])


if __name__ == "__main__":
    status = main()
    sys.exit(status if status >= 0 else 128 - status)
