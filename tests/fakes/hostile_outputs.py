"""What a model may write to harm its readers (tests/data/hostile_outputs.yml); a listener for visits.

Each entry is known by its number: `{run}` sets it as a mark on the outermost window, `{evil}` has it as the
first part of its path, and `gather` writes it before the entry. So a failure names who did it.
"""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

FILE = Path(__file__).parents[1] / "data" / "hostile_outputs.yml"
# Sets a mark on the outermost window, whichever frame it runs in.
RUN = "top.pwned={number}"
# 1 is the mark of what stands there in base64, and of tests that set one themselves.
FIRST_NUMBER = 2


@dataclass(frozen=True)
class Hostile:
    """One output.

    Args:
        number: what it leaves behind when it gets through.
        name: what it is, in words.
        markdown: the text.
        is_large: it is about its size.
        swallows: what follows it in one text would be taken as part of it.
        is_name: it is what a title, a file, a model or a system prompt may be called.
    """

    number: int
    name: str
    markdown: str
    is_large: bool
    swallows: bool
    is_name: bool


def load_hostile_outputs(evil: str) -> list[Hostile]:
    """All of them.

    Args:
        evil: an address that nobody may visit, such as `http://127.0.0.1:4711`.
    """
    entries = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return [_make(number, entry, evil) for number, entry in enumerate(entries, FIRST_NUMBER)]


def _make(number: int, entry: dict[str, Any], evil: str) -> Hostile:
    repeat, nest = entry.get("repeat", 1), entry.get("nest", 0)
    text = entry.get("before", "") + _nest(entry["markdown"], nest) * repeat
    markdown = (
        text.replace("{evil_host}", evil.partition("//")[2])
        .replace("{evil}", f"{evil}/{number}")
        .replace("{run}", RUN.format(number=number))
    )
    return Hostile(
        number,
        entry["name"],
        markdown,
        is_large=repeat > 1 or nest > 0,
        swallows=entry.get("swallows", False),
        is_name=re.match(r"(a giant )?name\b", entry["name"]) is not None,
    )


def _nest(text: str, depth: int) -> str:
    return "\n".join("  " * level + text for level in range(depth)) if depth else text


def gather(entries: Iterable[Hostile], size: int) -> list[str]:
    """Some long texts that hold all entries, each after its number; nothing follows one that swallows."""
    return [
        "\n\n".join(f"E{entry.number}:\n\n{entry.markdown}" for entry in group)
        for group in _group(list(entries), size)
    ]


def _group(entries: list[Hostile], size: int) -> list[list[Hostile]]:
    calm = [entry for entry in entries if not entry.swallows]
    groups = [calm[i : i + size] for i in range(0, len(calm), size)]
    for i, entry in enumerate(entry for entry in entries if entry.swallows):
        if i >= len(groups):
            groups.append([])
        groups[i].append(entry)
    return groups


def name_culprits(entries: Sequence[Hostile], traces: Iterable[object]) -> list[str]:
    """Who left traces: marks, addresses that were visited, or texts with numbers; with the trace itself.

    Example:
        >>> name_culprits(load_hostile_outputs("http://h"), ["http://h/2/a.js"])
        ['script: http://h/2/a.js']
    """
    names = {str(entry.number): entry.name for entry in entries}
    told = []
    for trace in traces:
        found = re.search(r"(?:^|E|:\d+/|//[^/\s]+/|GET /)(\d+)(?=\D|$)", str(trace))
        told.append(f"{names.get(found[1], 'one in base64') if found else 'unknown'}: {trace}")
    return told


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
