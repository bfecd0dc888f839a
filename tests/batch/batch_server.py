"""A small session for batches: real sockets, kept-alive connections, and prompts that say what happens.

What the model answers is `You said: …`; these words in a prompt make the server act otherwise:
`[bad]` 400; `[forbidden]` 403;
`[busy]` 429 the first time; `[away]` 503 the first time; `[broken]` 500 the first time;
`[cut]` hangs up the first time; `[poison]` hangs up each time; `[slow]` takes 0.3 s; `[hang]` never answers;
`[prose]` no JSON though a schema was asked; `[length]` cut off at the limit.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import struct
import threading
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Self

from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord, SessionStatus
from tests.fakes.stop_listening import stop_listening

KEY = "curc-key-of-the-batch-server"


class BatchServer:
    """A session of one chat model and one embedding model. `with BatchServer() as server: ...`."""

    def __init__(self, **changes: Any) -> None:
        self.model = "m"
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.running = self.most_running = self.aborted = 0
        self.is_ready = True
        self.key = KEY
        self.metrics = ""
        self.delay_s = 0.0
        self.chunked = False
        self.answer: dict[str, Any] | None = None
        for name, value in changes.items():
            setattr(self, name, value)
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._readers: dict[asyncio.StreamWriter, asyncio.StreamReader] = {}
        self._seen: Counter[str] = Counter()
        self.port = 0

    # For tests.

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def num_asked(self) -> int:
        return sum(self.asked.values())

    def die(self) -> None:
        """Nobody listens any more; what was under way is cut."""
        self._call(self._stop_listening())

    def come_back(self) -> None:
        """Listens again, at the same port."""
        self._call(self._listen(self.port))

    def cut_all(self) -> None:
        """Cuts all connections."""
        self._loop.call_soon_threadsafe(self._abort_all)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._call(self._listen(0))
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        await stop_listening(self._server)
        self._abort_all()
        await asyncio.sleep(0)

    def _abort_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _close(self) -> None:
        await self._stop_listening()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)

    # The server.

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Coroutine[Any, Any, None]:
        self._writers.add(writer)  # not in what is cancelled, perhaps before its first step
        return self._serve(reader, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.strip().split("\r\n")
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self._readers[writer] = reader
                await self._answer(writer, first.split(" ")[1], headers, body)
        self._writers.discard(writer)
        writer.close()

    async def _answer(
        self, writer: asyncio.StreamWriter, path: str, headers: dict[str, str], body: bytes
    ) -> None:
        if headers.get("authorization") != f"Bearer {self.key}":
            self._refuse(writer, 401, "invalid_api_key", "This key is not valid for the session.")
        elif path == "/status":
            self._send(writer, 200, make_record(self).to_json())
        elif path == "/metrics":
            self._send(writer, 200, self.metrics.encode())
        elif not self.is_ready:
            self._refuse(writer, 503, "model_loading", "The model is loading.", retry_after_s=0)
        elif path == "/v1/models":
            self._send(writer, 200, {"object": "list", "data": [{"id": self.model}, {"id": "vectors"}]})
        else:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            try:
                await self._generate(writer, path, json.loads(body))
            except BaseException:
                self.aborted += 1
                raise
            finally:
                self.running -= 1

    async def _generate(self, writer: asyncio.StreamWriter, path: str, body: dict[str, Any]) -> None:
        prompt = find_prompt(body)
        self.asked[prompt] += 1
        self.bodies.append(body)
        is_first = self.asked[prompt] == 1
        await asyncio.sleep(0.3 if "[slow]" in prompt else self.delay_s)
        while "[hang]" in prompt:
            await asyncio.sleep(0.01)
            if self._readers[writer].at_eof() or writer.is_closing():
                raise ConnectionResetError
        if "[poison]" in prompt or ("[cut]" in prompt and is_first):
            writer.transport.abort()
        elif "[bad]" in prompt:
            own = prompt if "[own]" in prompt else ""
            self._refuse(writer, 400, "BadRequestError", f"The prompt is too long.{own}")
        elif "[forbidden]" in prompt:
            self._refuse(writer, 403, "permission_denied", "This key may not ask that.")
        elif "[busy]" in prompt and is_first:
            self._refuse(writer, 429, "rate_limit_exceeded", "Too fast.", retry_after_s=0)
        elif "[away]" in prompt and is_first:
            self._refuse(writer, 503, "engine_restarting", "The engine is restarted.", retry_after_s=0)
        elif "[broken]" in prompt and is_first:
            self._refuse(writer, 500, "engine_failed", "The engine died.", retry_after_s=0)
        else:
            self._send(writer, 200, self.answer or make_answer(path, body, prompt))

    def _refuse(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        code: str,
        message: str,
        retry_after_s: int | None = None,
    ) -> None:
        error = {"message": message, "type": "error", "param": None, "code": code}
        extra = "" if retry_after_s is None else f"Retry-After: {retry_after_s}\r\n"
        self._send(writer, status, {"error": error}, extra)

    def _send(self, writer: asyncio.StreamWriter, status: int, value: Any, extra: str = "") -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nX-Request-Id: r1\r\n{extra}"
        if self.chunked:
            half = len(data) // 2
            parts = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (data[:half], data[half:]) if p)
            writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + parts + b"0\r\n\r\n")
        else:
            writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)


def find_prompt(body: dict[str, Any]) -> str:
    return str(
        body["messages"][-1]["content"] if "messages" in body else body.get("prompt", body.get("input"))
    )


def make_answer(path: str, body: dict[str, Any], prompt: str) -> dict[str, Any]:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    common = {"id": "x", "model": body["model"], "usage": usage}
    if path == "/v1/embeddings":
        vector = [float(len(prompt)), 0.5]
        packed = base64.b64encode(struct.pack("<2f", *vector)).decode()
        given = packed if body.get("encoding_format") == "base64" else vector
        return {**common, "usage": {"prompt_tokens": 5}, "data": [{"index": 0, "embedding": given}]}
    text = f"You said: {prompt}"
    if "response_format" in body and "[prose]" not in prompt:
        text = json.dumps({"age": len(prompt), "warm": True, "name": prompt})
    finish = "length" if "[length]" in prompt else "stop"
    said = {"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}
    return {**common, "choices": [{"index": 0, "finish_reason": finish, **said}]}


def make_record(server: BatchServer, **changes: Any) -> SessionRecord:
    phase = EnginePhase.READY if server.is_ready else EnginePhase.LOADING
    engines = (
        EngineRecord(served_model_name=server.model, model="/m", phase=phase),
        EngineRecord(served_model_name="vectors", model="/v", phase=phase, runner="pooling"),
    )
    record = SessionRecord(
        session_id="batch-1",
        owner="ada",
        host="h",
        pid=1,
        pid_started=1,
        status=SessionStatus.READY if server.is_ready else SessionStatus.STARTING,
        engines=engines,
        base_url=server.url,
        port=server.port,
        started_at=0.0,
        heartbeat_at=0.0,
    )
    return record.model_copy(update=changes)
