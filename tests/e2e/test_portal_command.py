"""`make portal` as a person meets it: it says where to go, and Ctrl-C leaves nothing."""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.testbed.ground import Ground

pytestmark = [pytest.mark.slurm, pytest.mark.root, pytest.mark.slow]
# A bed that no worker of the test run uses.
GROUND = Ground(8)


def test_it_says_where_to_go_and_ctrl_c_leaves_nothing() -> None:
    command = [sys.executable, "-m", "tests.testbed.portal", "--number", str(GROUND.number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            told = read_until(process, "Ctrl-C")
            address = next(line.split()[0] for line in told.splitlines() if line.startswith("http://"))
            found = re.search(r"^ +(\S+) +(\S+) +researcher$", told, re.MULTILINE)
            assert found
            assert home_page(address, *found.groups()).count("app-tile") == 1
            assert processes_of_the_bed()
            shell = next(line for line in told.splitlines() if line.strip().startswith("unshare"))
            assert in_shell(shell, "getent hosts $(sinfo -h -N -o %N | head -1) && curc-llm --version")
        finally:
            os.kill(process.pid, signal.SIGTERM)
            read_until(process, "Taking it all away")
            os.killpg(process.pid, signal.SIGINT)  # a second one in a hurry stops nothing halfway
            process.wait(60)
    assert process.returncode == 0
    assert processes_of_the_bed() == []
    assert not GROUND.folder.exists()
    assert GROUND.user not in {entry.pw_name for entry in pwd.getpwall()}
    assert not Path("/sys/class/net", GROUND.bridge).exists()


def in_shell(shell: str, command: str) -> str:
    """What a command prints in the shell that `make portal` names."""
    done = subprocess.run(shell, shell=True, input=command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return "".join(lines)
    raise AssertionError(f"It ended: {''.join(lines)}")


def home_page(address: str, user: str, password: str) -> str:
    with httpx.Client(base_url=address, follow_redirects=True, timeout=30) as client:
        form = {"httpd_username": user, "httpd_password": password}
        return client.post("/public/in", data=form).text


def processes_of_the_bed() -> list[str]:
    """Everything that was started with the bed's folder in its environment or on its command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = [*(process.info["cmdline"] or ()), *(process.info["environ"] or {}).values()]
        if any(str(GROUND.folder) in word for word in words):
            found.append(" ".join(process.info["cmdline"] or ()))
    return found
