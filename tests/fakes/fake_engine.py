"""A small real server on a unix socket that speaks as vLLM does, for tests of all that talks to an engine.

As a program:   python tests/fakes/fake_engine.py --socket PATH [--model NAME] [--tokens N] [--token-s S] ...
In a test:      async with run_fake_engine(path, model="fake") as engine: ...
                (engine.behaviour can be changed at any time)

It answers /health, /v1/models, /v1/load_lora_adapter and its opposite, /metrics, /tokenize, /detokenize,
embeddings, rerank, score, messages, responses, audio and, streamed or not, (chat) completions. How it
behaves is in `Behaviour`; `POST
/fake/behaviour` with some of its fields as JSON changes it while it runs, `GET /fake/state` tells what it
saw: {"seen": [...], "running": n, "finished": n, "aborted": n, "connections": n}. The answer to a chat is
"word0 word1 word2 ..."; `max_tokens` of the request wins over `Behaviour.tokens`. Each test's engine is its
own; nothing of the product is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass
class Behaviour:
    """How the engine behaves from now on.

    Args:
        tokens: length of answers, unless the request gives max_tokens.
        token_s: seconds between tokens.
        first_token_s: seconds before the response's head.
        silent_s: seconds of silence between the head and the first token.
        die_after: tokens after which the connection is cut, as by an engine that dies; 0 cuts before the
            head.
        exit_after: the same, but the whole process ends (only as a program).
        core_dies_after: tokens after which the engine says, as vLLM does, that its core died; 0 before all.
        status: answer generations with this error status, such as 400.
        health: status of /health.
        split_events: send each event in several pieces.
        joined_events: send this many events in one write.
        pad: further characters in each token's event, to make large answers cheap.
        max_model_len: what /v1/models says.
        refuses_adapters: an adapter can't be loaded.
        close: don't keep connections alive.
        slots: requests that are worked on at once, while the others wait; 0 for all.
    """

    tokens: int = 5
    token_s: float = 0.0
    first_token_s: float = 0.0
    silent_s: float = 0.0
    die_after: int | None = None
    exit_after: int | None = None
    core_dies_after: int | None = None
    status: int = 200
    health: int = 200
    split_events: bool = False
    joined_events: int = 1
    pad: int = 0
    max_model_len: int = 4096
    refuses_adapters: bool = False
    close: bool = False
    slots: int = 0


# vLLM's words (vllm/v1/engine/exceptions.py).
CORE_DIED = "EngineCore encountered an issue. See stack trace (above) for the root cause."


class Cut(Exception):  # noqa: N818 - not an error, but a way out
    """The connection is to be cut now."""


@dataclass
class FakeEngine:
    """One engine: what it is called, how it behaves and what it has seen."""

    model: str = "fake"
    behaviour: Behaviour = field(default_factory=Behaviour)
    seen: list[dict[str, Any]] = field(default_factory=list)
    adapters: dict[str, str] = field(default_factory=dict)
    running: int = 0
    finished: int = 0
    aborted: int = 0
    connections: int = 0
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    waiting: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of one connection."""
        self.writers.add(writer)
        self.connections += 1
        try:
            while (request := await read_request(reader)) is not None:
                self.seen.append(request)
                await Answer(self, request, reader, writer).send()
                if self.behaviour.close:
                    break
        except Cut:
            writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    def cut_all(self) -> None:
        """Cuts every connection, as an engine that is killed does."""
        for writer in list(self.writers):
            writer.transport.abort()

    def state(self) -> dict[str, Any]:
        """What it has seen."""
        return {
            name: getattr(self, name) for name in ("seen", "running", "finished", "aborted", "connections")
        }


async def read_request(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """One request as {method, path, headers, names, body}; None when the connection ends.

    `names` are those of all headers as they came: in `headers` the last of a name wins.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    names = [line.partition(":")[0].lower() for line in lines]
    text = body.decode("utf-8", "replace")
    return {"method": method, "path": path, "headers": headers, "names": names, "body": text}


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)


class Answer:
    """The answer to one request."""

    def __init__(
        self,
        engine: FakeEngine,
        request: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.engine = engine
        self.behaviour = engine.behaviour
        self.request = request
        self.reader = reader
        self.writer = writer
        self.route = request["path"].partition("?")[0]
        try:
            self.document = json.loads(request["body"] or "{}")
        except ValueError:
            self.document = {}

    async def send(self) -> None:
        """Sends it."""
        fixed = {
            "/health": lambda: self.write(self.behaviour.health, b""),
            "/v1/models": self.send_models,
            "/v1/load_lora_adapter": self.load_adapter,
            "/v1/unload_lora_adapter": self.unload_adapter,
            "/metrics": self.send_metrics,
            "/fake/state": lambda: self.write_json(200, self.engine.state()),
            "/fake/behaviour": self.change_behaviour,
        }
        if self.route in fixed:
            await fixed[self.route]()
        else:
            await self.generate()

    async def change_behaviour(self) -> None:
        known = {f.name for f in fields(Behaviour)}
        for name, value in self.document.items():
            assert name in known, f"there is no behaviour {name!r}"
            setattr(self.behaviour, name, value)
        await self.write_json(200, asdict(self.behaviour))

    async def load_adapter(self) -> None:
        """In vLLM's words (vllm/entrypoints/openai/models/serving.py)."""
        name, path = self.document["lora_name"], self.document["lora_path"]
        if self.behaviour.refuses_adapters:
            error = {"message": "The fake engine has no room.", "type": "InternalServerError", "code": 500}
            await self.write_json(500, {"error": error})
        else:
            self.engine.adapters[name] = path
            await self.write(200, f"Success: LoRA adapter '{name}' added successfully.".encode())

    async def unload_adapter(self) -> None:
        self.engine.adapters.pop(self.document["lora_name"], None)
        await self.write(200, b"Success")

    async def send_models(self) -> None:
        model = {
            "id": self.engine.model,
            "object": "model",
            "created": 1,
            "owned_by": "vllm",
            "root": "/models/fake",
        }
        model["max_model_len"] = self.behaviour.max_model_len  # type: ignore[assignment]
        await self.write_json(200, {"object": "list", "data": [model]})

    async def send_metrics(self) -> None:
        label = f'{{model_name="{self.engine.model}"}}'
        text = (
            "# HELP vllm:num_requests_running Running.\n# TYPE vllm:num_requests_running gauge\n"
            f"vllm:num_requests_running{label} {self.engine.running - self.engine.waiting}\n"
            "# HELP vllm:num_requests_waiting Waiting.\n# TYPE vllm:num_requests_waiting gauge\n"
            f"vllm:num_requests_waiting{label} {self.engine.waiting}\n"
            "# HELP python_info Python.\n# TYPE python_info gauge\npython_info 1\n"
        )
        await self.write(200, text.encode(), "text/plain")

    async def generate(self) -> None:
        """Answers while watching for the client to leave, as vLLM does."""
        self.engine.running += 1
        working = asyncio.ensure_future(self.work())
        leaving = asyncio.ensure_future(self.wait_for_leaving())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if working.done() and not isinstance(working.exception(), ConnectionError):
                working.result()
                self.engine.finished += 1
            else:
                self.engine.aborted += 1
                raise Cut
        finally:
            self.engine.running -= 1
            for task in (working, leaving):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Cut, ConnectionError):
                    await task

    async def wait_for_leaving(self) -> None:
        while not self.reader.at_eof() and not self.writer.is_closing():
            await asyncio.sleep(0.005)

    async def wait_for_slot(self) -> None:
        if not self.behaviour.slots:
            return
        self.engine.waiting += 1
        try:
            while self.engine.running - self.engine.waiting >= self.behaviour.slots:
                await asyncio.sleep(0.01)
        finally:
            self.engine.waiting -= 1

    async def work(self) -> None:
        await self.wait_for_slot()
        await self.cut_if_due(0)
        if self.behaviour.first_token_s:
            await asyncio.sleep(self.behaviour.first_token_s)
        if self.behaviour.core_dies_after == 0:
            error = {"message": CORE_DIED, "type": "InternalServerError", "param": None, "code": 500}
            await self.write_json(500, {"error": error})
        elif self.behaviour.status != 200:
            error = {"message": "The fake engine was told to refuse.", "type": "BadRequestError", "code": 400}
            await self.write_json(self.behaviour.status, {"error": error})
        elif self.document.get("model") not in {None, self.engine.model, *self.engine.adapters}:
            error = {"message": f"The model `{self.document['model']}` does not exist.", "code": 404}
            await self.write_json(404, {"error": error})
        elif self.document.get("stream"):
            await self.stream()
        else:
            await self.whole()

    async def whole(self) -> None:
        for count in range(1, self.num_tokens + 1):
            await asyncio.sleep(self.behaviour.token_s)
            await self.cut_if_due(count)
        makers = {
            "/v1/embeddings": self.make_embeddings,
            "/tokenize": lambda: {
                "count": 2,
                "max_model_len": self.behaviour.max_model_len,
                "tokens": [1, 2],
            },
            "/detokenize": lambda: {"prompt": "two words"},
            "/v1/messages": self.make_message,
            "/v1/responses": self.make_response,
            "/v1/audio/transcriptions": lambda: {"text": "spoken words"},
            "/v1/audio/translations": lambda: {"text": "spoken words"},
        }
        await self.write_json(200, makers.get(self.route, self.make_completion)())

    @property
    def num_tokens(self) -> int:
        wanted = self.document.get("max_completion_tokens") or self.document.get("max_tokens")
        return int(wanted) if wanted else self.behaviour.tokens

    @property
    def usage(self) -> dict[str, int]:
        return {"prompt_tokens": 7, "total_tokens": 7 + self.num_tokens, "completion_tokens": self.num_tokens}

    @property
    def text(self) -> str:
        return " ".join(f"word{i}" for i in range(self.num_tokens))

    def make_completion(self) -> dict[str, Any]:
        is_chat = self.route == "/v1/chat/completions"
        said = {"message": {"role": "assistant", "content": self.text}} if is_chat else {"text": self.text}
        kind = "chat.completion" if is_chat else "text_completion"
        choice = {"index": 0, **said, "finish_reason": "stop"}
        return {**self.base(kind), "choices": [choice], "usage": self.usage}

    def make_embeddings(self) -> dict[str, Any]:
        data = [{"index": 0, "object": "embedding", "embedding": [0.25, -0.5, 1.0]}]
        return {**self.base("list"), "data": data, "usage": {"prompt_tokens": 7, "total_tokens": 7}}

    def make_message(self) -> dict[str, Any]:
        content = [{"type": "text", "text": self.text}]
        usage = {"input_tokens": 7, "output_tokens": self.num_tokens}
        return {"id": "msg_1", "type": "message", "role": "assistant", "content": content, "usage": usage}

    def make_response(self) -> dict[str, Any]:
        usage = {"input_tokens": 7, "output_tokens": self.num_tokens}
        return {**self.base("response"), "output": [], "usage": usage}

    def base(self, kind: str) -> dict[str, Any]:
        model = self.document.get("model") or self.engine.model
        return {"id": "cmpl-1", "object": kind, "created": 1, "model": model}

    async def stream(self) -> None:
        self.write_head(200, "text/event-stream; charset=utf-8", [("transfer-encoding", "chunked")])
        if self.behaviour.silent_s:
            await asyncio.sleep(self.behaviour.silent_s)
        waiting: list[bytes] = []
        for count, event in enumerate(self.make_events(), start=1):
            if self.behaviour.token_s:
                await asyncio.sleep(self.behaviour.token_s)
            waiting.append(event)
            if len(waiting) >= self.behaviour.joined_events:
                await self.write_events(waiting)
            await self.cut_if_due(count)
            if self.behaviour.core_dies_after == count:
                error = {"message": CORE_DIED, "type": "InternalServerError", "param": None, "code": 500}
                waiting += [_data({"error": error}), b"data: [DONE]\n\n"]
                break
        await self.write_events(waiting)
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    def make_events(self) -> Iterable[bytes]:
        makers: dict[str, Callable[[], Iterable[bytes]]] = {
            "/v1/messages": self.make_message_events,
            "/v1/responses": self.make_response_events,
        }
        return makers.get(self.route, self.make_chunks)()

    def make_chunks(self) -> Iterator[bytes]:
        is_chat = self.route == "/v1/chat/completions"
        base = self.base("chat.completion.chunk")
        for i in range(self.num_tokens):
            text = (f"word{i}" if i == 0 else f" word{i}") + "." * self.behaviour.pad
            said = {"delta": {"content": text}} if is_chat else {"text": text}
            last = "stop" if i == self.num_tokens - 1 else None
            yield _data({**base, "choices": [{"index": 0, **said, "finish_reason": last}]})
        if (self.document.get("stream_options") or {}).get("include_usage"):
            yield _data({**base, "choices": [], "usage": self.usage})
        yield b"data: [DONE]\n\n"

    def make_message_events(self) -> list[bytes]:
        begin = {
            "type": "message_start",
            "message": {"id": "msg_1", "usage": {"input_tokens": 7, "output_tokens": 0}},
        }
        deltas = [
            {"type": "content_block_delta", "delta": {"text": f"word{i} "}} for i in range(self.num_tokens)
        ]
        end = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": self.num_tokens}}
        return [b"event: " + e["type"].encode() + b"\n" + _data(e) for e in [begin, *deltas, end]]  # type: ignore[attr-defined]

    def make_response_events(self) -> list[bytes]:
        deltas = [
            {"type": "response.output_text.delta", "delta": f"word{i} "} for i in range(self.num_tokens)
        ]
        end = {"type": "response.completed", "response": self.make_response()}
        return [b"event: " + e["type"].encode() + b"\n" + _data(e) for e in [*deltas, end]]  # type: ignore[attr-defined]

    async def write_events(self, events: list[bytes]) -> None:
        data = b"".join(events)
        events.clear()
        cuts = (
            [0, len(data) // 3, len(data) - 1, len(data)] if self.behaviour.split_events else [0, len(data)]
        )
        for start, end in itertools.pairwise(cuts):
            if piece := data[start:end]:
                self.writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await self.writer.drain()
                if self.behaviour.split_events:
                    await asyncio.sleep(0.001)

    async def cut_if_due(self, count: int) -> None:
        if self.behaviour.exit_after == count:
            os._exit(9)
        if self.behaviour.die_after == count:
            raise Cut

    async def write_json(self, status: int, value: Any) -> None:
        await self.write(status, json.dumps(value, separators=(",", ":")).encode())

    async def write(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        self.write_head(status, content_type, [("content-length", str(len(body)))])
        self.writer.write(body)
        await self.writer.drain()

    def write_head(self, status: int, content_type: str, headers: list[tuple[str, str]]) -> None:
        lines = [f"HTTP/1.1 {status} Said", "server: uvicorn", f"content-type: {content_type}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if self.behaviour.close:
            lines.append("connection: close")
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())


def _data(value: Any) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


@contextlib.asynccontextmanager
async def run_fake_engine(
    path: Path | str, model: str = "fake", *, adapters: dict[str, str] | None = None, **behaviour: Any
) -> AsyncIterator[FakeEngine]:
    """Runs an engine in this process; leaving the block kills it, with all its connections."""
    engine = FakeEngine(model, Behaviour(**behaviour), adapters=dict(adapters or {}))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - a pathlib call in an async function is flagged too
    server = await asyncio.start_unix_server(engine.serve, str(path))
    try:
        yield engine
    finally:
        server.close()
        engine.cut_all()
        await asyncio.sleep(0)


async def main() -> None:
    """Runs one engine until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--socket", required=True)
    parser.add_argument("--model", default="fake")
    parser.add_argument(
        "--ready-after-s", type=float, default=0.0, help="open the socket only after this time"
    )
    parser.add_argument("--adapters", type=json.loads, default={}, help="paths by name, as JSON")
    for item in fields(Behaviour):
        if isinstance(item.default, bool):
            parser.add_argument("--" + item.name.replace("_", "-"), action="store_true")
        else:
            kind = float if item.name.endswith("_s") else int
            parser.add_argument("--" + item.name.replace("_", "-"), type=kind, default=item.default)
    values = vars(parser.parse_args())
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await asyncio.sleep(values.pop("ready_after_s"))
    async with run_fake_engine(values.pop("socket"), values.pop("model"), **values):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
