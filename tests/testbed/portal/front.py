"""Front: the portal's Apache before a session of this machine, for pages that people open through it.

What a browser asks for then has the kept prefix `/node/HOST/PORT`, came by the portal's login, and has passed
the portal's rules for headers and cookies.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import BrowserContext

from tests.testbed.portal.apache import Apache, Variant

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Front:
    """A portal that runs.

    Args:
        origin: its address without a path.
        logins: passwords of its users by their names.
    """

    origin: str
    logins: dict[str, str]

    def find_root(self, port: int) -> str:
        """Where a browser finds what listens at a port; without a slash at the end."""
        return f"{self.origin}/node/{HOST}/{port}"

    def log_in(self, context: BrowserContext, user: str) -> None:
        """Gives a browser window the portal's cookie."""
        form = {"httpd_username": user, "httpd_password": self.logins[user]}
        answer = context.request.post(f"{self.origin}/public/in", form=form, max_redirects=0)
        assert answer.headers["location"] == "/pun/sys/dashboard", answer.text()


def can_open() -> bool:
    """Whether Apache is here. Where all of the tests run (as root), it has to be."""
    return os.geteuid() == 0 or shutil.which("apache2", path=f"{os.environ['PATH']}:/usr/sbin") is not None


@contextmanager
def open_front(*users: str) -> Iterator[Front]:
    """Runs one, of the newest kind (Open OnDemand 4.1 and later), in a folder that Apache's user may enter.

    Args:
        users: who can log in.
    """
    folder = Path(tempfile.mkdtemp(prefix="curc-llm-front-"))
    folder.chmod(0o755)
    with socket.create_server((HOST, 0)) as free:
        variant = Variant("new", free.getsockname()[1])
    logins = {user: secrets.token_hex(8) for user in users}
    try:
        with Apache(folder, [variant], logins):
            yield Front(variant.origin, logins)
    finally:
        shutil.rmtree(folder)
