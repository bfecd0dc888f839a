"""Which kernel this is: the processes of one kernel may add to the same file, those of others may not."""

from __future__ import annotations

import functools
import hashlib
import platform
import uuid
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # proc(5): another after each boot


@functools.cache
def find_host() -> str:
    """A short name of this host as it runs now; another after a reboot. It gives nothing away.

    Containers of one host share its kernel, and so the name. Where there is no boot id (macOS), the
    network card's address stands in for it.

    Example:
        >>> len(find_host())
        10
    """
    try:
        boot = BOOT_ID.read_text().strip()
    except OSError:
        boot = hex(uuid.getnode())
    return make_host(boot, platform.node() if not BOOT_ID.exists() else "")


def make_host(boot: str, node: str = "") -> str:
    """The name made of a boot id and a host's name."""
    return hashlib.sha256(f"{boot} {node}".encode()).hexdigest()[:10]
