"""What a tunnel leads to: a session whose folder can be read here, or an address that its card told."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol
from urllib.parse import urlsplit

from curc_llm.client.source import check_not_over
from curc_llm.client.tunnel import LOOPBACK, TunnelEnd, check_host
from curc_llm.errors import SessionEndedError, SessionNotReadyError
from curc_llm.launch.heirs import find_heir
from curc_llm.launch.queued import load_session
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.session.store import FoundSession
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll

ASK_TIMEOUT_S = 10.0


class TunnelTarget(Protocol):
    """Where a tunnel leads, and whether that is still there."""

    @property
    def is_known(self) -> bool:
        """Whether `why_over` would say so; else a gateway that doesn't answer is all that can be seen."""

    def find_end(self) -> TunnelEnd:
        """The gateway's address now; a session that Slurm started again has another one."""

    def why_over(self) -> str | None:
        """Why the session is over, in a sentence; None while it lives, or when nobody says."""


@dataclass(frozen=True)
class FixedTarget:
    """An address, and nothing else to know the session by."""

    end: TunnelEnd
    is_known: bool = False

    def find_end(self) -> TunnelEnd:
        """The address."""
        return self.end

    def why_over(self) -> None:
        """Nobody says."""


@dataclass(frozen=True)
class SessionTarget:
    """A session by its folder.

    Args:
        paths: its folder.
        on_node: log in on the node itself in any case.
        poll: where Slurm's answers come from; it is asked only when the record is old.
    """

    paths: SessionPaths
    on_node: bool = False
    is_known: bool = True
    poll: SlurmPoll = field(default_factory=lambda: SlurmPoll(Slurm()), compare=False)

    def find_end(self) -> TunnelEnd:
        """The address in the record.

        Raises:
            SessionEndedError: the session is over.
            SessionNotReadyError: it has no port (yet).
        """
        found = self._load()
        name = self.paths.root.name
        if found is None:
            raise SessionEndedError(f"Session {name} has no record any more.", "Look at: curc-llm ls")
        check_not_over(found.record)
        return make_end(found.record, on_node=self.on_node)

    def why_over(self) -> str | None:
        """What the record says."""
        found = self._load()
        if found is None or not found.status.is_over:
            return None
        reason = found.record.reason
        return f"Session {found.session_id} has ended: {reason.message if reason else 'it does not say why.'}"

    def _load(self) -> FoundSession | None:
        """The session as its record and, where that is old, Slurm say."""
        return load_session(find_heir(self.paths.root, self.poll).root, self.poll)


def make_end(record: SessionRecord, *, on_node: bool = False) -> TunnelEnd:
    """The gateway's address, by a session's record.

    Raises:
        SessionNotReadyError: it has no port yet.
    """
    if record.base_url is None or record.port is None:
        raise SessionNotReadyError(
            f"Session {record.session_id} has no port yet: it is {record.status}.",
            f"Wait for it: curc-llm status {record.session_id} --watch",
        )
    host = urlsplit(record.base_url).hostname or record.host
    if host in {LOOPBACK, "localhost"}:
        return TunnelEnd(check_host(record.host), record.port, on_node=True)
    return TunnelEnd(check_host(host), record.port, on_node=on_node)


def is_direct(end: TunnelEnd, timeout_s: float = 2.0) -> bool:
    """Whether this computer reaches the gateway by itself."""
    try:
        with socket.create_connection((end.host, end.port), timeout_s):
            return not end.on_node
    except OSError:
        return False


class Pulse(Enum):
    """What a question through the tunnel brought."""

    ANSWERS = "a session answers"
    STRANGER = "something else answers"
    NOT_LISTENING = "the tunnel's port isn't open (yet)"
    HUNG_UP = "the tunnel stands, and nothing is at its other end"
    SILENT = "no answer in time"


def take_pulse(local_port: int, timeout_s: float = ASK_TIMEOUT_S) -> Pulse:
    """Asks the gateway through the tunnel how it is; it tells that without a key."""
    connection = http.client.HTTPConnection(LOOPBACK, local_port, timeout=timeout_s)
    try:
        connection.request("GET", "/health")
        body = json.loads(connection.getresponse().read(4096))
    except ConnectionRefusedError:
        return Pulse.NOT_LISTENING
    except TimeoutError:
        return Pulse.SILENT
    except ConnectionError:  # http.client.RemoteDisconnected is one
        return Pulse.HUNG_UP
    except (OSError, ValueError, http.client.HTTPException):
        return Pulse.STRANGER
    finally:
        connection.close()
    return Pulse.ANSWERS if isinstance(body, dict) and {"status", "error"} & set(body) else Pulse.STRANGER
