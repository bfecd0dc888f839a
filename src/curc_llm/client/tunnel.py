"""Tunnel: the ssh command that brings a session's port to this computer, the same on every system."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path

from curc_llm.errors import TunnelError

LOOPBACK = "127.0.0.1"
# Names that ssh can't take for options, nor shells for more than a word. Some centres' users have an `@`.
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,99}")
# Three silent intervals and the connection counts as lost: a laptop that wakes up doesn't wait for minutes.
OPTIONS = (
    *("ExitOnForwardFailure=yes", "ServerAliveInterval=15", "ServerAliveCountMax=3", "ConnectTimeout=20"),
    # A connection of its own: one that is shared would keep the port after the tunnel has ended.
    *("ControlMaster=no", "ControlPath=none"),
)


@dataclass(frozen=True)
class Login:
    """Where one logs in.

    Args:
        host: the login host, or a name of ~/.ssh/config.
        user: the account there; empty: as ssh finds it.
        port: of its ssh; 0: as ssh finds it.
    """

    host: str
    user: str = ""
    port: int = 0

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host


@dataclass(frozen=True)
class TunnelEnd:
    """The gateway's address on the cluster's side.

    Args:
        host: the node's name, as the login host knows it.
        port: the gateway's.
        on_node: log in on the node itself, through the login host: for gateways that listen there on loopback
            only, and for nodes whose ports the login host can't reach.
    """

    host: str
    port: int
    on_node: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_login(text: str) -> Login:
    """A login host as people write it: `HOST`, `USER@HOST`, `USER@HOST:PORT`; users may hold an `@`.

    Raises:
        TunnelError: it isn't one.

    Example:
        >>> parse_login("ralphie@colostate.edu@login.rc.colorado.edu").user
        'ralphie@colostate.edu'
    """
    user, _, address = text.strip().rpartition("@")
    host, _, port = address.partition(":")
    is_right = HOST.fullmatch(host) and (not user or USER.fullmatch(user))
    if is_right and (":" not in address or _is_port(port)):
        return Login(host, user, int(port or 0))
    raise TunnelError(f"{text[:80]!r} is not a login host.", "It looks like USER@login.rc.colorado.edu")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535


def check_host(host: str) -> str:
    """The name of a node.

    Raises:
        TunnelError: it can't be one.
    """
    if HOST.fullmatch(host):
        return host
    raise TunnelError(f"{host[:80]!r} is not the name of a node.", "Copy it from the session's card.")


def make_command(
    login: Login, end: TunnelEnd, local_port: int, *, ssh_config: Path | None = None, may_ask: bool = True
) -> list[str]:
    """The ssh command. No secret is in it, and nothing of it goes through a shell.

    Args:
        login: where to log in.
        end: the gateway.
        local_port: the port on this computer.
        ssh_config: used instead of ~/.ssh/config.
        may_ask: whether somebody is there to be asked for a password or Duo's approval.

    Example:
        >>> make_command(Login("login", "me"), TunnelEnd("c1", 8000), 8000)[-6:]
        ['-L', '127.0.0.1:8000:c1:8000', '-l', 'me', '--', 'login']
    """
    options = [*OPTIONS, *([] if may_ask else ["BatchMode=yes"])]
    command = ["ssh", "-N", "-T", *(word for option in options for word in ("-o", option))]
    command += ["-F", str(ssh_config)] if ssh_config else []
    if end.on_node:
        jump = f"{login}:{login.port}" if login.port else str(login)
        command += ["-J", jump, "-L", f"{LOOPBACK}:{local_port}:{LOOPBACK}:{end.port}"]
        login = Login(end.host, login.user)
    else:
        command += ["-L", f"{LOOPBACK}:{local_port}:{end.host}:{end.port}"]
    command += ["-p", str(login.port)] if login.port else []
    command += ["-l", login.user] if login.user else []
    return [*command, "--", login.host]


def choose_local_port(wanted: int | None, preferred: int) -> int:
    """The port of this computer that the tunnel begins at.

    Args:
        wanted: what the person asked for; None for any.
        preferred: the gateway's own, so that addresses look alike on both sides.

    Raises:
        TunnelError: the port that was asked for is taken.
    """
    if wanted is not None:
        if is_free(wanted):
            return wanted
        raise TunnelError(
            f"Port {wanted} of this computer is in use, or not yours to use.",
            f"Leave out --local-port, or take another one: --local-port {_any_free()}",
        )
    return preferred if is_free(preferred) else _any_free()


def is_free(port: int) -> bool:
    """Whether nothing on this computer listens on a port, and the person may."""
    try:
        with socket.create_server((LOOPBACK, port)):
            return True
    except OSError:
        return False


def _any_free() -> int:
    with socket.create_server((LOOPBACK, 0)) as server:
        return int(server.getsockname()[1])
