"""Apache: the portal's proxy as Open OnDemand configures it, in three variants side by side."""

from __future__ import annotations

import base64
import grp
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import IO, Self

HERE = Path(__file__).parent
MODULES = Path("/usr/lib/apache2/modules")
LOADED = (
    "mpm_event", "authn_core", "authz_core", "authn_file", "authz_user", "auth_form", "request", "session",
    "session_cookie", "session_crypto", "alias", "dir", "env", "headers", "mime", "proxy", "proxy_http",
    "proxy_wstunnel", "lua", "ssl", "socache_shmcb",
)  # fmt: skip
# What the portal's generator deletes by default since 4.1 (strip_proxy_headers, strip_proxy_cookies).
STRIPPED_HEADERS = ("Authorization", "OIDC_CLAIM_sub", "OIDC_CLAIM_email", "OIDC_access_token")
STRIPPED_COOKIES = (r"mod_auth_openidc_session_\\d+", "mod_auth_openidc_session")


class ApacheError(RuntimeError):
    """Apache isn't here or doesn't start."""


@dataclass(frozen=True)
class Variant:
    """One way in which a centre may have set up its portal.

    Args:
        name: `new` (4.1 and later), `old` (before) or `tls` (new, by https).
        port: on loopback.
        strips: deletes Authorization and the login's cookie on the way to a node.
        is_https: with a certificate made for it.
    """

    name: str
    port: int
    strips: bool = True
    is_https: bool = False

    @property
    def origin(self) -> str:
        """The address without a path."""
        return f"{'https' if self.is_https else 'http'}://127.0.0.1:{self.port}"


@dataclass
class Apache:
    """A portal's front: who is logged in, and to where a request is relayed.

    Args:
        folder: configuration, logs and process number; readable for Apache's user.
        variants: the portals to serve.
        logins: names and passwords of the portal's users.
        user_prefix: stands in front of a login to give the Unix user.
        sockets: folder with `USER/web.sock` of the users' own processes.
        timeout_s: after so much silence a connection is closed (Apache's default, which the portal keeps).
        host_regex: which hosts may be reached (the portal's default: any).
        in_front: what stands in front of the command, for example to know the nodes' names.
    """

    folder: Path
    variants: Sequence[Variant]
    logins: Mapping[str, str]
    user_prefix: str = ""
    sockets: Path = Path("/nowhere")
    timeout_s: float = 60
    host_regex: str = "[^/]+"
    in_front: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _log: IO[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Writes the configuration and starts it; returns when every variant answers.

        Raises:
            ApacheError: it isn't installed, or doesn't answer; with its log.
        """
        if shutil.which("apache2", path=f"{os.environ['PATH']}:/usr/sbin") is None:
            raise ApacheError("apache2 is missing: apt-get install --no-install-recommends apache2-bin")
        self._write()
        command = [*self.in_front, "apache2", "-f", str(self.folder / "apache.conf"), "-DFOREGROUND"]
        self._log = (self.folder / "apache.out").open("wb")
        environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin"}
        self._process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, env=environment, start_new_session=True
        )
        self._wait()

    def stop(self) -> None:
        """Ends it and its workers."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(5)
                break
            except subprocess.TimeoutExpired:
                continue
        self._process = None
        if self._log is not None:
            self._log.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def variant(self, name: str) -> Variant:
        """The variant of this name."""
        return next(v for v in self.variants if v.name == name)

    def _wait(self) -> None:
        end = time.monotonic() + 15
        for variant in self.variants:
            while not _answers(variant.port):
                assert self._process is not None
                if time.monotonic() > end or self._process.poll() is not None:
                    self.stop()
                    raise ApacheError(f"Apache doesn't start: {self._read_logs()}")
                time.sleep(0.05)

    def _read_logs(self) -> str:
        paths = (self.folder / "apache.out", self.folder / "error.log")
        return " ".join(path.read_text(errors="replace")[-1500:] for path in paths if path.exists())

    def _write(self) -> None:
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        public = self.folder / "public"
        for part in ("public", "lua"):  # a checkout may lie where Apache's user may not look
            shutil.copytree(HERE / part, self.folder / part, dirs_exist_ok=True)
        passwords = "".join(f"{name}:{_digest(word)}\n" for name, word in self.logins.items())
        _write_for_apache(self.folder / "passwords", passwords)
        _write_for_apache(self.folder / "passphrase", secrets.token_hex(32))
        if any(variant.is_https for variant in self.variants):
            _make_certificate(self.folder)
        hosts = "\n".join(self._render_host(variant, public) for variant in self.variants)
        text = _fill(
            "apache.conf",
            folder=self.folder,
            identity="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
            modules="\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED),
            timeout_s=int(self.timeout_s),
            hosts=hosts,
        )
        (self.folder / "apache.conf").write_text(text)

    def _render_host(self, variant: Variant, public: Path) -> str:
        certificate = (
            f'SSLCertificateFile "{self.folder}/cert.pem"\n  SSLCertificateKeyFile "{self.folder}/key.pem"'
        )
        login = _fill("login.conf", folder=self.folder)
        return _fill(
            "host.conf",
            folder=self.folder,
            name=variant.name,
            port=variant.port,
            origin=variant.origin,
            user_prefix=self.user_prefix,
            tls=f"SSLEngine On\n  {certificate}" if variant.is_https else "",
            public=public,
            host_regex=self.host_regex,
            login=login,
            guard=_fill("guard.conf", login=login),
            strip=_render_stripping() if variant.strips else "",
            sockets=self.sockets,
        )


def _render_stripping() -> str:
    # As the portal does it: a cookie goes only when another one follows.
    cookies = [f'RequestHeader edit* Cookie "{name}=[^;]+;" ""' for name in STRIPPED_COOKIES]
    return "\n    ".join(cookies + [f"RequestHeader unset {name}" for name in STRIPPED_HEADERS])


def _fill(template: str, **values: object) -> str:
    return Template((HERE / "templates" / template).read_text()).substitute(values)


def _digest(password: str) -> str:
    """The fastest form that Apache takes: it checks them each time, and a test's are long and random."""
    return "{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()


def _write_for_apache(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
    if os.geteuid() == 0:
        os.chown(path, pwd.getpwnam("www-data").pw_uid, grp.getgrnam("www-data").gr_gid)


def _make_certificate(folder: Path) -> None:
    if (folder / "cert.pem").exists():
        return
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "30", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
         "-subj", "/CN=portal.test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "key.pem").chmod(0o600)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
