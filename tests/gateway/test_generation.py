"""Silent streams, and clients that don't read."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from curc_llm.gateway.generation import Generation
from tests.fakes.fake_engine import FakeEngine
from tests.gateway.conftest import RunningGateway, open_connection, render_request, wait_for


async def test_a_silent_stream_gets_comments_and_stays_whole(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.silent_s = 0.4
    reply = await gateway.chat(stream=True, max_tokens=2)
    assert (
        reply.body.startswith(b": keep-alive\n\n: keep-alive\n\ndata: ")
        or reply.body.count(b": keep-alive") > 2
    )
    assert reply.events[-1] == "[DONE]"


async def test_no_comment_before_the_engine_has_begun_so_that_an_error_stays_an_error(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.first_token_s = 0.3
    engine.behaviour.status = 400
    reply = await gateway.chat(stream=True)
    assert reply.status == 400
    assert b"keep-alive" not in reply.body


@pytest.mark.slow
@pytest.mark.parametrize("pad", [0, 2_000_000])
async def test_a_comment_never_stands_inside_of_an_event(gateway: RunningGateway, pad: int) -> None:
    event = b'data: {"choices":[1],"pad":"' + b"x" * pad + b'"}\n\n'

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for piece in (event[:-4], event[-4:-1], event[-1:] + b"data: [DONE]\n\n"):
            writer.write(piece)
            await asyncio.sleep(0.2)
        writer.close()

    await gateway.start_server("slow", serve)
    await gateway.serve("slow")
    reply = await gateway.chat(model="slow", stream=True)
    assert event in reply.body
    assert b": keep-alive\n\n" in reply.body.replace(event, b"")


async def test_a_stream_that_talks_gets_no_comments(gateway: RunningGateway, engine: FakeEngine) -> None:
    engine.behaviour.token_s = 0.02
    assert b"keep-alive" not in (await gateway.chat(stream=True, max_tokens=15)).body


@pytest.mark.slow
async def test_a_client_that_reads_nothing_is_given_up_after_a_while(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.pad = 10_000
    _, writer = await open_connection(gateway.port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    body = {"model": "fake", "messages": [], "stream": True, "max_tokens": 5_000}
    writer.write(render_request("POST", "/v1/chat/completions", body, gateway.auth))
    try:
        await wait_for(lambda: engine.aborted == 1)
        assert (await gateway.wait_log("access", 1))[0]["status"] == 499
    finally:
        writer.transport.abort()


@pytest.mark.slow
async def test_a_slow_client_holds_the_engine_back_and_loses_nothing(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    count = 3_000
    reader, writer = await open_connection(gateway.port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    body = {"model": "fake", "messages": [], "stream": True, "max_tokens": count}
    engine.behaviour.pad = 10_000
    writer.write(render_request("POST", "/v1/chat/completions", body, gateway.auth))
    await wait_for(lambda: engine.running == 1)
    await asyncio.sleep(0.2)
    assert engine.running == 1  # it could not send everything: somebody made it wait
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    received = 0
    while not (data := await reader.read(1_000_000)).endswith(b"0\r\n\r\n"):
        received += data.count(b'"finish_reason"')
    assert abs(received + data.count(b'"finish_reason"') - count) < 100  # a word may be cut between two reads
    writer.close()


async def test_a_slow_client_holds_a_long_answer_back_too(gateway: RunningGateway) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
        with suppress(ConnectionError):
            for _ in range(100):
                writer.write(b"x" * 1_000_000)
                await writer.drain()
                sent += 1
        writer.close()

    await gateway.start_server("long", serve)
    await gateway.serve("long")
    _, writer = await open_connection(gateway.port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(render_request("POST", "/v1/embeddings", {"model": "long"}, gateway.auth))
    await wait_for(lambda: sent > 0)
    await asyncio.sleep(0.2)
    assert sent < 20
    writer.transport.abort()


class Side:
    """The engine's side of a request, which can only be given up."""

    aborted = False

    def abort(self) -> None:
        self.aborted = True


def test_a_client_that_left_while_the_engine_was_being_reached_is_noticed() -> None:
    generation, side = Generation(request=None, entry=None), Side()  # type: ignore[arg-type]
    generation.leave()
    generation.attach(side)  # type: ignore[arg-type]
    assert side.aborted
