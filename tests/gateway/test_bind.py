"""Opening the public port and the private socket."""

from __future__ import annotations

import random
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from curc_llm.errors import PortError
from curc_llm.gateway.bind import bind_port, bind_private_socket
from curc_llm.session.paths import make_runtime_dir


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A folder with a short path."""
    folder = make_runtime_dir()
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_without_a_range_any_free_port_is_taken() -> None:
    with bind_port("127.0.0.1", 0, 0) as one, bind_port("127.0.0.1", 0, 0) as two:
        assert one.getsockname()[1] != two.getsockname()[1]


def test_a_range_is_used_up_port_by_port_and_then_said_to_be_full() -> None:
    low = random.randrange(12_000, 30_000, 4)  # below the ports that the system hands out by itself
    with ExitStack() as opened:
        ports = [
            opened.enter_context(bind_port("127.0.0.1", low, low + 3)).getsockname()[1] for _ in range(4)
        ]
        assert sorted(ports) == list(range(low, low + 4))
        with pytest.raises(PortError, match=f"No port from {low} to {low + 3} on 127.0.0.1 is free.*Widen"):
            bind_port("127.0.0.1", low, low + 3)


def test_a_port_that_is_taken_is_named(taken: int) -> None:
    with pytest.raises(PortError, match=f"Port {taken} on 127.0.0.1 is taken.*Choose another"):
        bind_port("127.0.0.1", taken, taken)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(PortError, match=r"can't listen on 192\.0\.2\.1.*bind_host"):
        bind_port("192.0.2.1", 0, 0)


def test_ip_version_6_is_understood() -> None:
    try:
        listener = bind_port("::1", 0, 0)
    except PortError:
        pytest.skip("this machine has no IPv6")
    with listener:
        assert listener.family == socket.AF_INET6


def test_the_private_socket_is_the_owner_s_alone_and_replaces_an_old_one(runtime: Path) -> None:
    path = runtime / "gateway.sock"
    for _ in range(2):
        with bind_private_socket(path), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_private_socket_that_can_t_be_is_said_in_words(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "s", tmp_path / ("x" * 200)):
        with pytest.raises(PortError, match=r"private socket .* can't be opened.*TMPDIR"):
            bind_private_socket(path)
