"""Whether the nodes of a job reach each other, and how fast: each asks every other, and sends to the next.

Standard library alone. Who doesn't know the token, which comes over Slurm's own channel, gets no answer.
"""

from __future__ import annotations

import hmac
import socket
import socketserver
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

CONNECT_S = 4.0
SEND_S = 0.5  # long enough for TCP to get up to speed, and short beside a model's start
PIECE = bytes(2**20)
MOST_AT_ONCE = 32
GREETING_BYTES = 80


@dataclass(frozen=True)
class Peer:
    """One node as the others reach it.

    Args:
        node: its name.
        address: of its interface.
        ports: as in `NodeFacts.ports`.
    """

    node: str
    address: str
    ports: tuple[int, int]


@dataclass(frozen=True)
class Links:
    """What one node found out about the ways to the others, by their place in the list.

    Args:
        latency_ms: until the other answered.
        errors: why one can't be reached.
        gb_per_s: 10^9 bytes per second to the next node; None when it couldn't be told.
    """

    latency_ms: dict[int, float]
    errors: dict[int, str]
    gb_per_s: float | None = None


def listen(address: str) -> socket.socket:
    """A listening socket on one of the node's addresses, on any free port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, 0), family=family, backlog=128)


class LinkServer(socketserver.ThreadingTCPServer):
    """Answers the other nodes for as long as it isn't closed.

    Args:
        listening: from `listen`.
        token: what they must say first.
    """

    daemon_threads = True

    def __init__(self, listening: socket.socket, token: str) -> None:
        super().__init__(listening.getsockname()[:2], _Answer, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.token = token


class _Answer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """`TOKEN ping`: answers. `TOKEN bulk`: reads to the end and tells how fast it came."""
        self.request.settimeout(CONNECT_S + SEND_S)
        try:
            token, _, kind = _read_line(self.request).partition(" ")
            assert isinstance(self.server, LinkServer)  # noqa: S101 - it made this handler
            if not hmac.compare_digest(token.encode(), self.server.token.encode()):
                return
            self.request.sendall(b"ok\n" if kind == "ping" else b"go\n")
            if kind == "bulk":
                self.request.sendall(f"{_count(self.request):.6f}\n".encode())
        except OSError:
            return


def probe_links(rank: int, peers: Sequence[Peer], token: str) -> Links:
    """Asks every other node, then sends to the next one for half a second.

    Args:
        rank: this node's place in `peers`.
        peers: all nodes of the job, each with a `LinkServer`.
        token: theirs.
    """
    others = [i for i in range(len(peers)) if i != rank]
    with ThreadPoolExecutor(max_workers=min(MOST_AT_ONCE, max(1, len(others)))) as pool:
        answers = dict(zip(others, pool.map(lambda i: _ping(peers[i], token), others), strict=True))
    errors = {i: answer for i, answer in answers.items() if isinstance(answer, str)}
    latency = {i: answer for i, answer in answers.items() if isinstance(answer, float)}
    following = (rank + 1) % len(peers)
    speed = _send(peers[following], token) if following in latency else None
    return Links(latency, errors, speed)


def _ping(peer: Peer, token: str) -> float | str:
    began = time.perf_counter()
    try:
        with _connect(peer, token, "ping") as connection:
            answer = _read_line(connection)
    except OSError as error:
        return _why(error)
    return round((time.perf_counter() - began) * 1000, 2) if answer == "ok" else "it gave no answer"


def _send(peer: Peer, token: str) -> float | None:
    """10^9 bytes per second, as the receiver counted them."""
    try:
        with _connect(peer, token, "bulk") as connection:
            if _read_line(connection) != "go":
                return None
            end = time.monotonic() + SEND_S
            while time.monotonic() < end:
                connection.sendall(PIECE)
            connection.shutdown(socket.SHUT_WR)
            return round(float(_read_line(connection)), 3)
    except (OSError, ValueError):
        return None


def _connect(peer: Peer, token: str, kind: str) -> socket.socket:
    connection = socket.create_connection((peer.address, peer.ports[0]), timeout=CONNECT_S)
    connection.sendall(f"{token} {kind}\n".encode())
    return connection


def _count(connection: socket.socket) -> float:
    """Reads to the end; 10^9 bytes per second from the first byte on."""
    buffer, total, began = bytearray(2**20), 0, 0.0
    while count := connection.recv_into(buffer):
        began = began or time.perf_counter()
        total += count
    passed = time.perf_counter() - began
    return total / passed / 1e9 if began and passed > 0 else 0.0


def _read_line(connection: socket.socket) -> str:
    text = b""
    while not text.endswith(b"\n") and len(text) < GREETING_BYTES:
        piece = connection.recv(1)
        if not piece:
            break
        text += piece
    return text.decode(errors="replace").strip()


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_S:g} s"
    return error.strerror or str(error)


def render_links(links: Links) -> dict[str, Any]:
    """As JSON values, whose keys are text."""
    return {
        "latency_ms": {str(i): ms for i, ms in links.latency_ms.items()},
        "errors": {str(i): why for i, why in links.errors.items()},
        "gb_per_s": links.gb_per_s,
    }


def parse_links(value: dict[str, Any]) -> Links:
    """The same, back from JSON."""
    latency = {int(i): float(ms) for i, ms in value["latency_ms"].items()}
    errors = {int(i): str(why) for i, why in value["errors"].items()}
    return Links(latency, errors, value.get("gb_per_s"))
