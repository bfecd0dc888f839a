"""Opening the public port and the private socket."""

from __future__ import annotations

import errno
import random
import socket
from contextlib import suppress
from pathlib import Path

from curc_llm.errors import PortError

BACKLOG = 2048


def bind_port(host: str, port_min: int, port_max: int) -> socket.socket:
    """Opens a listening TCP socket: on any free port for 0 and 0, else on a random free one of the range.

    The port is taken by opening it, never by looking first, so two sessions can't end up on one.

    Args:
        host: address to listen on, such as 127.0.0.1, 0.0.0.0 or ::1.
        port_min: first port of the range; 0 with 0 for any.
        port_max: last port of the range.

    Raises:
        PortError: no port of the range is free, or the address isn't this machine's.
    """
    ports = [0] if port_max == 0 else list(range(port_min, port_max + 1))
    random.shuffle(ports)
    for port in ports:
        try:
            return _listen(host, port)
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise PortError(
                    f"The gateway can't listen on {host}: {error.strerror or error}.",
                    "Set bind_host to an address of this machine, or leave it empty.",
                ) from error
    raise _all_taken(host, port_min, port_max)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # With SO_REUSEADDR two sockets may be bound to one port; only one can listen. This settles it.
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _all_taken(host: str, port_min: int, port_max: int) -> PortError:
    if port_min == port_max:
        return PortError(
            f"Port {port_min} on {host} is taken.",
            "Choose another port, or leave it empty for any free one.",
        )
    return PortError(
        f"No port from {port_min} to {port_max} on {host} is free.",
        "Widen port_min to port_max, or leave both empty for any free port.",
    )


def bind_private_socket(path: Path) -> socket.socket:
    """Opens the private unix socket, mode 0600, in place of one that an earlier gateway left.

    Raises:
        PortError: its folder can't be written, or its path is too long.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            path.unlink()
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortError(
            f"The private socket {path} can't be opened: {error.strerror or error}.",
            "Set TMPDIR to a short path you can write.",
        ) from error
    listener.setblocking(False)
    return listener
