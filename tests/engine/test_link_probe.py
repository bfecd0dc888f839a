"""Nodes ask each other over real sockets; who doesn't know the token gets no answer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from curc_llm.engine import link_probe
from curc_llm.engine.link_probe import LinkServer, Peer, listen, parse_links, probe_links, render_links

TOKEN = "0f" * 16
HOME = "127.0.0.1"


@contextmanager
def serving(token: str = TOKEN) -> Iterator[Peer]:
    """A node that answers."""
    listening = listen(HOME)
    server = LinkServer(listening, token)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Peer("n", HOME, (listening.getsockname()[1], 0))
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    with listen(HOME) as closed:
        return int(closed.getsockname()[1])


@pytest.mark.slow
def test_two_nodes_that_see_each_other_tell_latency_and_speed() -> None:
    with serving() as one, serving() as two:
        found = probe_links(0, [one, two], TOKEN)
    assert set(found.latency_ms) == {1}
    assert found.errors == {}
    assert found.gb_per_s is not None
    assert found.gb_per_s > 0


@pytest.mark.slow
def test_a_node_that_isnt_there_is_an_error_and_the_others_are_asked_all_the_same() -> None:
    with serving() as one, serving() as three:
        nobody = Peer("n2", HOME, (free_port(), 0))
        found = probe_links(0, [one, nobody, three], TOKEN)
    assert found.errors == {1: "Connection refused"}
    assert set(found.latency_ms) == {2}
    assert found.gb_per_s is None


@pytest.mark.slow
def test_without_the_token_there_is_no_answer() -> None:
    with serving("another") as two, serving() as one:
        assert probe_links(0, [one, two], TOKEN).errors == {1: "it gave no answer"}
        with socket.create_connection((HOME, two.ports[0])) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\n")
            stranger.settimeout(5)
            assert stranger.recv(10) == b""


def test_what_was_found_survives_json() -> None:
    links = link_probe.Links({1: 0.5}, {2: "no answer within 4 s"}, 1.5)
    assert parse_links(json.loads(json.dumps(render_links(links)))) == links
