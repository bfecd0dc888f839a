"""Through the tunnel to the real gateway: key, chat link and Python work at the local address."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curc_llm.client import connect
from curc_llm.session.store import discover_sessions
from tests.cli.conftest import REPOSITORY
from tests.cli.test_tunnel import MAIN, needs_sshd, options, sshd  # noqa: F401 - sshd is a fixture
from tests.fakes.sshd import Sshd

pytestmark = [pytest.mark.slow, needs_sshd]
Spawn = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def card(state_dir: Path, spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A session with the real job and gateway, and an engine that only looks like vLLM."""
    monkeypatch.setenv("CURC_LLM_ENGINE_PYTHON", str(REPOSITORY / "tests/fakes/fake_engine_python.py"))
    monkeypatch.setenv("CURC_LLM_DEVICE", "cpu")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    started = spawn("demo", "--detach", "--json")
    assert started.returncode == 0, started.stderr
    yield json.loads(started.stdout)
    spawn("stop", "--all")
    for found in discover_sessions(state_dir):
        os.kill(found.record.pid, signal.SIGKILL)


def test_key_link_and_python_work_at_the_local_address(card: dict[str, Any], sshd: Sshd) -> None:  # noqa: F811
    with tunnel(card["session_id"], *options(sshd)) as told:
        assert told["base_url"] != card["base_url"]
        with connect(base_url=told["base_url"], api_key_file=told["key_file"]) as session:
            assert session.chat("Hi", max_tokens=2) == "word0 word1"
        assert log_in(told["login_url"]).startswith(f"http://127.0.0.1:{told['local_port']}/chat")


@contextlib.contextmanager
def tunnel(*args: str) -> Iterator[dict[str, Any]]:
    """A tunnel in a process of its own; gives what it tells when it is open."""
    command = [sys.executable, *MAIN, "tunnel", "--json", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0


def log_in(url: str) -> str:
    """What a browser does with the link; the address that it ends at."""
    address, _, fragment = url.partition("#")
    cookies = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    body = urllib.parse.urlencode({"token": fragment.removeprefix("token=")}).encode()
    try:
        with cookies.open(address, body, timeout=20) as page:
            return str(page.url)
    except urllib.error.HTTPError as page:  # the chat itself may still be starting; the login is done then
        return str(page.url) if page.code == 503 else f"{page.code}"
