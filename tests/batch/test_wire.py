"""The small HTTP client: every way in which an answer may come, and those in which it may not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from curc_llm.batch.pool import Pool
from curc_llm.batch.wire import LostError, join_chunks
from curc_llm.client.secret import Secret

KEY = Secret("curc-k")


@asynccontextmanager
async def answering(pieces: list[bytes], *, hang_up: bool = False, slow: bool = True) -> AsyncIterator[Pool]:
    """A server that answers each request with these pieces, one after the other."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                if b"Content-Length: 2" in heads[-1]:
                    await reader.readexactly(2)
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    if slow:
                        await asyncio.sleep(0.001)
                if hang_up:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = Pool(f"http://127.0.0.1:{port}/node/h/1/v1", KEY, 60)
    pool.heads = heads  # type: ignore[attr-defined]
    try:
        yield pool
    finally:
        pool.close()
        server.close()
        await asyncio.sleep(0.01)


WHOLE = b"HTTP/1.1 200 OK\r\nX-A: b: c\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"


@pytest.mark.slow
@pytest.mark.parametrize("answer", [WHOLE, CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE])
async def test_an_answer_is_read_wherever_it_is_cut_into_pieces(answer: bytes) -> None:
    for cut in range(1, len(answer)):
        async with answering([answer[:cut], answer[cut:]]) as pool:
            reply = await pool.post("/v1/x", b"{}")
            assert (reply.status, reply.body) == (200, b"hello")


async def test_a_connection_is_used_again_and_carries_key_and_prefix() -> None:
    async with answering([WHOLE]) as pool:
        for _ in range(3):
            assert (await pool.get("/v1/models")).headers["x-a"] == "b: c"
        assert len(pool._idle) == 1
        assert pool.heads[0].startswith(b"GET /node/h/1/v1/models HTTP/1.1\r\n")
        assert b"Authorization: Bearer curc-k\r\n" in pool.heads[0]


async def test_a_body_without_length_ends_with_the_connection() -> None:
    async with answering([b"HTTP/1.0 200 OK\r\n\r\nhel", b"lo"], hang_up=True) as pool:
        assert (await pool.post("/v1/x", b"{}")).body == b"hello"
        assert (await pool.post("/v1/x", b"{}")).body == b"hello"


async def test_a_connection_that_closes_too_soon_is_told() -> None:
    async with answering([WHOLE[:-1]], hang_up=True) as pool:
        with pytest.raises(LostError) as lost:
            await pool.post("/v1/x", b"{}")
        assert lost.value.sent


@pytest.mark.parametrize(
    "nonsense",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 70_000,
    ],
)
async def test_what_is_no_http_is_told(nonsense: bytes) -> None:
    async with answering([nonsense]) as pool:
        with pytest.raises(LostError, match="isn't HTTP"):
            await pool.post("/v1/x", b"{}")


async def test_nobody_there_is_told_as_not_sent() -> None:
    pool = Pool("http://127.0.0.1:1/v1", KEY, 60)
    with pytest.raises(LostError) as lost:
        await pool.get("/v1/models")
    assert not lost.value.sent


async def test_an_answer_that_asks_for_closing_is_the_last_of_its_connection() -> None:
    async with answering([WHOLE.replace(b"X-A: b: c", b"Connection: close")], hang_up=True) as pool:
        await pool.post("/v1/x", b"{}")
        assert pool._idle == []
        assert (await pool.post("/v1/x", b"{}")).body == b"hello"


async def test_an_idle_connection_that_was_closed_is_not_used() -> None:
    async with answering([WHOLE], hang_up=True) as pool:
        await pool.post("/v1/x", b"{}")
        await asyncio.sleep(0.05)
        assert (await pool.post("/v1/x", b"{}")).body == b"hello"


async def test_giving_up_a_request_closes_its_connection() -> None:
    async with answering([WHOLE[:20]]) as pool:
        task = asyncio.create_task(pool.post("/v1/x", b"{}"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not pool._idle
        assert not pool._busy


def test_the_key_is_not_shown() -> None:
    assert "curc-k" not in repr(Pool("http://h/v1", KEY, 60))


def test_chunks_that_are_not_whole_are_no_body_yet() -> None:
    whole = b"5\r\nhello\r\n0\r\n\r\n"
    assert [join_chunks(whole[:i]) for i in range(len(whole))] == [None] * len(whole)
    assert join_chunks(whole) == b"hello"
