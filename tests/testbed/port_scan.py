"""Port scan: what a stranger gets of every socket that runs in a session's job, on all its nodes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.testbed import network
from tests.testbed.bed import Bed
from tests.testbed.ground import Node

KNOCK = Path(__file__).with_name("knock.py")
# What needs no word in the documents: nothing is there, or it asks who knocks.
GUARDED = {"refused", "401", "403", "asks for a token"}
ANYWHERE = ("0.0.0.0", "::", "*")


@dataclass(frozen=True)
class Listener:
    """One listening socket of a session.

    Args:
        node: where it is.
        address: that it is bound to.
        port: its number.
        process: the name of the process that has it.
    """

    node: Node
    address: str
    port: int
    process: str

    @property
    def here(self) -> str:
        """The address at which the same node reaches it."""
        return "127.0.0.1" if self.address in ANYWHERE else self.address


@dataclass(frozen=True)
class Found:
    """A socket, and what it said to a stranger, by the place that the stranger knocked from."""

    listener: Listener
    said: dict[str, str] = field(default_factory=dict)

    @property
    def is_guarded(self) -> bool:
        """Whether nobody got through from anywhere."""
        return set(self.said.values()) <= GUARDED

    def __str__(self) -> str:
        where = f"{self.listener.node.name} {self.listener.address}:{self.listener.port}"
        said = "; ".join(f"from {place}: {what}" for place, what in self.said.items())
        return f"{where} {self.listener.process}: {said}"


def scan(bed: Bed, owner: str, stranger: str) -> list[Found]:
    """Knocks at every listening TCP socket of a user's processes, from each node and the login node.

    Args:
        bed: whose nodes they are on.
        owner: whose sockets.
        stranger: who knocks.
    """
    listeners = list_listeners(bed, owner)
    places: list[Node | None] = [None, *bed.ground.nodes]
    found = [Found(listener) for listener in listeners]
    for place in places:
        doors = [(one.here if place == one.node else one.node.address, one.port) for one in listeners]
        for one, said in zip(found, _knock(bed, stranger, place, doors), strict=True):
            one.said[place.name if place else "login"] = said
    return found


def list_listeners(bed: Bed, owner: str) -> list[Listener]:
    """Every listening TCP socket of a user's processes, by the nodes' own tables."""
    shown = subprocess.run(["ps", "-u", owner, "-o", "pid="], capture_output=True, text=True, check=False)
    own = set(shown.stdout.split())
    found = []
    for node in bed.ground.nodes:
        for line in network.run("ip", "netns", "exec", node.namespace, "ss", "-ltnpH").splitlines():
            address, _, port = line.split()[3].rpartition(":")
            users = re.findall(r'"([^"]+)",pid=(\d+)', line)
            if name := next((name for name, pid in users if pid in own), ""):
                found.append(Listener(node, _plain(address), int(port), name))
    return found


def _plain(address: str) -> str:
    """An address without its interface, its brackets, and IPv6's way of writing an IPv4 one."""
    return address.partition("%")[0].strip("[]").removeprefix("::ffff:")


def _knock(bed: Bed, stranger: str, place: Node | None, doors: Sequence[tuple[str, int]]) -> list[str]:
    enter = ["nsenter", f"--net=/run/netns/{place.namespace}"] if place else []
    done = subprocess.run(
        [*enter, *bed.as_user(stranger), sys.executable, str(KNOCK)], input=json.dumps(doors), text=True,
        capture_output=True, check=True, timeout=60, cwd="/", env=bed.user_environment(stranger),
    )  # fmt: skip
    said: list[str] = json.loads(done.stdout)
    return said
