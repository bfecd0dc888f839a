"""What the supervisor and the gateway say to each other: one JSON object per line over a socket pair.

Both ends use this module: the supervisor sends `GatewayConfig` once and `GatewayState` whenever something
changed; the gateway answers `Bound` or `Failed` once, then `Activity`, `KeepGoing`, `Restart` and
orders (`Order`), each of which the supervisor answers with an `Outcome`. When the channel closes, the
gateway ends.

Example (the supervisor's side):
    >>> ours, theirs = socket.socketpair()
    >>> process = await asyncio.create_subprocess_exec(
    ...     sys.executable, "-m", "curc_llm.gateway", "--channel-fd", str(theirs.fileno()),
    ...     pass_fds=[theirs.fileno()])
    >>> theirs.close()
    >>> channel = await open_channel(ours)
    >>> channel.send(config)
    >>> await channel.receive()
    Bound(port=41873)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from dataclasses import asdict, dataclass, field, fields
from typing import Any

# A record with many engines and warnings takes some KiB; this only bounds what a broken peer could make us
# hold.
MAX_LINE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What the gateway puts up with from a client.

    Args:
        header_bytes: largest request head.
        header_s: seconds until a request's head must be complete, counted from the connection's start or its
            first byte.
        body_s: seconds of silence after which a request's body is given up.
        keep_alive_s: seconds an idle connection is kept for its next request.
        linger_s: seconds during which the rest of a refused request is read and thrown away, so that the
            client can read why it was refused.
        write_s: seconds a client may leave its answer unread.
        connections: how many connections may be open; beyond it the longest idle one is closed.
        attempts_per_minute: failed logins and wrong keys that one address may make in a minute.
        connect_s: seconds until an engine must accept a connection.
        metrics_s: seconds an engine has to give its metrics.
        waiting: requests of each class, interactive and batch, that may wait for a slot of an engine.
        waiting_mib: memory for the bodies of those that wait, in MiB.
    """

    header_bytes: int = 64 * 1024
    header_s: float = 15.0
    body_s: float = 30.0
    keep_alive_s: float = 75.0
    linger_s: float = 10.0
    write_s: float = 120.0
    connections: int = 4096
    attempts_per_minute: int = 20
    connect_s: float = 5.0
    metrics_s: float = 2.0
    waiting: int = 1500
    waiting_mib: int = 256


@dataclass(frozen=True)
class GatewayConfig:
    """The first message down, sent once.

    Args:
        session_id: the session's name, part of the cookie's name.
        session_dir: the session's folder, with its keys and logs.
        private_socket: path of the unix socket that the owner's own processes use without a key.
        bind_host: address of the public port.
        port_min, port_max: the public port's range; 0 and 0 for any free port.
        owner: Unix user name.
        max_body_mib: largest request body in MiB.
        heartbeat_s: seconds of silence after which a stream gets a comment line.
        log_prompts: also log prompts and answers.
        limits: time-outs and caps; only tests change them.
    """

    session_id: str
    session_dir: str
    private_socket: str
    owner: str
    bind_host: str = "127.0.0.1"
    port_min: int = 0
    port_max: int = 0
    max_body_mib: int = 32
    heartbeat_s: float = 15.0
    log_prompts: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class EngineTarget:
    """One engine: where it is reached, and its phase as in the record.

    Args:
        served_model_name: what it serves; engines that serve the same are replicas of each other.
        socket: path of its unix socket; empty for one in another job.
        phase: as in the record.
        id: tells replicas apart, and stays over restarts; empty: the socket's or the other gateway's address.
        url: of an engine in another job its gateway's address, without `/v1`; empty for one of this job.
        key_file: file with the key of that gateway, 0600; empty for none.
        adapters: LoRA adapters that it has loaded; each is a model name of its own.
        max_num_seqs: requests that it works on at once; 0 when not known.
    """

    served_model_name: str
    socket: str
    phase: str
    id: str = ""
    url: str = ""
    key_file: str = ""
    adapters: tuple[str, ...] = ()
    max_num_seqs: int = 0


@dataclass(frozen=True)
class GatewayState:
    """What the gateway is to know now.

    Args:
        record: the SessionRecord as JSON values.
        engines: all engines, ready or not.
        chat_socket: the chat's unix socket, None while the chat doesn't answer.
        accepting: False while the session ends: then no new generation is begun.
        drain_message: why, in a person's words.
    """

    record: dict[str, Any]
    engines: tuple[EngineTarget, ...] = ()
    chat_socket: str | None = None
    accepting: bool = True
    drain_message: str = ""


@dataclass(frozen=True)
class Bound:
    """The public port is open and answers."""

    port: int


@dataclass(frozen=True)
class Failed:
    """The gateway can't start; it exits with 1."""

    code: str
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Activity:
    """How much the models are used.

    Args:
        running: generations that are being answered.
        finished: generations finished since the gateway's start.
        last_activity_ago_s: seconds since a generation last began or ended; 0 while one runs.
    """

    running: int
    finished: int
    last_activity_ago_s: float


@dataclass(frozen=True)
class KeepGoing:
    """A person asked that the idle clock starts again."""


@dataclass(frozen=True)
class Restart:
    """The owner asked that engines which were given up are started again; others are left alone.

    Args:
        models: their served model names.
    """

    models: tuple[str, ...]


@dataclass(frozen=True)
class Order:
    """The owner wants something of the engines that can be refused: the supervisor answers with an `Outcome`.

    Args:
        id: tells orders apart.
        verb: `swap`, `list_fits`, `add_adapter` or `remove_adapter`.
        fields: what it is about, by name; only texts.
    """

    id: str
    verb: str
    fields: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of an order.

    Args:
        id: the order's.
        status: as in HTTP.
        values: what is told when it was done, or begun.
        code, message: of a refusal, as in `RequestError`.
    """

    id: str
    status: int
    values: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    message: str = ""


Message = GatewayConfig | GatewayState | Bound | Failed | Activity | KeepGoing | Restart | Order | Outcome

_TYPES: dict[str, type[Any]] = {
    "config": GatewayConfig,
    "state": GatewayState,
    "bound": Bound,
    "failed": Failed,
    "activity": Activity,
    "keep_going": KeepGoing,
    "restart": Restart,
    "order": Order,
    "outcome": Outcome,
}
_NAMES = {cls: name for name, cls in _TYPES.items()}


def render_message(message: Message) -> bytes:
    r"""One message as a line of JSON.

    Example:
        >>> render_message(Bound(8000))
        b'{"type":"bound","port":8000}\n'
    """
    values = {"type": _NAMES[type(message)], **asdict(message)}
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def parse_message(line: bytes) -> Message | None:
    """The message in a line; None when its type isn't known (a newer peer may say more than we understand).

    Raises:
        ValueError: the line isn't a message at all, or lacks a field.
    """
    values = json.loads(line)
    if not isinstance(values, dict) or "type" not in values:
        raise ValueError(f"Not a message of the control channel: {line[:80]!r}")
    cls = _TYPES.get(values.pop("type"))
    try:
        return None if cls is None else _make(cls, values)
    except TypeError as error:
        raise ValueError(f"Not a whole message of the control channel: {error}") from error


def _make(cls: type[Any], values: dict[str, Any]) -> Any:
    known = {f.name: values[f.name] for f in fields(cls) if f.name in values}
    if "limits" in known:
        known["limits"] = _make(Limits, known["limits"])
    if "engines" in known:
        known["engines"] = tuple(_make(EngineTarget, engine) for engine in known["engines"])
    if "adapters" in known:
        known["adapters"] = tuple(known["adapters"])
    if "models" in known:
        known["models"] = tuple(known["models"])
    return cls(**known)


class Channel:
    """One end of the control channel."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: Message) -> None:
        """Sends a message; does nothing when the other end is gone."""
        if not self._writer.is_closing():
            self._writer.write(render_message(message))

    async def receive(self) -> Message | None:
        """The next message, or None once the other end has closed. Unknown messages are skipped."""
        while True:
            try:
                line = await self._reader.readline()
            except (OSError, ValueError):
                return None
            if not line.endswith(b"\n"):
                return None
            if (message := parse_message(line)) is not None:
                return message

    async def close(self) -> None:
        """Sends what is still to be sent, then closes."""
        with contextlib.suppress(OSError):
            await self._writer.drain()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def open_channel(end: socket.socket) -> Channel:
    """Makes one end of a socket pair into a channel; the socket belongs to the channel from then on."""
    end.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=end, limit=MAX_LINE_BYTES)
    return Channel(reader, writer)
