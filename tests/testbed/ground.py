"""Ground: where one test bed stands: its folder, addresses, ports, nodes, users. Nothing is touched."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

# Root's own folder: munge and slurm refuse keys below folders that others may write.
BASE = Path(os.environ.get("CURC_LLM_TESTBED_BASE", "/var/lib/curc-llm-testbed"))
SECOND = 10  # added to a number: the bed with the second site, beside the first
NODES = ("tn1", "tn2")
CONTROLLER = "tctl"


@dataclass(frozen=True)
class Node:
    """One node: its name, its network namespace, its address."""

    name: str
    namespace: str
    address: str


@dataclass(frozen=True)
class Ground:
    """Where a bed stands. Beds of different numbers share nothing, so two checkouts can test side by side.

    Args:
        number: 1 to 9, or that and SECOND.
    """

    number: int = 1

    @property
    def folder(self) -> Path:
        return BASE / str(self.number)

    @property
    def etc(self) -> Path:
        return self.folder / "etc"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def slurm_conf(self) -> Path:
        return self.etc / "slurm.conf"

    @property
    def hosts(self) -> Path:
        """An /etc/hosts that knows the nodes."""
        return self.etc / "hosts"

    @property
    def munge_socket(self) -> Path:
        return self.folder / "munge" / "socket"

    @property
    def network(self) -> str:
        return f"10.21.{self.number}"

    @property
    def bridge(self) -> str:
        return f"cltb{self.number}"

    @property
    def address(self) -> str:
        """The controller's, on the bridge."""
        return f"{self.network}.1"

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(
            Node(name, f"cltb{self.number}-{name}", f"{self.network}.{11 + i}")
            for i, name in enumerate(NODES)
        )

    def port(self, offset: int) -> int:
        """The bed's own ports: 200 of them."""
        return 21000 + 200 * self.number + offset

    @property
    def user(self) -> str:
        """The researcher who submits."""
        return f"cl{self.number}-anna"

    @property
    def neighbour(self) -> str:
        """Another user of the same cluster."""
        return f"cl{self.number}-ben"

    @property
    def guest(self) -> str:
        """A user of another university: their names hold an @."""
        return f"cl{self.number}-eve@colostate.edu"

    @property
    def users(self) -> tuple[str, ...]:
        return (self.user, self.neighbour, self.guest)
