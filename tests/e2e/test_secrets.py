"""What others on the machine can learn of a session: nothing."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import Running, wait_until

pytestmark = pytest.mark.engine
SECURITY_DOC = Path(__file__).parents[2] / "docs" / "security.md"
STRANGER = "curcllmstranger"


def read_secrets(running: Running) -> list[str]:
    folder = Path(running.facts["key_file"]).parent
    return [running.key, (folder / "login.key").read_text().strip()]


def test_no_secret_is_in_any_argument_or_environment(running: Running) -> None:
    secrets = read_secrets(running)
    seen = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            folder = Path("/proc") / str(process.pid)
            text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            seen += [process.pid for secret in secrets if secret.encode() in text]
    assert seen == []


def test_no_secret_is_in_any_log_record_or_printed_text(running: Running) -> None:
    running.person.run("ask", "Hello!")
    secrets = read_secrets(running)
    session = Path(running.facts["record_file"]).parent
    allowed = {"api.key", "login.key"}
    wait_until((session / "logs" / "access.jsonl").exists, what="the access log")
    texts = {path.name: path.read_bytes() for path in session.rglob("*") if path.is_file()}
    texts = {name: text for name, text in texts.items() if name not in allowed}
    assert {"session.json", "spec.json", "access.jsonl", "job.log", "gateway.log", "chat.log"} <= set(texts)
    for command in (["status", "--json"], ["ls"], ["endpoint"], ["logs"]):
        texts[" ".join(command)] = running.person.run(*command).stdout.encode()
    assert [name for name, text in texts.items() if any(s.encode() in text for s in secrets)] == []


@pytest.fixture
def stranger():
    """Another user of the same machine."""
    with contextlib.suppress(KeyError):
        yield pwd.getpwnam(STRANGER)
        return
    subprocess.run(["useradd", "--no-create-home", STRANGER], check=True)
    yield pwd.getpwnam(STRANGER)
    subprocess.run(["userdel", STRANGER], check=True)


def as_stranger(stranger: pwd.struct_passwd, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        user=stranger.pw_uid,
        group=stranger.pw_gid,
        extra_groups=[],
        env={"PATH": os.environ["PATH"]},
        cwd="/",
    )


@pytest.mark.root
def test_another_user_can_read_no_file_of_the_session(running: Running, stranger: pwd.struct_passwd) -> None:
    state = Path(running.facts["record_file"]).parents[2]
    assert as_stranger(stranger, "ls", str(running.person.home)).returncode == 0
    found = as_stranger(stranger, "find", str(state), "-type", "f", "-readable")
    assert found.stdout == ""
    for name in ("session.json", "api.key", "keys.json", "login.key", "spec.json", "logs/access.jsonl"):
        assert (
            as_stranger(stranger, "cat", str(Path(running.facts["record_file"]).parent / name)).returncode
            != 0
        )


CONNECT = """
import socket, sys
for path in sys.argv[1:]:
    with socket.socket(socket.AF_UNIX) as s:
        try: s.connect(path); print("reached", path)
        except PermissionError: print("refused", path)
"""


@pytest.mark.root
def test_another_user_can_reach_no_socket_of_the_session(
    running: Running, stranger: pwd.struct_passwd
) -> None:
    ours = {p.pid for p in running.processes()}
    listening = [c for c in psutil.net_connections("unix") if c.pid in ours and c.laddr.startswith("/")]
    paths = sorted({c.laddr for c in listening})
    assert {"engine-0.sock", "chat.sock", "gateway.sock"} <= {Path(path).name for path in paths}
    tried = as_stranger(stranger, "/usr/bin/python3", "-c", CONNECT, *paths)
    assert "reached" not in tried.stdout
    assert tried.stdout.count("refused") == len(paths)


@pytest.mark.root
def test_another_user_with_the_address_gets_401(running: Running, stranger: pwd.struct_passwd) -> None:
    done = as_stranger(stranger, "curl", "-s", "-w", "%{http_code}", running.facts["base_url"] + "/models")
    assert done.stdout.endswith("401")


def test_every_listening_socket_is_in_the_security_document(running: Running) -> None:
    port = running.record()["port"]
    document = SECURITY_DOC.read_text()
    unknown = []
    for process in running.processes():
        for connection in process.net_connections("inet"):
            if connection.status != psutil.CONN_LISTEN:
                continue
            address = connection.laddr
            if address.port == port:
                continue
            inner = process.name().startswith(("VLLM", "python")) and address.ip in {"127.0.0.1", "::1"}
            if not inner:
                unknown.append((process.name(), address))
    assert unknown == []
    assert re.search(r"gateway.*public port", document)
    assert re.search(r"vLLM.*loopback", document)


def test_nothing_listens_beyond_loopback(running: Running) -> None:
    host = socket.gethostbyname(socket.gethostname())
    addresses = {
        c.laddr.ip
        for p in running.processes()
        for c in p.net_connections("inet")
        if c.status == psutil.CONN_LISTEN
    }
    assert addresses <= {"127.0.0.1", "::1"}, f"the machine's own address is {host}"
