"""The gateway as a process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from curc_llm.gateway.channel import (
    Bound,
    Channel,
    EngineTarget,
    Failed,
    GatewayConfig,
    GatewayState,
    open_channel,
)
from curc_llm.session.keys import make_owner_key
from curc_llm.session.login import make_login_secret
from curc_llm.session.paths import SessionPaths, make_runtime_dir
from tests.fakes.fake_engine import run_fake_engine
from tests.gateway.conftest import StartGateway, ask, open_connection, read_reply, render_request

SOURCE = Path(__file__).parents[2] / "src"


@asynccontextmanager
async def run_process(tmp_path: Path) -> AsyncIterator[tuple[Process, Channel, GatewayConfig]]:
    """A gateway in its own process; its channel is still silent."""
    paths = SessionPaths(tmp_path / "session")
    paths.make()
    make_owner_key(paths.keys, paths.api_key)
    make_login_secret(paths.login_secret)
    runtime = make_runtime_dir()
    ours, theirs = socket.socketpair()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "curc_llm.gateway", "--channel-fd", str(theirs.fileno()),
        pass_fds=[theirs.fileno()], env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    theirs.close()
    channel = await open_channel(ours)
    config = GatewayConfig("s1", str(paths.root), str(runtime / "gateway.sock"), "me")
    try:
        yield process, channel, config
    finally:
        await channel.close()
        async with asyncio.timeout(10):
            await process.wait()
        for path in runtime.iterdir():
            path.unlink()
        runtime.rmdir()


def memory_mib(pid: int) -> float:
    """What a process holds in memory, shared pages included."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


async def test_it_serves_stays_small_and_ends_when_its_channel_closes(tmp_path: Path) -> None:
    async with run_process(tmp_path) as (process, channel, config):
        channel.send(config)
        bound = await channel.receive()
        assert isinstance(bound, Bound)
        key = (tmp_path / "session" / "api.key").read_text().strip()
        async with run_fake_engine(f"{config.private_socket}.e") as engine:
            engine.behaviour.token_s = 0.02
            channel.send(GatewayState({}, (EngineTarget("fake", f"{config.private_socket}.e", "ready"),)))
            body = {"model": "fake", "messages": [], "stream": True, "max_tokens": 1000}
            reader, writer = await open_connection(bound.port)
            writer.write(render_request("POST", "/v1/chat/completions", body, {"X-Api-Key": key}))
            await reader.readuntil(b"word3")
            assert memory_mib(process.pid) < 48
            started = time.monotonic()
            await channel.close()
            assert b'"code": "session_ending"' in await reader.read()
            assert await process.wait() == 0
            assert time.monotonic() - started < 2
            writer.close()


async def test_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    async with run_process(tmp_path) as (process, channel, config):
        channel.send(config)
        bound = await channel.receive()
        assert isinstance(bound, Bound)
        reader, writer = await open_connection(bound.port)
        writer.write(b"GET /health HTTP/1.1\r\n")  # and half a request more than nothing
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert time.monotonic() - started < 2
        writer.transport.abort()
        del reader


async def test_a_port_that_is_taken_is_told_up_and_ends_it_with_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        async with run_process(tmp_path) as (process, channel, config):
            values = {**vars(config), "port_min": port, "port_max": port}
            channel.send(GatewayConfig(**values))
            failed = await channel.receive()
            assert isinstance(failed, Failed)
            assert (failed.code, failed.message) == ("gateway_port", f"Port {port} on 127.0.0.1 is taken.")
            assert "Choose another" in failed.remedy
            assert await process.wait() == 1


async def test_without_a_config_it_ends_with_1(start_gateway: StartGateway) -> None:
    from curc_llm.gateway.server import run_gateway

    for first in (b"", b'{"type":"bound","port":1}\n'):
        ours, theirs = socket.socketpair()
        running = asyncio.create_task(run_gateway(theirs))
        ours.sendall(first)
        ours.close()
        assert await running == 1


async def test_a_chosen_port_can_be_had_again_by_the_next_gateway(start_gateway: StartGateway) -> None:
    first = await start_gateway()
    reader, writer = await open_connection(first.port)
    writer.write(render_request("GET", "/health", None, None))
    await read_reply(reader)
    port = first.port
    await first.channel.close()
    await first.task
    second = await start_gateway(port_min=port, port_max=port)
    assert second.port == port
    assert (await ask(port, "GET", "/health")).status == 503
    writer.close()


@pytest.mark.parametrize("limit", [64, 4096])
async def test_the_number_of_connections_fits_the_files_that_may_be_open(limit: int) -> None:
    import resource

    from curc_llm.gateway.server import _with_room

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        config = _with_room(GatewayConfig("s", "/", "/s", "me"))
        assert config.limits.connections <= before[1] // 2
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
