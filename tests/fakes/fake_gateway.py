"""A small gateway for the chat's tests: real sockets, scripted model.

The private side (unix socket) answers `/status`, `/keep-going` and `/v1/chat/completions`. The public side
(TCP) answers `/key` and relays `/chat/...` to the chat's socket, bare and below a prefix, and says so in the
two headers. With a `front`, people come to it through the portal's Apache. It all runs on a thread of its
own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.fakes.stop_listening import stop_listening, turn_loop
from tests.testbed.portal.front import Front

PREFIX = "/node/h1.example/4711"
KEY = "sk-the-owners-own"
OWNER = "ada"
KEPT = {"cookie", "authorization", "connection"}  # what the chat isn't told
Writer = asyncio.StreamWriter
Answer = Callable[[asyncio.StreamReader, Writer], Coroutine[Any, Any, None]]
_PREFIX = re.compile(r"/node/[^/]+/\d+(?=/)")


def make_record(**changes: Any) -> dict[str, Any]:
    """A session record as JSON, of a session whose one model is ready."""
    record = {
        "version": 1,
        "session_id": "local-1",
        "owner": OWNER,
        "host": "h1",
        "pid": 1,
        "pid_started": 1,
        "status": "ready",
        "started_at": time.time() - 60,
        "heartbeat_at": time.time(),
        "engines": [make_engine()],
    }
    return {**record, **changes}


def make_engine(**changes: Any) -> dict[str, Any]:
    """One engine of a record."""
    engine = {
        "served_model_name": "curc-guide",
        "model": "/m",
        "phase": "ready",
        "started_at": time.time() - 50,
        "ready_at": time.time() - 20,
        "max_model_len": 4096,
    }
    return {**engine, **changes}


@dataclass
class Reply:
    """What the model answers.

    Args:
        text: split into events of `piece_chars` each.
        reasoning: sent first, in the same way.
        reasoning_field: what the engine calls it.
        hold_after: events after which the reply waits for `release`; None for never.
        error: an error object sent as an event at the end.
        cut: True to end the connection in the middle instead.
        status, body: a refusal instead of a stream.
        gap_s: pause between events.
        piece_chars: how much text an event has.
    """

    text: str = ""
    reasoning: str = ""
    reasoning_field: str = "reasoning"
    hold_after: int | None = None
    error: dict[str, Any] | None = None
    cut: bool = False
    status: int = 200
    body: dict[str, Any] | None = None
    gap_s: float = 0.0
    finish_reason: str = "stop"
    raw: bytes | None = None
    piece_chars: int = 4


@dataclass
class FakeGateway:
    """The gateway. `with FakeGateway(folder) as gateway:` starts and ends it.

    Args:
        folder: where its socket and the chat's are.
        front: the portal through which people come; None for the bare port.
    """

    folder: Path
    front: Front | None = None
    record: dict[str, Any] = field(default_factory=make_record)
    replies: dict[str, Reply] = field(default_factory=dict)
    default: Reply = field(default_factory=lambda: Reply("Hello there."))
    requests: list[dict[str, Any]] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    counted: list[dict[str, Any]] = field(default_factory=list)
    count_reply: tuple[int, Any] = (200, {"count": 12, "max_model_len": 4096, "tokens": []})
    kept_going: int = 0
    restarts: list[str] = field(default_factory=list)
    fitting: list[dict[str, Any]] = field(default_factory=list)
    swaps: list[dict[str, Any]] = field(default_factory=list)
    swap_refusal: str = ""
    on_swap: Callable[[], None] | None = None
    running: int = 0
    aborted: int = 0
    is_down: bool = False
    nothing_failed: bool = False
    host_header: str = ""
    user: str = "owner"
    metrics: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    on_keep_going: Callable[[], None] | None = None
    on_restart: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self.socket = self.folder / "gateway.sock"
        self.chat_socket = self.folder / "chat.sock"
        self.loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._writers: weakref.WeakSet[Writer] = weakref.WeakSet()
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, daemon=True).start()
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self.loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread_ended.wait(10)
        self.loop.close()

    def release(self) -> None:
        """Lets held replies go on."""
        self.loop.call_soon_threadsafe(self._released.set)

    def hold(self) -> None:
        """Makes later replies with `hold_after` wait again."""
        self.loop.call_soon_threadsafe(self._released.clear)

    def wait_for(self, condition: Callable[[FakeGateway], bool], timeout_s: float = 10) -> None:
        """Waits until something is so."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), timeout_s), "it didn't come about"

    def url(self, prefix: str | None = None) -> str:
        """The page's address, as people open it.

        Args:
            prefix: of the bare port instead, below this prefix.
        """
        if prefix is None and self.front:
            return f"{self.front.find_root(self.port)}/chat/"
        return f"http://127.0.0.1:{self.port}{prefix or ''}/chat/"

    def _run(self) -> None:
        self._thread_ended = threading.Event()
        self.loop.run_forever()
        self._thread_ended.set()

    async def _start(self) -> int:
        self._private = await asyncio.start_unix_server(self._take(self._answer_private), str(self.socket))
        self._public = await asyncio.start_server(self._take(self._answer_public), "127.0.0.1", 0)
        return int(self._public.sockets[0].getsockname()[1])

    def _take(self, answer: Answer) -> Answer:
        """Remembers each connection: a handler that is cancelled before its first step closes nothing."""

        def take(reader: asyncio.StreamReader, writer: Writer) -> Coroutine[Any, Any, None]:
            self._writers.add(writer)
            return answer(reader, writer)

        return take

    async def _stop(self) -> None:
        await stop_listening(self._private, self._public)
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()  # closing would wait for who doesn't read
        # Transports close a turn of the loop later.
        await turn_loop()

    def _note(self, **changes: Any) -> None:
        with self._changed:
            for name, value in changes.items():
                setattr(self, name, value)
            self._changed.notify_all()

    # The private side.

    async def _answer_private(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            method, path, headers, body = await _read_request(reader)
            self._note(users=[*self.users, headers.get("x-curc-llm-user", "")])
            if self.is_down:
                writer.transport.abort()
            elif path == "/status":
                await _send_json(
                    writer, 200, {**self.record, "gateway": {"now": time.time(), **self.figures}}
                )
            elif (method, path) == ("POST", "/keep-going"):
                self._note(kept_going=self.kept_going + 1)
                if self.on_keep_going:
                    self.on_keep_going()
                await _send_json(writer, 200, {})
            elif (method, path) == ("POST", "/restart"):
                await _send_json(writer, *self._restart(headers.get("x-curc-llm-user", ""), json.loads(body)))
            elif path.partition("?")[0] == "/swap":
                await _send_json(writer, *self._swap(method, headers.get("x-curc-llm-user", ""), body))
            elif (method, path) == ("POST", "/tokenize"):
                self._note(counted=[*self.counted, json.loads(body)])
                await _send_json(writer, *self.count_reply)
            elif path == "/v1/models":
                await _send_json(
                    writer, 200, {"data": [{"id": e["served_model_name"]} for e in self.record["engines"]]}
                )
            elif path == "/metrics":
                await _send_json(writer, 200, self.metrics)
            else:
                await self._complete(reader, writer, json.loads(body))

    def _restart(self, user: str, body: dict[str, Any]) -> tuple[int, Any]:
        """As the gateway does: for the owner alone, and what has failed alone."""
        failed = [e["served_model_name"] for e in self.record["engines"] if e["phase"] == "failed"]
        if user != "owner":
            message = "Only the session's owner may start a model again."
            return 403, {"error": {"message": message, "code": "permission_denied"}}
        self._note(restarts=[*self.restarts, body["model"]])
        if self.nothing_failed or body["model"] not in failed:
            return 409, {"error": {"message": "No model has failed for good.", "code": "nothing_failed"}}
        if self.on_restart:
            self.on_restart()
        return 202, {"status": "restarting", "models": [body["model"]]}

    def _swap(self, method: str, user: str, body: bytes) -> tuple[int, Any]:
        """As the gateway does: for the owner alone."""
        engine = self.record["engines"][0]["served_model_name"]
        if user != "owner":
            message = "Only the session's owner may change what it serves."
            return 403, {"error": {"message": message, "code": "permission_denied"}}
        if method == "GET":
            return 200, {"engine": engine, "models": self.fitting}
        if self.swap_refusal:
            return 400, {"error": {"message": self.swap_refusal, "code": "does_not_fit"}}
        self._note(swaps=[*self.swaps, json.loads(body)])
        if self.on_swap:
            self.on_swap()
        return 202, {"status": "swapping", "engine": engine}

    async def _complete(self, reader: asyncio.StreamReader, writer: Writer, request: dict[str, Any]) -> None:
        by_model = self.replies.get(request["model"], self.default)
        reply = self.replies.get(str(request["messages"][-1]["content"]), by_model)
        self._note(requests=[*self.requests, request])
        if reply.status != 200:
            await _send_json(writer, reply.status, reply.body or {})
            return
        self._note(running=self.running + 1)
        sending = asyncio.create_task(self._stream(writer, request, reply))
        gone = asyncio.create_task(reader.read(1))
        try:
            done, _ = await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending not in done:
                self._note(aborted=self.aborted + 1)
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)
            self._note(running=self.running - 1)

    async def _stream(self, writer: Writer, request: dict[str, Any], reply: Reply) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        size = reply.piece_chars
        deltas = [{reply.reasoning_field: piece} for piece in _cut(reply.reasoning, size)]
        deltas += [{"content": piece} for piece in _cut(reply.text, size)]
        for count, delta in enumerate(deltas):
            if count == reply.hold_after:
                await writer.drain()
                await self._released.wait()
            _write_event(writer, _make_event(request, delta))
            await writer.drain()
            await asyncio.sleep(reply.gap_s)
        await self._end(writer, request, reply, len(deltas))

    async def _end(self, writer: Writer, request: dict[str, Any], reply: Reply, tokens: int) -> None:
        if reply.cut:
            writer.transport.abort()
            return
        if reply.raw is not None:
            _write_chunk(writer, reply.raw)
        elif reply.error is not None:
            _write_event(writer, {"error": reply.error})
        else:
            _write_event(writer, _make_event(request, {}, reply.finish_reason))
            usage = {"prompt_tokens": 12, "completion_tokens": tokens, "total_tokens": tokens + 12}
            _write_event(writer, {"model": request["model"], "choices": [], "usage": usage})
        _write_chunk(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    # The public side.

    async def _answer_public(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            method, path, headers, body = await _read_request(reader)
            found = _PREFIX.match(path)
            prefix = found.group() if found else ""
            path = path.removeprefix(prefix)
            headers = {
                **{n: v for n, v in headers.items() if n not in KEPT and not n.startswith("x-forwarded-")},
                "x-curc-llm-user": self.user,
                "x-curc-llm-prefix": prefix,
                "host": self.host_header or headers.get("host", ""),
                "connection": "close",
            }
            if (method, path) == ("POST", "/key"):
                await _send_json(writer, 200, {"key": KEY})
            elif (method, path) == ("POST", "/successor"):
                told = {"session_id": "slurm-next", "link": f"{prefix}/chat/?next=1#token=t"}
                await _send_json(writer, 200, told)
            elif path.startswith("/chat"):
                await self._relay(reader, writer, _render_request(method, path, headers, body))
            else:
                await _send_json(writer, 404, {})

    async def _relay(self, reader: asyncio.StreamReader, writer: Writer, request: bytes) -> None:
        upstream, sink = await asyncio.open_unix_connection(str(self.chat_socket))
        sink.write(request)
        gone = asyncio.create_task(reader.read(1))
        pump = asyncio.create_task(_pump(upstream, writer))
        try:
            await asyncio.wait({gone, pump}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, pump):
                task.cancel()
            await asyncio.gather(gone, pump, return_exceptions=True)
            sink.close()


async def _pump(source: asyncio.StreamReader, sink: Writer) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, path, _ = first.split(" ", 2)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return method, path, headers, body


def _render_request(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


async def _send_json(writer: Writer, status: int, value: Any) -> None:
    body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    await writer.drain()


def _make_event(
    request: dict[str, Any], delta: dict[str, Any], finish_reason: str | None = None
) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"object": "chat.completion.chunk", "model": request["model"], "choices": [choice]}


def _write_event(writer: Writer, event: dict[str, Any]) -> None:
    _write_chunk(writer, b"data: " + json.dumps(event).encode() + b"\n\n")


def _write_chunk(writer: Writer, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def _cut(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]
