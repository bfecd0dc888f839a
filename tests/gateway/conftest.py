"""A gateway with its channel, as the supervisor would run it, but inside the test's own event loop."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvloop

from curc_llm.gateway.channel import (
    Bound,
    Channel,
    EngineTarget,
    Failed,
    GatewayConfig,
    GatewayState,
    Limits,
    Message,
    open_channel,
)
from curc_llm.gateway.server import run_gateway
from curc_llm.session.keys import make_owner_key
from curc_llm.session.login import make_login_secret, make_login_token
from curc_llm.session.paths import SessionPaths, make_runtime_dir
from tests.fakes.fake_engine import FakeEngine, run_fake_engine


@dataclass
class Reply:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code; fails unless it is OpenAI-shaped."""
        error = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return str(error["code"])

    @property
    def events(self) -> list[str]:
        """The data of each event."""
        lines = self.body.decode().split("\n\n")
        assert lines[-1] == ""
        return [line.removeprefix("data: ") for line in lines[:-1]]


@dataclass
class RunningGateway:
    """A gateway, its session folder, and the supervisor's end of its channel."""

    paths: SessionPaths
    runtime: Path
    channel: Channel
    task: asyncio.Task[int]
    port: int = 0
    messages: list[Message] = field(default_factory=list)
    servers: list[asyncio.AbstractServer] = field(default_factory=list)
    state: GatewayState = field(default_factory=lambda: GatewayState({"session_id": "s1", "owner": "me"}))

    @property
    def key(self) -> str:
        return self.paths.api_key.read_text().strip()

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def socket_of(self, name: str) -> str:
        return str(self.runtime / f"{name}.sock")

    async def start_server(
        self, name: str, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    ) -> None:
        """A server of a test's own on the socket of that name; it ends with the gateway."""
        self.servers.append(await asyncio.start_unix_server(serve, self.socket_of(name)))

    async def tell(self, **changes: Any) -> None:
        """Sends a new state and waits until it is in force."""
        values = {**vars(self.state), **changes}
        count = int(self.state.record.get("count", 0)) + 1
        values["record"] = {**values["record"], "count": count}
        self.state = GatewayState(**values)
        self.channel.send(self.state)
        while (await self.private("GET", "/status")).json.get("count") != count:
            await asyncio.sleep(0.002)

    async def serve(self, *names: str, phase: str = "ready") -> None:
        """Tells of engines of these names on sockets of these names."""
        await self.tell(engines=tuple(EngineTarget(n, self.socket_of(n), phase) for n in names))

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **more: Any
    ) -> Reply:
        """One request to the public port."""
        return await ask(self.port, method, path, body, headers, **more)

    async def chat(self, path: str = "/v1/chat/completions", **fields: Any) -> Reply:
        """One request with the owner's key."""
        body = {"model": "fake", "messages": [{"role": "user", "content": "Hi"}], **fields}
        return await self.ask("POST", path, body, self.auth)

    async def private(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """One request to the private socket."""
        return await ask(self.socket_of("gateway"), method, path, body, headers)

    def login_token(self, now: float) -> str:
        return make_login_token(self.paths.login_secret, now)

    def log(self, name: str) -> list[dict[str, Any]]:
        path = self.paths.logs / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    async def wait_log(self, name: str, count: int) -> list[dict[str, Any]]:
        """The lines of a log once there are so many."""
        return await wait_for(lambda: lines if len(lines := self.log(name)) >= count else None)

    async def collect(self) -> None:
        """Keeps the messages that come up."""
        while (message := await self.channel.receive()) is not None:
            self.messages.append(message)


async def wait_for(condition: Callable[[], Any], limit_s: float = 20) -> Any:
    """The first true value of a condition."""
    async with asyncio.timeout(limit_s):
        while not (value := condition()):
            await asyncio.sleep(0.005)
    return value


async def open_connection(where: int | str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A plain connection to a port or a socket."""
    if isinstance(where, int):
        return await asyncio.open_connection("127.0.0.1", where)
    return await asyncio.open_unix_connection(where)


async def read_reply(reader: asyncio.StreamReader, *, is_head: bool = False) -> Reply:
    """One response."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
    status = int(head[0].split()[1])
    if is_head or status == 304:
        return Reply(status, headers, b"")
    if headers.get("transfer-encoding") == "chunked":
        parts = []
        while size := int(await reader.readline(), 16):
            parts.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        return Reply(status, headers, b"".join(parts))
    return Reply(status, headers, await reader.readexactly(int(headers["content-length"])))


def render_request(method: str, path: str, body: Any, headers: dict[str, str] | None) -> bytes:
    """A request's bytes."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: here"] + [f"{n}: {v}" for n, v in (headers or {}).items()]
    if body is not None:
        lines.append(f"Content-Length: {len(data)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + data


async def ask(
    where: int | str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Reply:
    """One request on a connection of its own."""
    reader, writer = await open_connection(where)
    try:
        writer.write(render_request(method, path, body, headers))
        async with asyncio.timeout(10):
            return await read_reply(reader, is_head=method == "HEAD")
    finally:
        writer.close()


StartGateway = Callable[..., Awaitable[RunningGateway]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The gateway's own kind of event loop."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def start_gateway(tmp_path: Path) -> AsyncIterator[StartGateway]:
    """Starts gateways with fields of Limits and of GatewayConfig; ends them after the test."""
    async with AsyncExitStack() as stack:

        async def start(**values: Any) -> RunningGateway:
            gateway = await _start(values.pop("root", tmp_path / "session"), values)
            stack.push_async_callback(_end, gateway)
            return gateway

        yield start


async def _start(root: Path, values: dict[str, Any]) -> RunningGateway:
    paths = SessionPaths(root)
    if not paths.keys.exists():
        paths.make()
        make_owner_key(paths.keys, paths.api_key)
        make_login_secret(paths.login_secret)
    runtime = make_runtime_dir()
    limits = {name: values.pop(name) for name in list(values) if name in Limits.__dataclass_fields__}
    config = GatewayConfig(
        "s1", str(root), str(runtime / "gateway.sock"), "me", limits=Limits(**limits), **values
    )
    ours, theirs = socket.socketpair()
    task = asyncio.create_task(run_gateway(theirs))
    gateway = RunningGateway(paths, runtime, await open_channel(ours), task)
    gateway.channel.send(config)
    answer = await gateway.channel.receive()
    gateway.messages.append(answer)  # type: ignore[arg-type]
    if isinstance(answer, Bound):
        gateway.port = answer.port
    else:
        assert isinstance(answer, Failed)
    gateway.collecting = asyncio.create_task(gateway.collect())  # type: ignore[attr-defined]
    return gateway


async def _end(gateway: RunningGateway) -> None:
    await gateway.channel.close()
    for server in gateway.servers:
        server.close()
    async with asyncio.timeout(5):
        await gateway.task
        await gateway.collecting  # type: ignore[attr-defined]
    for path in gateway.runtime.iterdir():
        path.unlink()
    gateway.runtime.rmdir()


@pytest.fixture
async def gateway(start_gateway: StartGateway) -> RunningGateway:
    """A gateway whose time-outs are short."""
    return await start_gateway(header_s=0.3, body_s=0.3, linger_s=0.3, write_s=0.4, heartbeat_s=0.08)


@pytest.fixture
async def engine(gateway: RunningGateway) -> AsyncIterator[FakeEngine]:
    """A fake engine that serves `fake`, and of which the gateway knows."""
    async with run_fake_engine(gateway.socket_of("fake")) as engine:
        await gateway.serve("fake")
        yield engine
