"""What a model may write to harm its readers (tests/data/hostile_outputs.yml); a listener for visits."""

from __future__ import annotations

import socketserver
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

FILE = Path(__file__).parents[1] / "data" / "hostile_outputs.yml"
# Sets a mark on the outermost window, whichever frame it runs in.
RUN = "top.pwned=1"


@dataclass(frozen=True)
class Hostile:
    """One output.

    Args:
        name: what it is, in words.
        markdown: the text.
        is_large: it is about its size.
    """

    name: str
    markdown: str
    is_large: bool


def load_hostile_outputs(evil: str) -> list[Hostile]:
    """All of them.

    Args:
        evil: an address that nobody may visit, such as `http://127.0.0.1:4711`.
    """
    entries = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return [
        Hostile(entry["name"], _fill(entry["markdown"], evil) * entry.get("repeat", 1), "repeat" in entry)
        for entry in entries
    ]


def _fill(text: str, evil: str) -> str:
    host = evil.partition("//")[2]
    return text.replace("{evil_host}", host).replace("{evil}", evil).replace("{run}", RUN)


class Listener:
    """A server that nobody should ever say a word to; `visits` has what was said.

    Chromium may open a connection ahead of a request that is then refused; only what is sent counts.
    """

    def __init__(self) -> None:
        self.visits: list[bytes] = []
        listener = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                if sent := self.request.recv(200):
                    listener.visits.append(sent)

        class Server(socketserver.ThreadingTCPServer):
            block_on_close = False
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
