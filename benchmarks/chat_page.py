"""One open page of a Gradio app, as its browser talks: config, events, the stream of answers, the timer.

What the page's parts are called and how they hang together is read from the app's own config: the event that
a message box submits, the events that follow it, and what each of them is given.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

MESSAGE_ID = "curc-message"
LIMIT_S = 180.0
Json = dict[str, Any]


@dataclass
class Answer:
    """What a reader saw, in seconds after the message was sent.

    Args:
        number: which of the page's answers it is, from 0.
        accepted_s: when the first of the page's events had ended, or told the first of what it does.
        first_s: when the first piece was there; None when it never was.
        whole_s: when the last one was.
        ended_s: when the page took the next message.
        events, wire_bytes: updates that came, and their size.
        trouble: what went wrong.
        ended_at: the same moment as `ended_s`, in Unix time.
    """

    number: int
    accepted_s: float | None = None
    first_s: float | None = None
    whole_s: float | None = None
    ended_s: float | None = None
    events: int = 0
    wire_bytes: int = 0
    trouble: str = ""
    ended_at: float = 0.0


@dataclass(frozen=True)
class Marks:
    """The answer's first and last piece."""

    first: bytes
    last: bytes


@dataclass
class Page:
    """A page.

    Args:
        http: with the login cookie.
        url: the app's address, with a slash at its end.
        config: what `/config` said.
    """

    http: aiohttp.ClientSession
    url: str
    config: Json
    values: dict[int, Any] = field(default_factory=dict)
    session_hash: str = field(default_factory=lambda: secrets.token_hex(6))

    def __post_init__(self) -> None:
        parts = self.config["components"]
        self.values = {part["id"]: part["props"].get("value") for part in parts}
        self._timers = {part["id"]: part["props"] for part in parts if part["type"] == "timer"}
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Does what a browser does when the page is opened, and keeps its timers going."""
        for event in self.find_events("load"):
            await self.run(event)
        self._tasks = [asyncio.create_task(self._tick(timer)) for timer in self._timers]
        if self.config.get("connect_heartbeat"):
            self._tasks.append(asyncio.create_task(self._hold_heartbeat()))

    async def close(self) -> None:
        """Leaves the page."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def find_events(self, trigger: str, part: int | None = None) -> list[Json]:
        """The server's events that something triggers, on one part or on any."""
        return [
            event
            for event in self.config["dependencies"]
            if event["backend_fn"] and any(_is(target, trigger, part) for target in event["targets"])
        ]

    def find_message_box(self) -> int:
        """The part in which people write: ours by its name, else the one text box that can be submitted."""
        named = [p["id"] for p in self.config["components"] if p["props"].get("elem_id") == MESSAGE_ID]
        boxes = [p["id"] for p in self.config["components"] if self.find_events("submit", p["id"])]
        return int((named or boxes)[0])

    async def ask(self, text: str, marks: Marks, number: int = 0) -> Answer:
        """Sends a message, the page's first, second and so on, and reads the answer to its end."""
        box = self.find_message_box()
        self.values[box] = text
        answer, began = Answer(number), time.monotonic()
        try:
            async with asyncio.timeout(LIMIT_S):
                for event in self.find_events("submit", box):
                    await self._run_chain(event, box, _Reader(answer, marks, began))
        except (aiohttp.ClientError, TimeoutError, RuntimeError) as error:
            answer.trouble = f"{type(error).__name__}: {error}"
        answer.ended_s, answer.ended_at = time.monotonic() - began, time.time()
        return answer

    async def _run_chain(self, event: Json, box: int, reader: _Reader) -> None:
        await self.run(event, box, reader)
        if reader.answer.accepted_s is None:
            reader.answer.accepted_s = time.monotonic() - reader.began
        for after in self.config["dependencies"]:
            is_next = after.get("trigger_after") == event["id"] and not after.get("trigger_only_on_failure")
            if is_next and after["backend_fn"]:
                await self._run_chain(after, box, reader)

    async def run(self, event: Json, trigger: int | None = None, reader: _Reader | None = None) -> None:
        """Runs one event, and takes what it gave."""
        body = {
            "data": [self.values.get(part) for part in event["inputs"]],
            "event_data": None,
            "fn_index": event["id"],
            "trigger_id": trigger,
            "session_hash": self.session_hash,
        }
        output = await (self._queue(body, reader) if event["queue"] is not False else self._predict(body))
        for part, value in zip(event["outputs"], output.get("data", []), strict=False):
            self._take(part, value)

    async def _predict(self, body: Json) -> Json:
        async with self.http.post(self.url + "gradio_api/run/predict", json=body) as reply:
            reply.raise_for_status()
            return dict(await reply.json(content_type=None))

    async def _queue(self, body: Json, reader: _Reader | None) -> Json:
        async with self.http.post(self.url + "gradio_api/queue/join", json=body) as reply:
            reply.raise_for_status()
            event_id = (await reply.json(content_type=None))["event_id"]
        where = f"{self.url}gradio_api/queue/data?session_hash={self.session_hash}"
        output: Json = {}
        async with self.http.get(where, headers={"Accept": "text/event-stream"}) as stream:
            stream.raise_for_status()
            async for line in stream.content:
                if reader is not None:
                    reader.read(line)
                if b'"msg":"process_completed"' in line and event_id.encode() in line:
                    output = _parse_end(line)
        return output

    def _take(self, part: int, value: Any) -> None:
        if isinstance(value, dict) and value.get("__type__") == "update":
            if part in self._timers:
                self._timers[part].update({k: v for k, v in value.items() if k in {"value", "active"}})
            if "value" not in value:
                return
            value = value["value"]
        elif part in self._timers and isinstance(value, int | float):
            self._timers[part]["value"] = value
        self.values[part] = value

    async def _tick(self, timer: int) -> None:
        while True:
            await asyncio.sleep(self._timers[timer]["value"])
            if self._timers[timer].get("active", True):
                for event in self.find_events("tick", timer):
                    await self.run(event, timer)

    async def _hold_heartbeat(self) -> None:
        async with self.http.get(f"{self.url}gradio_api/heartbeat/{self.session_hash}") as stream:
            async for _ in stream.content:
                pass


@dataclass
class _Reader:
    """Notes when an answer's first and last piece came by."""

    answer: Answer
    marks: Marks
    began: float
    seen: dict[bytes, int] = field(default_factory=dict)

    def read(self, line: bytes) -> None:
        self.answer.wire_bytes += len(line)
        if b'"msg":"process_generating"' not in line:
            return
        self.answer.events += 1
        now = time.monotonic() - self.began
        if self.answer.accepted_s is None:
            self.answer.accepted_s = now
        # The first update shows all that came before.
        if self.answer.first_s is None and self._count(self.marks.first, line) > self.answer.number:
            self.answer.first_s = now
        if self.answer.whole_s is None and self._count(self.marks.last, line) > self.answer.number:
            self.answer.whole_s = now

    def _count(self, mark: bytes, line: bytes) -> int:
        """How often a piece was on the page by now."""
        self.seen[mark] = self.seen.get(mark, 0) + line.count(mark)
        return self.seen[mark]


def _is(target: list[Any], trigger: str, part: int | None) -> bool:
    return bool(target[1] == trigger and part in {None, target[0]})


def _parse_end(line: bytes) -> Json:
    message = json.loads(line.removeprefix(b"data: "))
    if not message["success"]:
        raise RuntimeError(f"The page's event failed: {message['output']}")
    return dict(message["output"])


async def load_config(http: aiohttp.ClientSession, url: str) -> Json:
    """What the app says of itself; the same for all its pages."""
    async with http.get(url + "config") as reply:
        reply.raise_for_status()
        return dict(await reply.json(content_type=None))
