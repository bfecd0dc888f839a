"""The two C programs: compiled at run time into a temporary folder, and how they are called."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import run_child, wait_until
from scenarios import Scenario

HERE = Path(__file__).parent
LOAD_LIMIT_S = 60


@dataclass(frozen=True)
class Upstream:
    """The fake engine, which serves a unix socket and a TCP port."""

    pid: int
    socket: Path
    port: int


def build(name: str, folder: Path) -> Path:
    """Compiles `NAME.c` with gcc; raises CalledProcessError with the compiler's words on stderr."""
    program = folder / name
    source = HERE / f"{name}.c"
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", str(program), str(source)], check=True)
    return program


@contextlib.contextmanager
def run_upstream(folder: Path, text: str = "", events_per_s: int = 0) -> Iterator[Upstream]:
    """Runs the fake engine.

    Args:
        folder: for its program, socket and log.
        text: what it answers to requests that name no length, four characters an event; ASCII.
        events_per_s: speed of those answers.
    """
    socket, log = folder / "fake.sock", folder / "upstream.log"
    command = [str(build("upstream", folder)), str(socket)]
    if text:
        (folder / "answer.md").write_text(text, encoding="ascii")
        command += [str(folder / "answer.md"), str(events_per_s)]
    with run_child(command, log) as child:
        wait_until(lambda: log.read_text().startswith("ready "), child, log, 10)
        yield Upstream(child.pid, socket, int(log.read_text().split()[1]))


def run_load(program: Path, target: str, key_file: Path, scenario: Scenario, model: str) -> dict[str, Any]:
    """Runs one scenario against one target and returns what the load generator printed."""
    rate = -1 if scenario.events_per_s is None else scenario.events_per_s
    command = [str(program), "-t", target, "-k", str(key_file), "-m", model, "-T", str(LOAD_LIMIT_S)]
    command += ["-n", str(scenario.streams), "-r", str(scenario.requests_each), "-e", str(scenario.events)]
    command += ["-s", str(rate), "-g", str(scenario.stagger_ms), "-d", str(scenario.stop_after_ms)]
    command += ["-j"] if scenario.is_json else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_LIMIT_S + 10, check=False)
    if done.returncode:
        raise RuntimeError(f"The load on {target} failed in {scenario.name}: {done.stderr.strip()}")
    return dict(json.loads(done.stdout))
