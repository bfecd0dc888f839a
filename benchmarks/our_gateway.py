"""Our gateway as its supervisor would run it: a session folder with keys, and the control channel."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from probe import wait_for_status
from processes import run_child

from curc_llm.session.keys import make_owner_key
from curc_llm.session.login import make_login_secret
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord, SessionStatus

SOURCE = Path(__file__).parent.parent / "src"


@dataclass(frozen=True)
class OurSession:
    """A session folder below the benchmark's own temporary folder.

    Args:
        folder: the temporary folder; also takes logs and sockets.
        model: the served model name that requests carry.
    """

    folder: Path
    model: str

    @property
    def paths(self) -> SessionPaths:
        """The session's files."""
        return SessionPaths(self.folder / "session")

    @property
    def private_socket(self) -> Path:
        """Where the chat asks the gateway."""
        return self.folder / "private.sock"

    @property
    def key_file(self) -> Path:
        """The owner's key, which every compared gateway checks."""
        return self.paths.api_key


def make_session(folder: Path, model: str) -> OurSession:
    """Makes the session folder with a new owner's key."""
    session = OurSession(folder, model)
    session.paths.make()
    make_owner_key(session.paths.keys, session.paths.api_key)
    make_login_secret(session.paths.login_secret)
    return session


@contextlib.contextmanager
def run_our_gateway(
    session: OurSession,
    engine_socket: Path | Sequence[Path],
    source: Path = SOURCE,
    chat_socket: Path | None = None,
    max_num_seqs: int = 0,
) -> Iterator[tuple[int, int]]:
    """Starts the gateway through its channel and yields its port and pid once it can serve.

    Its private socket is the session's `private_socket`; a session has one gateway with a chat.

    Args:
        session: whose keys it checks.
        engine_socket: where the engine answers; several for replicas.
        source: the folder that holds the package; another checkout's, to compare two versions of the gateway.
        chat_socket: where the chat process will answer, if there is one.
        max_num_seqs: slots of each engine; 0 when not known.

    Raises:
        RuntimeError: it said `failed`, or closed the channel; the text has the end of its log.
    """
    ours, theirs = socket.socketpair()
    folder = Path(tempfile.mkdtemp(prefix="gw-", dir=session.folder))
    log = folder / "gateway.log"
    command = [sys.executable, "-m", "curc_llm.gateway", "--channel-fd", str(theirs.fileno())]
    environment = {"PATH": os.environ["PATH"], "HOME": str(session.folder), "PYTHONPATH": str(source)}
    with ours, run_child(command, log, env=environment, pass_fds=(theirs.fileno(),)) as child:
        theirs.close()
        stream = ours.makefile("rb")
        private = session.private_socket if chat_socket else folder / "gateway.sock"
        _send(ours, {"type": "config", **_make_config(session, private)})
        port = _read_port(stream, log)
        chat = str(chat_socket) if chat_socket else None
        sockets = [engine_socket] if isinstance(engine_socket, Path) else list(engine_socket)
        _send(
            ours, {"type": "state", **_make_state(session, sockets, port, max_num_seqs), "chat_socket": chat}
        )
        # The gateway reports activity; somebody must read it, or its socket fills.
        threading.Thread(target=_drain, args=(stream,), daemon=True).start()
        wait_for_status(f"tcp:{port}", 200, limit_s=10, pause_s=0.02)  # the state has arrived
        yield port, child.pid


def _make_config(session: OurSession, private_socket: Path) -> dict[str, Any]:
    return {
        "session_id": "bench",
        "session_dir": str(session.paths.root),
        "private_socket": str(private_socket),
        "bind_host": "127.0.0.1",
        "port_min": 0,
        "port_max": 0,
        "owner": getpass.getuser(),
        "max_body_mib": 32,
        "heartbeat_s": 15,
        "log_prompts": False,
    }


def _make_state(session: OurSession, sockets: list[Path], port: int, max_num_seqs: int) -> dict[str, Any]:
    now = time.time()
    engine = EngineRecord(
        served_model_name=session.model,
        model=session.model,
        phase=EnginePhase.READY,
        started_at=now,
        ready_at=now,
    )
    record = SessionRecord(
        session_id="bench",
        owner=getpass.getuser(),
        host=socket.gethostname(),
        pid=os.getpid(),
        pid_started=0,
        status=SessionStatus.READY,
        engines=(engine,) * len(sockets),
        port=port,
        base_url=f"http://127.0.0.1:{port}/v1",
        started_at=now,
        ready_at=now,
        heartbeat_at=now,
    )
    serves = [
        {
            "served_model_name": session.model,
            "socket": str(socket_path),
            "phase": "ready",
            "id": f"engine-{number}",
            "max_num_seqs": max_num_seqs,
        }
        for number, socket_path in enumerate(sockets)
    ]
    return {
        "record": record.to_json(),
        "engines": serves,
        "accepting": True,
        "drain_message": "",
    }


def _send(channel: socket.socket, message: dict[str, Any]) -> None:
    channel.sendall(json.dumps(message).encode() + b"\n")


def _read_port(stream: BinaryIO, log: Path) -> int:
    for line in stream:
        message = json.loads(line)
        if message["type"] == "bound":
            return int(message["port"])
        if message["type"] == "failed":
            raise RuntimeError(f"The gateway failed: {message['message']}")
    raise RuntimeError(f"The gateway closed its channel:\n{log.read_text(errors='replace')[-3000:]}")


def _drain(stream: BinaryIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        while stream.readline():
            pass
