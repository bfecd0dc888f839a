"""The servers that are compared: all before the same unix socket, all checking the same key."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from our_gateway import SOURCE, OurSession, run_our_gateway
from probe import get_status
from processes import find_free_port, run_child, wait_until

HERE = Path(__file__).parent
OURS, NGINX, NAIVE = "curc-llm", "nginx", "starlette+httpx"
OTHER = "curc-llm, other source"

NGINX_CONFIG = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log; {user}
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 1000000; keepalive_timeout 600s; client_max_body_size 32m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map_hash_bucket_size 256;
  map $http_authorization $is_known {{ default 0; "Bearer {key}" 1; }}
  upstream engine {{ server unix:{socket}; keepalive 256; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      if ($is_known = 0) {{ return 401; }}
      proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_request_buffering on; proxy_read_timeout 3600s;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Server:
    """One row of the comparison.

    Args:
        name: the row's name.
        target: where it listens, as `tcp:PORT` or `unix:PATH`.
        pid: root of the process tree whose CPU time and memory count.
    """

    name: str
    target: str
    pid: int


@contextlib.contextmanager
def run_nginx(folder: Path, engine_socket: Path, key: str) -> Iterator[Server]:
    """Debian's nginx: one worker, streaming, kept-alive connections to the engine, key from a map."""
    port, log, config = find_free_port(), folder / "nginx.log", folder / "nginx.conf"
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    # A worker that isn't root can't open the root-owned folder of a benchmark run by root.
    user = "user root;" if Path("/proc/self").stat().st_uid == 0 else ""
    config.touch(mode=0o600)
    config.write_text(NGINX_CONFIG.format(folder=folder, socket=engine_socket, key=key, port=port, user=user))
    with run_child([program, "-e", str(log), "-c", str(config)], log) as child:
        wait_until(lambda: get_status(f"tcp:{port}") is not None, child, log, 10)
        yield Server(NGINX, f"tcp:{port}", child.pid)


@contextlib.contextmanager
def run_naive(folder: Path, engine_socket: Path, key_file: Path) -> Iterator[Server]:
    """Starlette and httpx."""
    port, log = find_free_port(), folder / "naive.log"
    command = [sys.executable, str(HERE / "naive_gateway.py"), str(port), str(engine_socket), str(key_file)]
    with run_child(command, log) as child:
        wait_until(lambda: get_status(f"tcp:{port}") is not None, child, log, 30)
        yield Server(NAIVE, f"tcp:{port}", child.pid)


@contextlib.contextmanager
def run_ours(
    session: OurSession, engine_socket: Path, name: str = OURS, source: Path = SOURCE
) -> Iterator[Server]:
    """Our own gateway, as a session runs it."""
    with run_our_gateway(session, engine_socket, source) as (port, pid):
        yield Server(name, f"tcp:{port}", pid)


@contextlib.contextmanager
def run_gateways(
    session: OurSession, engine_socket: Path, without: tuple[str, ...], other_source: Path | None
) -> Iterator[list[Server]]:
    """Runs all gateways before one engine, but those named in `without`; and ours from another source too."""
    folder, key = session.folder, session.key_file.read_text().strip()
    with contextlib.ExitStack() as stack:
        servers = []
        if NGINX not in without:
            servers.append(stack.enter_context(run_nginx(folder, engine_socket, key)))
        if OURS not in without:
            servers.append(stack.enter_context(run_ours(session, engine_socket)))
        if other_source is not None:
            servers.append(stack.enter_context(run_ours(session, engine_socket, OTHER, other_source)))
        if NAIVE not in without:
            servers.append(stack.enter_context(run_naive(folder, engine_socket, session.key_file)))
        yield servers
