"""What strangers may send to the public port, and what they get for it."""

from __future__ import annotations

import asyncio
import gc
import socket
from contextlib import suppress

import pytest

from curc_llm.gateway.protocol import GatewayProtocol
from tests.fakes.fake_engine import FakeEngine
from tests.gateway.conftest import (
    Reply,
    RunningGateway,
    StartGateway,
    ask,
    open_connection,
    read_reply,
    render_request,
    wait_for,
)

MIB = 2**20


async def send(gateway: RunningGateway, *pieces: bytes) -> Reply:
    """Sends bytes as they are, and reads one response."""
    reader, writer = await open_connection(gateway.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(5):
            return await read_reply(reader)
    finally:
        writer.close()


async def test_a_header_of_one_mib_is_refused_and_the_client_can_read_why(gateway: RunningGateway) -> None:
    reply = await send(gateway, b"GET /health HTTP/1.1\r\nHost: x\r\nX-Big: " + b"a" * MIB + b"\r\n\r\n")
    assert (reply.status, reply.code) == (431, "headers_too_large")
    assert (await ask(gateway.port, "GET", "/health")).status == 503


async def test_many_small_headers_are_counted_together(gateway: RunningGateway) -> None:
    lines = b"".join(b"X-Number-%d: %s\r\n" % (n, b"a" * 50) for n in range(2000))
    assert (await send(gateway, b"GET /health HTTP/1.1\r\n" + lines + b"\r\n")).status == 431


async def test_a_header_that_never_ends_is_refused_while_it_comes(gateway: RunningGateway) -> None:
    reader, writer = await open_connection(gateway.port)
    writer.write(b"GET /health HTTP/1.1\r\nX-Big: " + b"a" * 100_000)
    assert (await read_reply(reader)).status == 431
    writer.close()


async def test_a_head_below_the_limit_may_be_followed_by_a_large_body(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    body = {"model": "fake", "prompt": "x" * (3 * MIB)}
    reply = await gateway.ask("POST", "/v1/completions", body, {**gateway.auth, "X-Pad": "p" * 60_000})
    assert reply.status == 200


async def test_half_a_request_is_given_up_with_a_word(gateway: RunningGateway) -> None:
    reply = await send(gateway, b"GET /health HTTP/1.1\r\nHost: x\r\n")
    assert (reply.status, reply.code) == (408, "timeout")


async def test_a_head_that_trickles_doesn_t_get_more_time(gateway: RunningGateway) -> None:
    reader, writer = await open_connection(gateway.port)

    async def trickle() -> None:
        for byte in b"GET /health HTTP/1.1\r\nX: " + b"y" * 1000:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)

    trickling = asyncio.create_task(trickle())
    async with asyncio.timeout(2):
        assert (await read_reply(reader)).status == 408
    trickling.cancel()
    writer.close()


async def test_a_connection_that_says_nothing_is_closed(gateway: RunningGateway) -> None:
    reader, writer = await open_connection(gateway.port)
    async with asyncio.timeout(2):
        assert await reader.read() == b""
    writer.close()


async def test_a_body_that_stops_is_given_up_with_a_word(gateway: RunningGateway, engine: FakeEngine) -> None:
    head = render_request("POST", "/v1/completions", b"{}", {**gateway.auth, "Content-Length": "10"})
    reply = await send(gateway, head.replace(b"Content-Length: 2\r\n", b""))
    assert (reply.status, reply.code) == (408, "timeout")
    assert engine.seen == []


async def test_a_body_of_100_mb_is_refused_by_its_length_alone(gateway: RunningGateway) -> None:
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\nX-Api-Key: %s\r\n\r\n"
    reply = await send(gateway, head % gateway.key.encode())
    assert (reply.status, reply.code) == (413, "request_too_large")
    assert "32 MiB" in reply.json["error"]["message"]


async def test_a_client_that_sends_100_mb_before_it_reads_can_still_read_why(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway()
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\nX-Api-Key: %s\r\n\r\n"
    block = bytes(MIB)
    reply = await send(gateway, head % gateway.key.encode(), *[block] * 100)
    assert reply.status == 413


async def test_a_chunked_body_is_counted_while_it_comes(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway(max_body_mib=1)
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-Api-Key: %s\r\n\r\n"
    chunk = b"80000\r\n" + bytes(0x80000) + b"\r\n"
    reply = await send(gateway, head % gateway.key.encode(), chunk, chunk, chunk)
    assert reply.status == 413


async def test_a_chunked_body_with_trailers_works(gateway: RunningGateway, engine: FakeEngine) -> None:
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-Api-Key: %s\r\n\r\n"
    body = b'4\r\n{"pr\r\n9;ext=1\r\nompt":1}\n\r\n0\r\nX-Api-Key: other\r\nX-Forwarded-User: eve\r\n\r\n'
    reply = await send(gateway, head % gateway.key.encode(), body)
    assert reply.status == 200
    assert engine.seen[0]["body"] == '{"prompt":1}\n'


async def test_expect_100_continue_is_answered_before_the_body(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    reader, writer = await open_connection(gateway.port)
    request = render_request(
        "POST", "/v1/completions", {"prompt": "x"}, {**gateway.auth, "Expect": "100-continue"}
    )
    head, body = request.split(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await read_reply(reader)).status == 200
    writer.close()


async def test_expect_100_continue_without_a_key_gets_no_continue(gateway: RunningGateway) -> None:
    reply = await send(
        gateway,
        b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    )
    assert reply.status == 401


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 2\r\nContent-Length: 3\r\n",
        b"Content-Length: 2\r\nContent-Length: 2\r\n",
        b"Content-Length: 2, 2\r\n",
        b"Content-Length: +2\r\n",
        b"Content-Length: -2\r\n",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X-A: b\r\n folded: c\r\n",
        b"X-A\x00: b\r\n",
        b"X-A: b\nX-B: c\r\n",
        b"X-Api-Key: a\rb\r\n",
    ],
)
async def test_what_two_servers_could_read_differently_is_refused(
    gateway: RunningGateway, engine: FakeEngine, head: bytes
) -> None:
    request = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\n%s\r\n{}" % (
        gateway.key.encode(),
        head,
    )
    reply = await send(gateway, request)
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert engine.seen == []


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),  # somebody who speaks TLS
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/3.7\r\n\r\n",
        b"GET /h\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused(gateway: RunningGateway, request_bytes: bytes) -> None:
    assert 400 <= (await send(gateway, request_bytes)).status < 500


async def test_a_websocket_is_refused(gateway: RunningGateway) -> None:
    head = "GET /chat/ HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    reply = await send(gateway, (head + f"X-Api-Key: {gateway.key}\r\n\r\n").encode())
    assert reply.status == 400
    assert "WebSockets" in reply.json["error"]["message"]


async def test_an_offer_of_http2_is_ignored_or_refused_in_words(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    headers = {
        **gateway.auth,
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAMA",
    }
    assert (await gateway.ask("GET", "/v1/models", None, headers)).status == 200
    reply = await gateway.ask("POST", "/v1/completions", {"prompt": "x"}, headers)
    assert reply.status == 400
    assert "use plain HTTP/1.1" in reply.json["error"]["message"]
    assert engine.seen == []


async def test_a_chunk_that_is_none_is_refused(gateway: RunningGateway, engine: FakeEngine) -> None:
    head = b"POST /v1/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX-Api-Key: %s\r\n\r\nzz\r\n"
    assert (await send(gateway, head % gateway.key.encode())).status == 400


async def test_500_idle_connections_hold_nobody_up(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(header_s=30)
    idle = [await open_connection(gateway.port) for _ in range(500)]
    async with asyncio.timeout(2):
        assert (await gateway.ask("GET", "/status", None, gateway.auth)).status == 200
    for _, writer in idle:
        writer.close()


async def test_beyond_the_cap_the_longest_idle_connection_makes_room(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(connections=8, header_s=30)
    idle = [await open_connection(gateway.port)]
    await asyncio.sleep(0.02)
    idle += [await open_connection(gateway.port) for _ in range(7)]
    assert (await gateway.ask("GET", "/status", None, gateway.auth)).status == 200
    reader, _ = idle[0]
    async with asyncio.timeout(2):
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
    for _, writer in idle:
        writer.close()


async def test_when_all_connections_are_busy_the_next_is_told_so(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(connections=3, body_s=30)
    busy = [await open_connection(gateway.port) for _ in range(3)]
    for _, writer in busy:
        writer.write(
            f"POST /v1/completions HTTP/1.1\r\nContent-Length: 9\r\nX-Api-Key: {gateway.key}\r\n\r\n".encode()
        )
    await asyncio.sleep(0.05)
    reply = await ask(gateway.port, "GET", "/health")
    assert (reply.status, reply.code) == (503, "too_many_connections")
    for _, writer in busy:
        writer.transport.abort()
    await wait_for(lambda: True)


async def test_an_idle_connection_is_kept_for_its_next_request_and_then_closed(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway(keep_alive_s=0.2)
    reader, writer = await open_connection(gateway.port)
    for _ in range(2):
        writer.write(render_request("GET", "/health", None, None))
        assert (await read_reply(reader)).status == 503
        await asyncio.sleep(0.05)
    async with asyncio.timeout(2):
        assert await reader.read() == b""
    writer.close()


async def test_a_large_head_that_arrives_in_one_piece_is_refused_too(gateway: RunningGateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        # All of it lies in the socket before the gateway has read anything.
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Big: " + b"a" * 70_000 + b"\r\n\r\n")
        client.setblocking(False)
        async with asyncio.timeout(2):
            reply = await asyncio.get_running_loop().sock_recv(client, 100)
    assert b" 431 " in reply


async def send_for_ever(writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(5):
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_after_a_refusal_nothing_more_is_taken(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(linger_s=0.5)
    reader, writer = await open_connection(gateway.port)
    writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx")
    assert (await read_reply(reader)).status == 401
    async with asyncio.timeout(0.4):
        assert await reader.read() == b""  # at once: the client needn't wait to know
    with pytest.raises((ConnectionError, RuntimeError)):
        await send_for_ever(writer)  # but it may go on sending only for a while
    writer.transport.abort()


async def test_a_login_that_trickles_gets_no_more_time_than_a_head(gateway: RunningGateway) -> None:
    reader, writer = await open_connection(gateway.port)
    writer.write(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n")
    reading = asyncio.create_task(read_reply(reader))
    async with asyncio.timeout(2):
        while not reading.done():
            writer.write(b"x")
            await asyncio.sleep(0.05)
    assert (await reading).status == 408
    writer.transport.abort()


async def test_a_stranger_who_never_reads_is_given_up(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(write_s=0.2)
    _, writer = await open_connection(gateway.port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n" * 3000)
    ours = await wait_for(lambda: [o for o in gc.get_objects() if isinstance(o, GatewayProtocol)])
    await wait_for(lambda: all(connection.transport.is_closing() for connection in ours))
    writer.transport.abort()


@pytest.mark.slow
async def test_a_session_ends_though_an_upload_hangs(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(body_s=60)
    _, writer = await open_connection(gateway.port)
    head = f"POST /v1/completions HTTP/1.1\r\nContent-Length: 9\r\nX-Api-Key: {gateway.key}\r\n\r\n"
    writer.write(head.encode())
    await asyncio.sleep(0.05)
    await gateway.channel.close()
    async with asyncio.timeout(3):
        assert await gateway.task == 0
    writer.transport.abort()
