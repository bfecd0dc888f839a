"""Probes ask a small real server on a unix socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from curc_llm.engine.probe import (
    EngineAnswer,
    ask,
    check_completion,
    check_health,
    read_context_length,
    read_models,
)
from tests.fakes.fake_engine import FakeEngine, run_fake_engine

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "e.sock"


@pytest.fixture
async def engine(socket: Path) -> AsyncIterator[FakeEngine]:
    async with run_fake_engine(socket, model="tiny") as engine:
        yield engine


@pytest.fixture
async def serve(socket: Path) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
    """Starts a server that answers anything with the same bytes, then closes."""
    servers: list[asyncio.Server] = []

    async def start(answer: bytes) -> None:
        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        servers.append(await asyncio.start_unix_server(reply, str(socket)))

    yield start
    for server in servers:
        server.close()


async def test_an_engine_that_answers_is_healthy(engine: FakeEngine, socket: Path) -> None:
    assert await check_health(socket)


async def test_an_engine_that_says_it_is_dead_is_not_healthy(engine: FakeEngine, socket: Path) -> None:
    engine.behaviour.health = 503
    assert not await check_health(socket)


async def test_without_a_socket_nothing_is_healthy(socket: Path) -> None:
    assert not await check_health(socket)
    assert await read_models(socket) == []
    assert await read_context_length(socket) is None


async def test_a_socket_that_nobody_serves_is_not_healthy(socket: Path) -> None:
    server = await asyncio.start_unix_server(lambda _r, _w: None, str(socket))
    server.close()
    assert not await check_health(socket)


async def test_an_engine_that_hangs_is_given_up_in_time(socket: Path) -> None:
    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stop.wait()
        writer.close()

    stop = asyncio.Event()
    server = await asyncio.start_unix_server(hang, str(socket))
    loop = asyncio.get_running_loop()
    begin = loop.time()
    assert not await check_health(socket, timeout_s=0.1)
    assert loop.time() - begin < 2
    stop.set()
    server.close()


async def test_a_first_token_shows_that_the_model_works(engine: FakeEngine, socket: Path) -> None:
    assert await check_completion(socket, "tiny")


async def test_an_engine_that_only_fails_is_not_ready(engine: FakeEngine, socket: Path) -> None:
    engine.behaviour.status = 500
    assert not await check_completion(socket, "tiny")


async def test_an_embedding_model_is_asked_for_an_embedding(engine: FakeEngine, socket: Path) -> None:
    assert await check_completion(socket, "tiny", "pooling")


async def test_the_models_and_their_context_are_read(engine: FakeEngine, socket: Path) -> None:
    assert [model["id"] for model in await read_models(socket)] == ["tiny"]
    assert await read_context_length(socket) == engine.behaviour.max_model_len


@pytest.mark.parametrize(
    "answer",
    [
        *(b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"),
        *(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{{{",
        ),
        *(b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"choices":[]}', b"\x00" * 2000),
    ],
)
async def test_a_nonsensical_answer_is_no_answer(
    serve: Callable[[bytes], Awaitable[None]], socket: Path, answer: bytes
) -> None:
    await serve(answer)
    assert not await check_completion(socket, "tiny", timeout_s=2)
    assert await read_models(socket, timeout_s=2) == []


async def test_an_endless_answer_is_not_read_to_its_end(socket: Path) -> None:
    async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900000000000\r\n\r\n")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(pour, str(socket))
    answer = await ask(socket, "GET", "/", timeout_s=20)
    server.close()
    assert answer.status == 200
    assert len(answer.body) < 2_000_000


def test_a_body_that_is_no_json_is_none() -> None:
    assert EngineAnswer(200, b"<html>").json() is None
