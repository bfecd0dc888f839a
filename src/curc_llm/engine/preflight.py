"""`python -P -m curc_llm.engine.preflight REQUEST`: one node's part of a preflight, started by srun on each.

It tells its facts, waits to be told of the other nodes, tells how it reaches them, waits for the word to
reduce, tells what came of that. JSON in pieces after MARK on standard output; words come over standard input,
which srun hands to all nodes. When that closes, it ends.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curc_llm.engine.environment import is_secret
from curc_llm.engine.link_probe import LinkServer, Peer, listen, probe_links, render_links
from curc_llm.engine.network import find_node_network, make_network_environment
from curc_llm.engine.node_facts import NodeFacts, PreflightRequest, add_network, name_node, read_node_facts
from curc_llm.errors import CurcLlmError

MARK = "curc-llm-preflight "
# srun breaks longer lines in two, and begins both with a label (src/common/io_hdr.h: 1024 bytes).
PIECE = 800
MORE, LAST = "+", "."
REDUCE_PROBE = Path(__file__).with_name("reduce_probe.py")
REDUCE_S = 25.0


def main(arguments: Sequence[str]) -> int:
    """Runs to the end of standard input; exit status 0, since srun ends the others' with any other."""
    try:
        request = PreflightRequest.model_validate_json(Path(arguments[0]).read_bytes())
    except (OSError, ValueError) as error:
        _tell("blind", {"node": name_node(os.environ), "error": str(error).splitlines()[0]})
        return 0
    node = _Node(request)
    try:
        node.run()
    finally:
        node.end()
    return 0


class _Node:
    """One node's sockets and the processes that will reduce."""

    def __init__(self, request: PreflightRequest) -> None:
        self._request = request
        self._sockets: tuple[socket.socket, ...] = ()
        self._reducers: list[subprocess.Popen[str]] = []

    def run(self) -> None:
        facts = self._open_network()
        _tell("facts", facts.model_dump(mode="json"))
        if not (word := _hear()):
            return
        peers = [Peer(p["node"], p["address"], tuple(p["ports"])) for p in word["peers"]]
        rank = next(i for i, peer in enumerate(peers) if peer.node == facts.node)
        server = LinkServer(self._sockets[0], word["token"])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _tell("links", render_links(probe_links(rank, peers, word["token"])))
        if not _hear():
            return
        _tell("reduce", self._reduce(rank, peers))
        _hear()

    def end(self) -> None:
        for process in self._reducers:
            process.kill()
            process.wait()

    def _open_network(self) -> NodeFacts:
        """The facts; meanwhile the engine's Python imports torch."""
        try:
            found = find_node_network(self._request.network, node=name_node(os.environ))
            self._sockets = (listen(found.address), listen(found.address))
        except (CurcLlmError, OSError) as error:
            facts = read_node_facts(self._request, os.environ)
            told = {"network_error": getattr(error, "message", str(error))}
            return facts.model_copy(update=told | {"network_remedy": getattr(error, "remedy", "")})
        self._start_reducers(make_network_environment(self._request.network, found))
        facts = read_node_facts(self._request, os.environ)
        ports = tuple(s.getsockname()[1] for s in self._sockets)
        return add_network(facts, found, (ports[0], ports[1]))

    def _start_reducers(self, network: Mapping[str, str]) -> None:
        """One for each GPU; one on a node without."""
        kept = {name: value for name, value in os.environ.items() if not is_secret(name)}
        count = max(1, self._request.gpus_per_node) if self._request.device == "cuda" else 1
        command = [self._request.engine_python or sys.executable, "-P", str(REDUCE_PROBE)]
        for _ in range(count):
            try:
                self._reducers.append(
                    subprocess.Popen(
                        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                        text=True, env={**kept, **network, "OMP_NUM_THREADS": "1"},
                        pass_fds=(self._sockets[1].fileno(),),
                    )
                )  # fmt: skip
            except OSError:
                return  # that the Python is missing here is told by the facts

    def _reduce(self, rank: int, peers: Sequence[Peer]) -> dict[str, Any]:
        """The first of this node's results that is an error, else the first; empty when none told any."""
        count = len(self._reducers)
        asked = {
            "world_size": len(peers) * count,
            "address": peers[0].address,
            "port": peers[0].ports[1],
            "listen_fd": self._sockets[1].fileno(),
            "device": self._request.device,
        }
        for index, process in enumerate(self._reducers):
            _say(process, {**asked, "rank": rank * count + index, "local_rank": index})
        results = [result for process in self._reducers if (result := _read_result(process))]
        return next((r for r in results if r.get("error")), results[0] if results else {})


def _say(process: subprocess.Popen[str], asked: dict[str, Any]) -> None:
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    try:
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.close()
    except OSError:
        return  # it has ended; what it told, or didn't, is read next


def _read_result(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    timer = threading.Timer(REDUCE_S, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
        if not line and process.wait() < 0 and not timer.is_alive():
            return {"error": f"no end after {REDUCE_S:.0f} s", "is_late": True}
        return dict(json.loads(line)) if line.startswith("{") else {}
    finally:
        timer.cancel()


def _tell(kind: str, value: dict[str, Any]) -> None:
    print("\n".join(render_lines(kind, value)), flush=True)


def render_lines(kind: str, value: dict[str, Any]) -> list[str]:
    """What is told, in lines that srun leaves as they are.

    Example:
        >>> render_lines("reduce", {})
        ['curc-llm-preflight .{"reduce": {}}']
    """
    text = json.dumps({kind: value})
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    return [*(f"{MARK}{MORE}{piece}" for piece in pieces[:-1]), f"{MARK}{LAST}{pieces[-1]}"]


def _hear() -> dict[str, Any]:
    """The next word; empty when there will be none."""
    line = sys.stdin.readline()
    return dict(json.loads(line)) if line.strip() else {}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
