"""Portal: pages for each user of a bed, behind the proxy; what a person sees of a centre."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.testbed import daemon
from tests.testbed.bed import Bed, BedError
from tests.testbed.portal.apache import HERE, Apache, Variant

ROOT = Path(__file__).parents[3]
PROGRAMS = ("apache2", "puma", "rsync", "ruby")


@dataclass
class Portal:
    """A small portal over a bed: one process of pages per user, Apache in front.

    Args:
        bed: the Slurm; must be up.
        app: the app's folder.
        options: settings of the pages (web/settings.rb): VERSION, CSP, POLL_MS, CAN_CANCEL.
        timeout_s: Apache's time-out.
    """

    bed: Bed
    app: Path = ROOT
    options: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 60
    passwords: dict[str, str] = field(default_factory=dict)
    _apache: Apache | None = None

    @property
    def folder(self) -> Path:
        return self.bed.ground.folder / "portal"

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The three portals; their ports are the bed's."""
        port = self.bed.ground.port
        return (
            Variant("new", port(7)),
            Variant("old", port(8), strips=False),
            Variant("tls", port(9), is_https=True),
        )

    def login_of(self, user: str) -> str:
        """The name that a user of the bed types at the portal: theirs without the bed's prefix."""
        return user.removeprefix(self._prefix)

    def password_of(self, user: str) -> str:
        return self.passwords[self.login_of(user)]

    def address(self, variant: str = "new") -> str:
        """Where the portal is reached."""
        return next(v.origin for v in self.variants if v.name == variant)

    def up(self) -> None:
        """Starts the pages of all users, then Apache.

        Raises:
            BedError: a program is missing or the pages of a user don't come up.
        """
        path = f"{os.environ['PATH']}:/usr/sbin"
        missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
        if missing:
            packages = (Path(__file__).parents[1] / "packages.txt").read_text().split()
            raise BedError(f"{', '.join(missing)} is missing: apt-get install {' '.join(packages)}")
        users = self.bed.ground.users
        self.passwords = {self.login_of(user): secrets.token_urlsafe(12) for user in users}
        for user in users:
            self._start_pages(user)
        for user in users:
            self._wait_for_pages(user)
        self._apache = Apache(
            self.folder, self.variants, self.passwords, user_prefix=self._prefix, sockets=self._sockets,
            timeout_s=self.timeout_s, in_front=self.bed.knowing_nodes(),
        )  # fmt: skip
        self._apache.start()

    def down(self) -> None:
        """Stops Apache and the pages. Sessions in Slurm are the bed's."""
        if self._apache is not None:
            self._apache.stop()
            self._apache = None
        for user in self.bed.ground.users:
            daemon.stop(self.bed.ground, self._daemon(user), patience_s=3)
        shutil.rmtree(self._sockets, ignore_errors=True)

    def restart_pages(self, user: str, **options: str) -> None:
        """Ends a user's pages and starts them with other settings ("Restart Web Server")."""
        daemon.stop(self.bed.ground, self._daemon(user), patience_s=3)
        self._socket(user).unlink(missing_ok=True)
        self._start_pages(user, options)
        self._wait_for_pages(user)

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    @property
    def _prefix(self) -> str:
        return f"cl{self.bed.ground.number}-"

    @property
    def _sockets(self) -> Path:
        return self.bed.ground.run / "web"

    def _socket(self, user: str) -> Path:
        return self._sockets / user / "web.sock"

    def _daemon(self, user: str) -> str:
        return f"web.{user}"

    def _wait_for_pages(self, user: str) -> None:
        # Two seconds, because the shell in front needs a moment to note the pid.
        began, name = time.monotonic(), self._daemon(user)
        while not self._socket(user).is_socket():
            time.sleep(0.1)
            waited = time.monotonic() - began
            if waited > 20 or (waited > 2 and not daemon.is_running(self.bed.ground, name)):
                raise BedError(f"The pages of {user} don't come up: {self._tail(user)}")

    def _tail(self, user: str) -> str:
        log = self.bed.ground.log / f"{self._daemon(user)}.out"
        return log.read_text(errors="replace")[-1500:] if log.exists() else "no log"

    def _start_pages(self, user: str, options: Mapping[str, str] | None = None) -> None:
        """As the user, with nothing of our environment; Apache may reach the socket, no other user."""
        folder = self._socket(user).parent
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        shutil.chown(folder, user, "www-data")
        self._socket(user).unlink(missing_ok=True)
        settings = {**self.options, **(options or {})}
        environment = self.bed.user_environment(user) | {"PORTAL_APP": str(self.app)}
        environment["PORTAL_CLUSTER"] = self.bed.site_name
        environment |= {f"PORTAL_{name}": value for name, value in settings.items()}
        daemon.start(
            self.bed.ground, self._daemon(user),
            [*self.bed.as_user(user), "env", "-i", *(f"{k}={v}" for k, v in environment.items()),
             "puma", "--quiet", "--environment", "production", "--threads", "0:4", "--bind",
             f"unix://{self._socket(user)}?umask=0111", str(HERE / "web" / "config.ru")],
            {},
        )  # fmt: skip
