"""Network: a bridge, and for each node a network namespace with an address of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.testbed.ground import Ground, Node


def run(*arguments: str | Path, check: bool = True, text: str | None = None, **options: object) -> str:
    """Runs a command and returns what it printed; what it complained of stands in the error.

    Raises:
        RuntimeError: it failed.
    """
    command = [str(argument) for argument in arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload]
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {(done.stderr + done.stdout).strip()}")
    return done.stdout


def make_network(ground: Ground) -> None:
    """The bridge in this namespace, the nodes behind it."""
    if not Path("/sys/class/net", ground.bridge).exists():
        run("ip", "link", "add", ground.bridge, "type", "bridge")
        _take_no_address(ground.bridge)
        run("ip", "addr", "add", f"{ground.address}/24", "dev", ground.bridge)
        run("ip", "link", "set", ground.bridge, "up")
    for node in ground.nodes:
        if not Path("/run/netns", node.namespace).exists():
            _add_node(ground, node)


def _add_node(ground: Ground, node: Node) -> None:
    cable = f"{ground.bridge}-{node.name}"
    run("ip", "netns", "add", node.namespace)
    run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", node.namespace)
    _take_no_address(cable)
    run("ip", "link", "set", cable, "master", ground.bridge, "up")
    run("ip", "-n", node.namespace, "addr", "add", f"{node.address}/24", "dev", "eth0")
    for device in ("lo", "eth0"):
        run("ip", "-n", node.namespace, "link", "set", device, "up")
    run("ip", "-n", node.namespace, "route", "add", "default", "via", ground.address)


def _take_no_address(device: str) -> None:
    """No IPv6: the kernel gives it after seconds, and each new address breaks Chromium's requests."""
    run("ip", "link", "set", device, "addrgenmode", "none")


def remove_network(ground: Ground) -> None:
    """Takes it away again; what isn't there is no trouble."""
    for node in ground.nodes:
        run("ip", "netns", "del", node.namespace, check=False)
    run("ip", "link", "del", ground.bridge, check=False)


def pids_on(node: Node) -> list[int]:
    """All processes of a node: its daemon, and what its jobs left."""
    return [int(pid) for pid in run("ip", "netns", "pids", node.namespace, check=False).split()]
