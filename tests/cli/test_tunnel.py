"""`curc-llm tunnel` through a real sshd, in a terminal and for scripts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from curc_llm.session.record import SessionStatus
from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession
from tests.fakes.sshd import SSHD, Sshd
from tests.fakes.terminal import CTRL_C, ENTER, Terminal

MAIN = ("-m", "curc_llm.cli.main")
needs_sshd = pytest.mark.skipif(not Path(SSHD).exists(), reason="needs Debian's openssh-server")


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A login host that is also every node: its name leads to the same sshd."""
    with Sshd(tmp_path / "ssh") as server:
        with server.config.open("a") as file:
            file.write(f"\nHost {socket.gethostname()}\n  HostName localhost\n  Port {server.port}\n")
        yield server


def options(sshd: Sshd) -> tuple[str, ...]:
    return ("--login-host", sshd.login, "--ssh-config", str(sshd.config))


def laptop(fake: FakeSession) -> tuple[str, ...]:
    """What the card prints for one's own computer."""
    return ("--host", "localhost", "--port", str(fake.record.port))


def leave_key_out(terminal: Terminal) -> None:
    terminal.wait_for("Enter: leave it out)")
    terminal.type(ENTER)


@contextlib.contextmanager
def start(*args: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process of its own, which no failing test leaves behind."""
    command = [sys.executable, *MAIN, "tunnel", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@needs_sshd
@pytest.mark.slow
def test_a_person_gets_endpoint_key_and_link_and_ctrl_c_closes_it(
    fake: FakeSession, sshd: Sshd, tmp_path: Path
) -> None:
    with Terminal(*MAIN, "tunnel", fake.record.session_id, *options(sshd)) as terminal:
        terminal.wait_for("Connecting through")
        terminal.wait_for("Close")
        port = int(re.findall(r"Endpoint +http://127.0.0.1:(\d+)/v1", terminal.text)[0])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            assert answer.status == 200
        assert str(fake.paths.api_key) in terminal.text
        assert f"http://127.0.0.1:{port}/login#token=" in terminal.text
        terminal.type(CTRL_C)
        terminal.wait_for("the session goes on")
        assert terminal.wait_for_end() == 0
        shown = re.sub(r"#token=\S+", "#token=", terminal.text.replace(str(tmp_path), "~"))
        assert max(map(len, shown.splitlines())) <= 80
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
    assert sshd.connections() == 0


@needs_sshd
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_scripts_get_json_lines_and_a_signal_leaves_no_ssh(
    fake: FakeSession, sshd: Sshd, number: signal.Signals
) -> None:
    with start("--json", *laptop(fake), *options(sshd)) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["event"] == "open"
        assert told["base_url"] == f"http://127.0.0.1:{told['local_port']}/v1"
        assert (told["key_file"], told["login_url"]) == (None, None)
        process.send_signal(number)
        assert process.wait(10) == 0
    assert sshd.connections() == 0


@needs_sshd
@pytest.mark.slow
def test_on_a_laptop_it_says_where_key_and_link_are_to_be_had(fake: FakeSession, sshd: Sshd) -> None:
    with Terminal(*MAIN, "tunnel", *laptop(fake), *options(sshd)) as terminal:
        leave_key_out(terminal)
        terminal.wait_for("curc-llm endpoint --show-key")
        terminal.wait_for("curc-llm endpoint --login-link")
        terminal.wait_for("Close")
        assert max(map(len, terminal.text.splitlines())) <= 80
        terminal.type(CTRL_C)
        assert terminal.wait_for_end() == 0


# What one types in a notebook or script on a laptop.
CONNECT = "import curc_llm; print(curc_llm.connect().chat('Hello'))"


def run_on_laptop(state_dir: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "CURC_LLM_STATE_DIR": str(state_dir)}
    command = [sys.executable, "-c", CONNECT]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


@needs_sshd
@pytest.mark.slow
def test_on_a_laptop_connect_needs_no_argument_once_the_key_was_pasted(
    fake: FakeSession, sshd: Sshd, tmp_path: Path
) -> None:
    home = tmp_path / "laptop"
    environ = {"CURC_LLM_STATE_DIR": str(home)}
    command = (*MAIN, "tunnel", *laptop(fake), *options(sshd))
    with Terminal(*command, environ=environ) as terminal:
        terminal.wait_for("Enter: leave it out)")
        terminal.type(fake.key + ENTER)
        terminal.wait_for("curc_llm.connect()")
        terminal.wait_for("Close")
        assert fake.key not in terminal.text
        assert run_on_laptop(home).stdout == "You said: Hello\n"
        terminal.type(CTRL_C)
        assert terminal.wait_for_end() == 0
    assert "No session is running" in run_on_laptop(home).stderr
    with Terminal(*command, environ=environ) as terminal:  # the next day the key is still known
        terminal.wait_for("Close")
        assert "leave it out" not in terminal.text
        assert run_on_laptop(home).stdout == "You said: Hello\n"
        fake.hang_up()
        terminal.wait_for("The tunnel is closed")
        terminal.wait_for_end()
    assert not list(home.rglob("*.key")), "the key of a session that is over stays"
    assert not list(home.rglob("tunnels/*.json"))


@needs_sshd
@pytest.mark.slow
def test_without_its_key_connect_says_where_to_get_it(fake: FakeSession, sshd: Sshd, tmp_path: Path) -> None:
    home = tmp_path / "laptop"
    with Terminal(
        *MAIN, "tunnel", *laptop(fake), *options(sshd), environ={"CURC_LLM_STATE_DIR": str(home)}
    ) as terminal:
        leave_key_out(terminal)
        terminal.wait_for("Close")
        told = run_on_laptop(home).stderr.splitlines()[-1]
        assert "KeyFileError: The tunnel at http://127.0.0.1:" in told
        assert "curc-llm endpoint --show-key" in told


@needs_sshd
@pytest.mark.slow
def test_the_key_s_file_can_be_named_instead(fake: FakeSession, sshd: Sshd, tmp_path: Path) -> None:
    home, key = tmp_path / "laptop", tmp_path / "session.key"
    key.write_text(fake.key)
    key.chmod(0o600)
    named = ("--api-key-file", str(key), *laptop(fake), *options(sshd))
    with Terminal(*MAIN, "tunnel", *named, environ={"CURC_LLM_STATE_DIR": str(home)}) as terminal:
        terminal.wait_for("Close")
        assert run_on_laptop(home).stdout == "You said: Hello\n"
    key.chmod(0o644)
    with start(*named) as process:
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert "chmod 600" in process.stderr.read()


@needs_sshd
@pytest.mark.slow
def test_what_is_no_key_is_refused(fake: FakeSession, sshd: Sshd) -> None:
    with Terminal(*MAIN, "tunnel", *laptop(fake), *options(sshd)) as terminal:
        terminal.wait_for("Enter: leave it out)")
        terminal.type("copy of a page" + ENTER)
        terminal.wait_for("not a key")
        assert terminal.wait_for_end() == 1


@needs_sshd
@pytest.mark.slow
def test_the_end_of_the_session_ends_the_command_with_its_reason(fake: FakeSession, sshd: Sshd) -> None:
    with Terminal(*MAIN, "tunnel", fake.record.session_id, "--json", *options(sshd)) as terminal:
        terminal.wait_for('"event": "open"')
        fake.end()
        terminal.wait_for("The tunnel is closed.")
        assert terminal.wait_for_end() == 0
        (ended,) = [line for line in terminal.text.splitlines() if '"event": "ended"' in line]
        assert "You stopped it." in json.loads(ended)["reason"]


@needs_sshd
@pytest.mark.slow
def test_a_tunnel_that_breaks_says_so_and_is_open_again(fake: FakeSession, sshd: Sshd) -> None:
    with Terminal(*MAIN, "tunnel", *laptop(fake), *options(sshd)) as terminal:
        leave_key_out(terminal)
        terminal.wait_for("Close")
        sshd.kill()
        terminal.wait_for("Trying again in 1 s")
        sshd.start()
        terminal.wait_for("The tunnel is open again: http://127.0.0.1:")
        terminal.type(CTRL_C)
        assert terminal.wait_for_end() == 0


@needs_sshd
@pytest.mark.slow
def test_sshs_own_questions_reach_the_terminal(fake: FakeSession, sshd: Sshd) -> None:
    sshd.trust("")
    sshd.config.write_text(sshd.config.read_text().replace("StrictHostKeyChecking yes", ""))
    with Terminal(*MAIN, "tunnel", *laptop(fake), *options(sshd)) as terminal:
        leave_key_out(terminal)
        terminal.wait_for("Are you sure you want to continue connecting")
        time.sleep(0.3)
        terminal.type("yes\r")
        terminal.wait_for("Close")
        terminal.type(CTRL_C)
        assert terminal.wait_for_end() == 0


@needs_sshd
@pytest.mark.slow
def test_a_refused_login_ends_with_a_sentence(run: Run, fake: FakeSession, sshd: Sshd) -> None:
    sshd.forget_client()
    result = run("tunnel", *laptop(fake), *options(sshd))
    assert result.exit_code == 1
    assert "refuses the login" in result.stderr
    assert result.stdout == ""


def test_a_local_port_in_use_is_refused_with_another(run: Run, fake: FakeSession) -> None:
    taken = str(fake.record.port)
    result = run("tunnel", *laptop(fake), "--login-host", "me@login", "--local-port", taken)
    assert result.exit_code == 1
    assert f"Port {taken} of this computer is in use" in result.stderr


def test_where_no_tunnel_is_needed_the_line_for_ones_own_computer_is_printed(
    run: Run, fake: FakeSession
) -> None:
    result = run("tunnel")
    assert result.exit_code == 0
    assert f"No tunnel is needed here: {fake.url}" in result.stdout
    command = f"curc-llm tunnel --host {fake.record.host} --port {fake.record.port} --login-host"
    assert f"{command} {fake.record.owner}@login.rc.colorado.edu" in result.stdout
    assert json.loads(run("tunnel", "--json").stdout)["event"] == "direct"


Refusal = tuple[tuple[str, ...], int, str]
REFUSALS: list[Refusal] = [
    (("--host", "c1"), 2, "belong together"),
    (("--port", "8000"), 2, "belong together"),
    (("s1", "--host", "c1", "--port", "1"), 2, "not both"),
    (("--host", "-oProxyCommand=id", "--port", "1"), 1, "not the name of a node"),
    (("--host", "c1", "--port", "1", "--login-host", "-oProxyCommand=id"), 1, "not a login host"),
    (("--host", "c1", "--port", "0"), 2, "--port"),
    (("--host", "c1", "--port", "1", "--ssh-config", "/none"), 2, "/none"),
    (("slurm-77",), 1, "--login-host USER@HOST"),
]


@pytest.mark.parametrize(("args", "status", "words"), REFUSALS, ids=lambda value: str(value)[:30])
def test_what_can_not_work_is_refused(run: Run, args: tuple[str, ...], status: int, words: str) -> None:
    result = run("tunnel", *args)
    assert result.exit_code == status
    assert words in " ".join(result.stderr.split())


def test_a_site_without_a_login_host_asks_for_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURC_LLM_SITE", "local")
    result = run("tunnel", "--host", "c1", "--port", "8000")
    assert result.exit_code == 1
    assert "--login-host USER@HOST" in result.stderr


def test_an_ended_session_says_why(run: Run, fake: FakeSession) -> None:
    fake.end()
    result = run("tunnel", fake.record.session_id, "--login-host", "me@login")
    assert result.exit_code == 1
    assert "You stopped it." in result.stderr


def test_a_session_without_a_port_says_how_to_wait(
    run: Run, fake: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.change(base_url=None, port=None, status=SessionStatus.STARTING)
    result = run("tunnel", fake.record.session_id, "--login-host", "me@login")
    assert result.exit_code == 1
    assert "--watch" in result.stderr


# As on Windows, whose Python has none of these.
WITHOUT_UNIX = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name in {"fcntl", "resource", "pwd", "grp", "termios", "pty"}:
            raise ImportError(name)
sys.meta_path.insert(0, Block())
from curc_llm.cli.main import main
main(["tunnel", "--host", "c1", "--port", "1", "--login-host", "-bad"])
"""


@pytest.mark.slow
def test_the_command_needs_nothing_that_only_unix_has(state_dir: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_UNIX], capture_output=True, text=True, timeout=60)
    assert "not a login host" in done.stderr, done.stderr
