"""The chat behind the gateway: pages, uploads, streams, and what it is not told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.fakes.fake_engine import read_request
from tests.gateway.conftest import (
    RunningGateway,
    StartGateway,
    open_connection,
    read_reply,
    render_request,
    wait_for,
)
from tests.gateway.test_login import cookie_of

HTML = {"Accept": "text/html"}


class FakeChat:
    """A server that echoes what it was sent."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.gone = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                self.seen.append(request)
                if "/stream" in request["path"]:
                    await self._stream(writer)
                elif "/die" in request["path"]:
                    break
                else:
                    self._echo(writer, request)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone += 1
        finally:
            writer.close()

    @staticmethod
    def _echo(writer: asyncio.StreamWriter, request: dict[str, Any]) -> None:
        body = json.dumps(request).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n"
        head += "server: own\r\nset-cookie: a=b\r\nx-own: yes\r\n\r\n"
        writer.write(head.encode() + (b"" if request["method"] == "HEAD" else body))

    @staticmethod
    async def _stream(writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for n in range(1000):
            event = b"data: %d\n\n" % n
            if writer.is_closing():
                raise ConnectionResetError  # uvloop calls it a RuntimeError
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()
            await asyncio.sleep(0.01)


@pytest.fixture
async def chat(gateway: RunningGateway) -> FakeChat:
    fake = FakeChat()
    await gateway.start_server("chat", fake.serve)
    await gateway.tell(chat_socket=gateway.socket_of("chat"))
    return fake


async def test_a_page_is_relayed_without_the_prefix_and_with_the_name_of_who_asks(
    gateway: RunningGateway, chat: FakeChat
) -> None:
    cookie = await cookie_of(gateway)
    reply = await gateway.ask("GET", "/node/n1/8/chat/a%20b?q=1&r=%2F", None, cookie)
    assert reply.json["path"] == "/chat/a%20b?q=1&r=%2F"
    headers = reply.json["headers"]
    assert (headers["x-curc-llm-user"], headers["x-curc-llm-prefix"]) == ("owner", "/node/n1/8")
    assert reply.headers["x-own"] == "yes"
    assert "server" not in reply.headers
    assert "set-cookie" not in reply.headers


async def test_the_chat_learns_no_secret_and_believes_no_stranger(
    gateway: RunningGateway, chat: FakeChat
) -> None:
    headers = {
        **(await cookie_of(gateway)),
        "X-Forwarded-User": "me",
        "X-Forwarded-Host": "portal.edu",
        "X-Curc-Llm-User": "eve",
        "X-Curc-Llm-Prefix": "/evil",
        "X-Own": "kept",
        "Accept-Language": "de",
    }
    reply = await gateway.ask("GET", "/chat/", None, headers)
    seen = reply.json["headers"]
    assert len(reply.json["names"]) == len(seen)  # no header twice
    assert seen["x-curc-llm-user"] == "owner"
    assert seen["x-curc-llm-prefix"] == ""
    assert (seen["x-own"], seen["accept-language"], seen["host"]) == ("kept", "de", "here")
    assert not [
        name for name in seen if name.startswith("x-forwarded") or name in {"cookie", "authorization"}
    ]


async def test_a_key_doesn_t_open_the_chat(gateway: RunningGateway, chat: FakeChat) -> None:
    assert (await gateway.ask("GET", "/chat/", None, gateway.auth)).code == "not_found"
    assert chat.seen == []


async def test_an_upload_is_streamed_to_the_chat(gateway: RunningGateway, chat: FakeChat) -> None:
    cookie = await cookie_of(gateway)
    data = b"x" * 3_000_000
    reply = await gateway.ask("POST", "/chat/upload", data, {**cookie, "Origin": "http://here"})
    assert len(reply.json["body"]) == len(data)
    request = b"POST /chat/upload HTTP/1.1\r\nHost: here\r\nOrigin: http://here\r\nCookie: %s\r\n"
    reader, writer = await open_connection(gateway.port)
    writer.write(
        request % cookie["Cookie"].encode() + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    assert (await read_reply(reader)).json["body"] == "abc"
    writer.close()


async def test_an_upload_from_another_site_is_refused(gateway: RunningGateway, chat: FakeChat) -> None:
    cookie = await cookie_of(gateway)
    reply = await gateway.ask("POST", "/chat/upload", b"x", {**cookie, "Origin": "http://evil.example"})
    assert (reply.status, chat.seen) == (403, [])


async def test_an_upload_that_is_too_large_is_refused(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(max_body_mib=1)
    chat = FakeChat()
    await gateway.start_server("chat", chat.serve)
    await gateway.tell(chat_socket=gateway.socket_of("chat"))
    headers = {**(await cookie_of(gateway)), "Origin": "http://here"}
    assert (await gateway.ask("POST", "/chat/upload", bytes(2**20 + 1), headers)).status == 413


async def test_a_stream_of_the_chat_passes_as_it_comes_and_ends_with_its_reader(
    gateway: RunningGateway, chat: FakeChat
) -> None:
    reader, writer = await open_connection(gateway.port)
    writer.write(render_request("GET", "/chat/stream", None, await cookie_of(gateway)))
    async with asyncio.timeout(2):
        await reader.readuntil(b"data: 2\n\n")
    writer.close()
    await wait_for(lambda: chat.gone == 1)


async def test_a_head_request_has_no_body(gateway: RunningGateway, chat: FakeChat) -> None:
    cookie = await cookie_of(gateway)
    reply = await gateway.ask("HEAD", "/chat/", None, cookie)
    assert (reply.status, reply.body) == (200, b"")
    assert (await gateway.ask("GET", "/chat/", None, cookie)).status == 200


@pytest.mark.parametrize("path", ["/chat/../status", "/chat/%2e%2e/x", "/chat/a\\b"])
async def test_paths_that_climb_are_refused(gateway: RunningGateway, chat: FakeChat, path: str) -> None:
    reply = await gateway.ask("GET", path, None, await cookie_of(gateway))
    assert (reply.status, chat.seen) == (400, [])


async def test_while_the_chat_starts_a_person_sees_a_page_that_reloads_itself(
    gateway: RunningGateway,
) -> None:
    cookie = await cookie_of(gateway)
    reply = await gateway.ask("GET", "/node/n1/8/chat/", None, {**cookie, **HTML})
    assert (reply.status, reply.headers["retry-after"]) == (503, "3")
    assert b'http-equiv="refresh"' in reply.body
    assert b'href="/node/n1/8/status"' in reply.body
    assert (await gateway.ask("GET", "/chat/app.js", None, cookie)).code == "chat_starting"
    await gateway.tell(chat_socket=gateway.socket_of("chat"))  # told of, but not there (any more)
    assert (await gateway.ask("GET", "/chat/", None, {**cookie, **HTML})).status == 503


async def test_a_chat_that_dies_while_it_answers_is_told(gateway: RunningGateway, chat: FakeChat) -> None:
    reply = await gateway.ask("GET", "/chat/die", None, await cookie_of(gateway))
    assert (reply.status, reply.code) == (502, "chat_failed")
