"""A session without engine or gateway: its folder, record and keys, and a small server that speaks its API.

In a test: `with FakeSession(state_dir) as fake: ...`. As a process (for `stop`, or to kill it):
`python fake_session.py STATE_DIR [SESSION_ID]` prints `ready`, ends at SIGTERM, and says why in its record.

What the model answers is in the question: it repeats it as `You said: …`, and these words make it act:
`[think]` reasoning first; `[slow]` a word each 50 ms, 400 times; `[cut]` hangs up in the middle; `[error]` an
error event in the stream; `[silent]` no answer for a second; `[length]` stops at the limit; `[escape]`
terminal control characters; `[code]` Markdown. What is put into `replies` is answered instead, in order.
"""

from __future__ import annotations

import base64
import getpass
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from curc_llm.session.keys import make_owner_key, read_keys
from curc_llm.session.login import make_login_secret
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord, SessionStatus, Trouble
from curc_llm.session.store import process_started, write_record

MARKDOWN = "# Title\n\n- one\n- two\n\n```python\nprint(1)\n```\n"


class FakeSession:
    """A session of this process; `requests` holds what was asked, `refusals` what to answer instead.

    `scripted` are whole answers by method and path, such as `{"POST /swap": (202, {…})}`.
    `replies` are messages to answer with, such as `{"content": "4"}` or `{"tool_calls": [...]}`, and
    `finish_reason` beside them; `exposition` is what /metrics says, None for a gateway without it.
    """

    def __init__(
        self,
        state_dir: Path,
        session_id: str = "local-fake01",
        models: tuple[str, ...] = ("curc-guide",),
        **changes: Any,
    ) -> None:
        self.paths = SessionPaths(state_dir / "sessions" / session_id)
        self.requests: list[dict[str, Any]] = []
        self.refusals: list[tuple[int, str, str]] = []
        self.replies: list[dict[str, Any]] = []
        self.scripted: dict[str, tuple[int, dict[str, Any]]] = {}
        self.exposition: str | None = ""
        self.figures: dict[str, Any] = {"running": 0}
        self.aborted = threading.Event()
        self.broken_health = 0
        self.redirect = ""
        self._server = _Server(self)
        self._held: socket.socket | None = None
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.record = _make_record(session_id, models, self._server.server_port).model_copy(update=changes)
        self.paths.make()
        make_owner_key(self.paths.keys, self.paths.api_key)
        make_login_secret(self.paths.login_secret)
        write_record(self.paths.record, self.record)

    @property
    def key(self) -> str:
        return self.paths.api_key.read_text().strip()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def change(self, **changes: Any) -> None:
        """Rewrites the record."""
        self.record = self.record.model_copy(update=changes)
        write_record(self.paths.record, self.record)

    def change_engine(self, **changes: Any) -> None:
        """Rewrites the first engine's part of the record."""
        first, *others = self.record.engines
        self.change(engines=(first.model_copy(update=changes), *others))

    def load(self) -> None:
        """Back to loading: requests are refused until `get_ready`."""
        loading = {"phase": EnginePhase.LOADING, "progress": 0.4, "ready_at": None, "expected_ready_s": 45.0}
        self.change_engine(**loading, started_at=time.time() - 12)
        self.change(status=SessionStatus.STARTING, ready_at=None)

    def get_ready(self) -> None:
        """Ready again."""
        self.change_engine(phase=EnginePhase.READY, progress=None, ready_at=time.time())
        self.change(status=SessionStatus.READY, ready_at=time.time())

    def end(self, code: str = "stopped", message: str = "You stopped it.", remedy: str = "") -> None:
        """The session says why it ends, and nothing answers any more."""
        status = SessionStatus.ENDED if code in {"stopped", "idle", "wall_time"} else SessionStatus.FAILED
        reason = Trouble(code=code, message=message, remedy=remedy)
        self.change(status=status, ended_at=time.time(), reason=reason)
        self.close()

    def hang_up(self) -> None:
        """Stops answering without a word in the record."""
        self.close()

    def start(self) -> Self:
        self._thread.start()
        return self

    def close(self) -> None:
        """Nothing answers any more, nor does another process that would get the port meanwhile."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        if self._held is None:
            self._held = socket.socket()
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held.bind(("127.0.0.1", self._server.server_port))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._held is not None:
            self._held.close()


def _make_record(session_id: str, models: tuple[str, ...], port: int) -> SessionRecord:
    now = time.time()
    ready = {"phase": EnginePhase.READY, "ready_at": now, "started_at": now, "max_model_len": 2048}
    return SessionRecord(
        session_id=session_id,
        owner=getpass.getuser(),
        host=socket.gethostname(),
        pid=os.getpid(),
        pid_started=process_started(os.getpid()) or 0,
        status=SessionStatus.READY,
        engines=tuple(EngineRecord(served_model_name=m, model=f"/models/{m}", **ready) for m in models),
        port=port,
        base_url=f"http://127.0.0.1:{port}/v1",
        chat_url=f"http://127.0.0.1:{port}/chat/",
        started_at=now,
        ready_at=now,
        heartbeat_at=now,
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, fake: FakeSession) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5

    @property
    def fake(self) -> FakeSession:
        return self.server.fake

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._note(None)
        if self.fake.redirect:
            self.send_response(307)
            self.send_header("Location", self.fake.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/health":
            self._health()
        elif self._is_allowed() and not self._is_scripted():
            self._get()

    def do_DELETE(self) -> None:
        self._note(None)
        if self._is_allowed() and not self._is_scripted():
            self._refuse(404, "not_found", f"There is no {self.path} here.")

    def _is_scripted(self) -> bool:
        found = self.fake.scripted.get(f"{self.command} {self.path}")
        if found is not None:
            self._send(*found)
        return found is not None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._note(json.loads(body))
        if not self._is_allowed() or self._is_scripted():
            return
        if self.path == "/restart":
            self._restart(json.loads(body).get("model"))
        elif not self._is_refused():
            self._generate(json.loads(body))

    def _restart(self, model: str | None) -> None:
        engines = self.fake.record.engines
        failed = [e.served_model_name for e in engines if e.phase is EnginePhase.FAILED]
        asked = failed if model is None else [name for name in failed if name == model]
        if asked:
            self._send(202, {"status": "restarting", "models": asked})
        else:
            self._refuse(409, "nothing_failed", "No model has failed for good.")

    def _note(self, body: Any) -> None:
        self.fake.requests.append({"path": self.path, "headers": dict(self.headers), "body": body})

    def _health(self) -> None:
        if self.fake.broken_health:
            self.fake.broken_health -= 1
            self.connection.shutdown(socket.SHUT_RDWR)
        elif self.fake.record.status is SessionStatus.READY:
            self._send(200, {"status": "ready"})
        else:
            self._send(503, {"status": str(self.fake.record.engines[0].phase)})

    def _is_allowed(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        found = read_keys(self.fake.paths.keys).find(given)
        if found is None or not found.is_valid(time.time()):
            self._refuse(401, "invalid_api_key", "This key is not valid for the session.")
            return False
        return True

    def _get(self) -> None:
        if self.path == "/status":
            self._send(200, {**self.fake.record.to_json(), "gateway": self.fake.figures})
        elif self.path == "/metrics" and self.fake.exposition is not None:
            self._send_text(self.fake.exposition)
        elif self.path == "/v1/models":
            names = [e.served_model_name for e in self.fake.record.engines]
            models = [{"id": n, "object": "model", "created": 0, "owned_by": "x"} for n in names]
            self._send(200, {"object": "list", "data": models})
        else:
            self._refuse(404, "not_found", f"There is no {self.path} here.")

    def _is_refused(self) -> bool:
        if self.fake.refusals:
            self._refuse(*self.fake.refusals.pop(0))
            return True
        if self.fake.record.status is not SessionStatus.READY:
            self._refuse(503, "model_loading", "The model is loading.")
            return True
        return False

    def _generate(self, body: dict[str, Any]) -> None:
        name = body["model"]
        if self.fake.record.engine(name) is None:
            self._refuse(404, "model_not_found", f"The model {name!r} does not exist.")
        elif self.path == "/v1/embeddings":
            self._embed(body)
        elif body.get("stream"):
            self._stream(body)
        else:
            self._answer(body)

    def _answer(self, body: dict[str, Any]) -> None:
        question = _question(body)
        time.sleep(1 if "[silent]" in question else 0)
        common = {"id": "x", "created": 0, "model": body["model"], "usage": _usage(question)}
        finish = "length" if "[length]" in question else "stop"
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        if self.path.endswith("/chat/completions"):
            choice |= self._make_message(question)
        else:
            choice["text"] = _reply(question)
        self._send(200, {**common, "object": "x", "choices": [choice]})

    def _make_message(self, question: str) -> dict[str, Any]:
        plain = {"role": "assistant", "content": _reply(question), "reasoning": _thought(question)}
        if not self.fake.replies:
            return {"message": plain}
        given = dict(self.fake.replies.pop(0))
        finish = {"finish_reason": given.pop("finish_reason")} if "finish_reason" in given else {}
        return {"message": {"role": "assistant", "content": None, **given}, **finish}

    def _embed(self, body: dict[str, Any]) -> None:
        """Vectors that tell their text's place and length; the last first, as a server may answer."""
        data = [
            {"object": "embedding", "index": place, "embedding": _encode([place, len(text), 0.5], body)}
            for place, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        self._send(200, {"object": "list", "model": body["model"], "data": data[::-1], "usage": usage})

    def _send_text(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def _stream(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for event in _events(body, self.fake.replies.pop(0) if self.fake.replies else None):
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n" if "[cut]" not in _question(body) else b"")
        except OSError:
            self.fake.aborted.set()
        self.close_connection = True

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._send(status, {"error": {"message": message, "type": "error", "param": None, "code": code}})

    def _send(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status in {429, 503}:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)


def _question(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"] if "messages" in body else body["prompt"])


def _reply(question: str) -> str:
    if "[escape]" in question:
        return "safe\x1b]0;owned\x07\x1b[2Jtext"
    return MARKDOWN if "[code]" in question else f"You said: {question}"


def _thought(question: str) -> str | None:
    return "Let me think." if "[think]" in question else None


def _usage(question: str) -> dict[str, int]:
    count = len(question.split())
    return {"prompt_tokens": count, "completion_tokens": count + 2, "total_tokens": 2 * count + 2}


def _encode(vector: list[float], body: dict[str, Any]) -> list[float] | str:
    if body.get("encoding_format") != "base64":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _events(body: dict[str, Any], reply: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    question = _question(body)
    common = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": body["model"]}
    for delta in _deltas(question) if reply is None else _cut(reply):
        yield {**common, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    if "[error]" in question:
        yield {"error": {"message": "The engine died.", "type": "server_error", "code": "engine_failed"}}
    if "[cut]" in question or "[error]" in question:
        return
    finish = "length" if "[length]" in question else "stop"
    yield {**common, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**common, "choices": [], "usage": _usage(question)}


def _cut(reply: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A message as a stream brings it: text in one piece, a call's name first and its arguments in two."""
    if reply.get("content"):
        yield {"content": reply["content"]}
    for index, call in enumerate(reply.get("tool_calls", [])):
        function = call["function"]
        text = function["arguments"]
        yield {
            "tool_calls": [{**call, "index": index, "function": {"name": function["name"], "arguments": ""}}]
        }
        for part in (text[:3], text[3:]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


def _deltas(question: str) -> Iterator[dict[str, Any]]:
    thought = _thought(question)
    if thought:
        yield {"reasoning": thought}
    for number, word in enumerate(_reply(question).split(" ")):
        yield {"content": word if number == 0 else f" {word}"}
    number = 0
    while "[slow]" in question and number < 400:
        time.sleep(0.05)
        number += 1
        yield {"content": f" word{number}"}


def main() -> None:
    """Runs a session as a process of its own."""
    fake = FakeSession(Path(sys.argv[1]), *sys.argv[2:3])
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with fake:
        print("ready", flush=True)
        stopping.wait()
        fake.end()


if __name__ == "__main__":
    main()
