"""A real sshd of its own on loopback: unprivileged port, own host key, one allowed client key."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
{more}
"""
CLIENT = """
Host *
  IdentityFile {folder}/client_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  PubkeyAuthentication yes
"""


class Sshd:
    """The server; `login` is what people would type, `config` the file that the client uses.

    Args:
        folder: for its files.
        more: further lines of sshd_config.
    """

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder, self.more = folder, more
        folder.mkdir(mode=0o700, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("host_key", "client_key", "other_key"):
            self._make_key(name)
        shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
        self.trust("host_key")
        self.config = folder / "client_config"
        self.config.write_text(CLIENT.format(folder=folder))

    @property
    def login(self) -> str:
        return f"{getpass.getuser()}@127.0.0.1:{self.port}"

    def _make_key(self, name: str) -> None:
        path = self.folder / name
        if not path.exists():
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path]
            subprocess.run(command, check=True)

    def trust(self, name: str) -> None:
        """The client knows the server by this key, whether it is right or not; empty: it knows none."""
        key = (self.folder / f"{name}.pub").read_text() if name else ""
        text = f"[127.0.0.1]:{self.port},[localhost]:{self.port} {key}" if key else ""
        (self.folder / "known_hosts").write_text(text)

    def forget_client(self) -> None:
        """Nobody is let in any more."""
        (self.folder / "authorized_keys").write_text("")

    def start(self) -> Self:
        settings = self.folder / "sshd_config"
        settings.write_text(CONFIG.format(port=self.port, folder=self.folder, more=self.more))
        Path("/run/sshd").mkdir(exist_ok=True) if os.getuid() == 0 else None
        with (self.folder / "sshd.log").open("ab") as log:
            # A session of its own, so that every process of it can be ended.
            self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", settings], stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.5).close()
            except OSError:
                assert self._process.poll() is None, (self.folder / "sshd.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return self

    def kill(self) -> None:
        """Kills the server and every connection that it serves."""
        if self._process is None:
            return
        children = _descendants(self._process.pid)
        for pid in (self._process.pid, *children):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        self._process = None

    def connections(self) -> int:
        """How many clients it serves."""
        return len(_descendants(self._process.pid)) if self._process else 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found
