"""A small real model hub on loopback: as much of the hub's HTTP API as huggingface_hub needs for a model.

Run it in a test with `with FakeHub() as hub:` and give `HF_ENDPOINT=hub.url` to whoever downloads.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

CHUNK = 16384


@dataclass
class FakeModel:
    """One repository: its files, and who may have them."""

    files: dict[str, bytes]
    gated: bool = False
    private: bool = False
    allowed_tokens: set[str] = field(default_factory=set)
    stated_sizes: dict[str, int] = field(default_factory=dict)
    licence: str = ""
    spoilt: dict[str, int] = field(default_factory=dict)
    """How often a file arrives with one wrong byte; what the hub states of it stays right."""

    @property
    def commit(self) -> str:
        """The commit hash; changes with the files."""
        return hashlib.sha1(b"".join(self.files.values())).hexdigest()

    def size(self, path: str) -> int:
        """The size that the hub states, which a test may make a lie."""
        return self.stated_sizes.get(path, len(self.files[path]))


@dataclass(frozen=True)
class Seen:
    """A request that the hub got."""

    method: str
    path: str
    range: str | None
    token: str | None


class FakeHub:
    """The hub. Its attributes may be changed while it runs.

    Args of its behaviour (attributes):
        cut_after: bytes of a weights file after which a connection breaks; None for never.
        cuts: how many connections break.
        bytes_per_s: how fast it sends; None for at once.
        holds_at: byte of a weights file at which it falls silent until this is None again; None for never.
        broken: every answer is 503.
        valid_tokens: what it takes as a token.
        accounts: what whoami tells of a token.
        redirect_to: where whoami sends people instead of answering.
    """

    def __init__(self) -> None:
        self.models: dict[str, FakeModel] = {}
        self.seen: list[Seen] = []
        self.cut_after: int | None = None
        self.cuts = 0
        self.bytes_per_s: float | None = None
        self.holds_at: int | None = None
        self.broken = False
        self.valid_tokens: set[str] = set()
        self.accounts: dict[str, dict[str, Any]] = {}
        self.redirect_to = ""
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The value for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def ranges(self) -> list[str]:
        """The byte ranges that were asked for, in order."""
        return [seen.range for seen in self.seen if seen.range]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.holds_at = None
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        self.hub.seen.append(Seen(self.command, path, self.headers.get("Range"), token))
        if self.hub.broken:
            return self._send(503, b"out of order")
        if token and token not in self.hub.valid_tokens:
            return self._send(401, b"", {"X-Error-Message": "Invalid credentials in Authorization header"})
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "whoami-v2"]:
            return self._whoami(token)
        if parts[:2] == ["api", "models"]:
            return self._api("/".join(parts[2:4]), parts[4:], token)
        return self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]), token)

    def _whoami(self, token: str | None) -> None:
        if self.hub.redirect_to:
            self._send(302, b"", {"Location": self.hub.redirect_to})
        elif token is None:
            self._send(401, b"")
        else:
            self._send_json(self.hub.accounts.get(token, {"name": "ralphie", "type": "user"}))

    def _api(self, repo_id: str, rest: list[str], token: str | None) -> None:
        model = self._find(repo_id, token)
        if model is None:
            return None
        if rest == ["auth-check"]:
            return self._send(200, b"{}") if self._may_have(model, token) else self._refuse()
        if rest and rest[0] in {"revision", "tree"} and rest[1] not in {"main", model.commit}:
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        if rest[:1] == ["tree"]:
            return self._send_json([_tree_entry(model, path) for path in model.files])
        return self._send_json(_info(repo_id, model))

    def _file(self, repo_id: str, revision: str, path: str, token: str | None) -> None:
        model = self._find(repo_id, token)
        if model is None:
            return
        if not self._may_have(model, token):
            self._refuse()
        elif path not in model.files or revision not in {"main", model.commit}:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        else:
            self._send_file(model, path)

    def _find(self, repo_id: str, token: str | None) -> FakeModel | None:
        model = self.hub.models.get(repo_id)
        if model is None or (model.private and not self._may_have(model, token)):
            # The real hub says 401 where there is no such repository, so that private ones can't be guessed.
            self._send(404 if token else 401, b"", {"X-Error-Code": "RepoNotFound"})
            return None
        return model

    def _may_have(self, model: FakeModel, token: str | None) -> bool:
        return not (model.gated or model.private) or token in model.allowed_tokens

    def _refuse(self) -> None:
        self._send(
            403, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this model is restricted"}
        )

    def _send_file(self, model: FakeModel, path: str) -> None:
        data = model.files[path]
        etag = _etag(data)
        if self.command == "GET" and model.spoilt.get(path, 0) > 0:
            model.spoilt[path] -= 1
            data = data[:-1] + bytes([data[-1] ^ 1])
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {"X-Repo-Commit": model.commit, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if self.command == "HEAD":
            headers["X-Linked-Size"] = str(model.size(path))
            return self._send(200, b"", headers)
        status = 200
        if self.headers.get("Range"):
            status, headers["Content-Range"] = 206, f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data) - start)}.items():
            self.send_header(name, value)
        self.end_headers()
        return self._send_slowly(data[start:], start, is_weights=path.endswith((".safetensors", ".bin")))

    def _send_slowly(self, data: bytes, start: int, *, is_weights: bool) -> None:
        hub, sent = self.hub, 0
        while sent < len(data):
            while is_weights and hub.holds_at is not None and start + sent >= hub.holds_at:
                time.sleep(0.01)
            if is_weights and hub.cut_after is not None and hub.cuts > 0 and sent >= hub.cut_after:
                hub.cuts -= 1
                self.connection.close()
                self.close_connection = True
                return
            piece = data[sent : sent + CHUNK]
            try:
                self.wfile.write(piece)
            except OSError:
                self.close_connection = True
                return
            sent += len(piece)
            if hub.bytes_per_s:
                time.sleep(len(piece) / hub.bytes_per_s)

    def _send_json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _tree_entry(model: FakeModel, path: str) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": model.size(path), "oid": _etag(model.files[path])}


def _info(repo_id: str, model: FakeModel) -> dict[str, Any]:
    gated = "manual" if model.gated else False
    card = {"cardData": {"license": model.licence}} if model.licence else {}
    siblings = [_sibling(model, path) for path in model.files]
    return {
        "id": repo_id,
        "modelId": repo_id,
        "sha": model.commit,
        "gated": gated,
        "siblings": siblings,
        **card,
    }


def _sibling(model: FakeModel, path: str) -> dict[str, Any]:
    data, size = model.files[path], model.size(path)
    stored = {"size": size, "sha256": _etag(data), "pointerSize": 134}
    # As the real hub does: large files lie in LFS and are known by SHA-256, the others by git's own SHA-1.
    git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    lfs = {"lfs": stored} if path.endswith((".safetensors", ".bin", ".gguf")) else {}
    return {"rfilename": path, "size": size, "blobId": git, **lfs}
