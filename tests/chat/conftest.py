from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.fake_gateway import FakeGateway

from curc_llm.chat.gateway_client import GatewayClient
from curc_llm.chat.session_watch import SessionWatch


@pytest.fixture
def socket_dir() -> Iterator[Path]:
    """A folder whose path is short enough for a unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="cc-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def gateway(socket_dir: Path) -> Iterator[FakeGateway]:
    with FakeGateway(socket_dir) as fake:
        yield fake


@pytest.fixture
def client(gateway: FakeGateway) -> GatewayClient:
    return GatewayClient(gateway.socket)


@pytest.fixture
def watch(client: GatewayClient) -> SessionWatch:
    return SessionWatch(client)
