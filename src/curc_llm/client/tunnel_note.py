"""A note of each tunnel that stands, so that `connect()` on the same computer finds its session."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from curc_llm.client.secret import Secret
from curc_llm.client.source import RemoteSource
from curc_llm.client.tunnel import LOOPBACK, TunnelEnd
from curc_llm.client.tunnel_watch import TunnelEvent, TunnelOpen, TunnelOver
from curc_llm.errors import AmbiguousSessionError, KeyFileError
from curc_llm.session.files import write_json, write_private
from curc_llm.session.keys import read_secret_file
from curc_llm.session.store import process_started


@dataclass(frozen=True)
class TunnelNote:
    """Where a tunnel listens, and where it leads.

    Args:
        local_port: on this computer.
        end: the gateway, as `HOST:PORT`.
        pid, pid_started: of `curc-llm tunnel`; the start is None where the system doesn't tell it.
        key_file: a file on this computer that holds the session's key; empty when there is none.
    """

    local_port: int
    end: str
    pid: int
    pid_started: int | None
    key_file: str = ""

    @property
    def base_url(self) -> str:
        """The endpoint on this computer."""
        return f"http://{LOOPBACK}:{self.local_port}/v1"

    @property
    def is_open(self) -> bool:
        """Whether its `curc-llm tunnel` still runs; else anybody's program may have the port."""
        if self.pid_started is not None:
            return process_started(self.pid) == self.pid_started
        if os.name == "nt":  # os.kill would end it there
            return True
        try:
            os.kill(self.pid, 0)  # macOS: a signal that only asks
        except OSError:
            return False
        return True


def list_notes(state_dir: Path) -> list[TunnelNote]:
    """The tunnels that stand on this computer, by their port."""
    notes = map(_read, sorted(_folder(state_dir).glob("*.json")))
    return [note for note in notes if note is not None and note.is_open]


def find_tunnel(state_dir: Path, base_url: str | None = None) -> RemoteSource | None:
    """The session at the end of the only tunnel, or of the one at an address; None when there is none.

    Args:
        state_dir: the user's state folder on this computer.
        base_url: the tunnel's endpoint; None for the only one.

    Raises:
        AmbiguousSessionError: several tunnels stand, and none was named.
        KeyFileError: its session's key isn't known here.
    """
    notes = [note for note in list_notes(state_dir) if base_url in {None, note.base_url}]
    if not notes:
        return None
    if len(notes) > 1:
        listed = ", ".join(f"{note.base_url} (to {note.end})" for note in notes)
        raise AmbiguousSessionError(
            f"{len(notes)} tunnels are open: {listed}.", f'Name one: connect("{notes[0].base_url}")'
        )
    return _connect(notes[0])


def _connect(note: TunnelNote) -> RemoteSource:
    if not note.key_file:
        raise KeyFileError(
            f"The tunnel at {note.base_url} leads to a session whose key isn't known here.",
            "Copy it from the session's card, or on the cluster: curc-llm endpoint --show-key. Then open the "
            f'tunnel anew and paste it there, or: connect("{note.base_url}", api_key_file="FILE")',
        )
    path = Path(note.key_file)
    return RemoteSource(note.base_url, Secret(read_secret_file(path)), path)


class NoteKeeper:
    """Keeps the note of one tunnel as its events come, and takes it away at the end.

    A folder that can't be written is no trouble for the tunnel: `connect()` then needs the address.

    Args:
        state_dir: the user's state folder on this computer.
        key_file: a file that holds the session's key; None when there is none.
    """

    def __init__(self, state_dir: Path, key_file: Path | None) -> None:
        self._state_dir, self._key_file = state_dir, key_file
        self._note: Path | None = None

    def take(self, event: TunnelEvent) -> None:
        """Notes what an event changes."""
        with contextlib.suppress(OSError):
            if isinstance(event, TunnelOpen):
                self._write(event)
            elif isinstance(event, TunnelOver) and self._key_file is not None and self._is_ours:
                self._key_file.unlink(missing_ok=True)  # a key of a session that is over opens nothing

    @property
    def _is_ours(self) -> bool:
        return self._key_file is not None and self._key_file.parent == _folder(self._state_dir)

    def _write(self, event: TunnelOpen) -> None:
        pid, key = os.getpid(), str(self._key_file or "")
        note = TunnelNote(event.local_port, str(event.end), pid, process_started(pid), key)
        self._note = _make_folder(self._state_dir) / f"{event.local_port}.json"
        write_json(self._note, asdict(note))

    def close(self) -> None:
        """The tunnel is closed."""
        if self._note is not None:
            with contextlib.suppress(OSError):
                self._note.unlink(missing_ok=True)


def find_kept_key(state_dir: Path, end: TunnelEnd) -> Path | None:
    """The file of a key that was given for a session before; None when there is none."""
    path = _key_path(state_dir, end)
    return path if path.exists() else None


def keep_key(state_dir: Path, end: TunnelEnd, key: str) -> Path:
    """Writes a session's key to a file that only its owner can read, and returns the file.

    Raises:
        OSError: it can't be written.
    """
    path = _key_path(state_dir, end)
    _make_folder(state_dir)
    write_private(path, f"{key}\n")
    return path


def _key_path(state_dir: Path, end: TunnelEnd) -> Path:
    return _folder(state_dir) / f"{end.host}-{end.port}.key"


def _folder(state_dir: Path) -> Path:
    return state_dir / "tunnels"


def _make_folder(state_dir: Path) -> Path:
    folder = _folder(state_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _read(path: Path) -> TunnelNote | None:
    try:
        return TunnelNote(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
