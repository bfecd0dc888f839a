"""One real session for all end-to-end tests: real vLLM, real gateway, real chat, started as a user would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.tracing import without_coverage

CLI = [sys.executable, "-m", "curc_llm.cli.main"]
START_TIMEOUT_S = 300


@dataclass(frozen=True)
class Person:
    """Somebody with a home of their own, so that tests never touch the developer's."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of this person's shell."""
        own = ("CURC_LLM_", "XDG_", "SLURM_")
        kept = {k: v for k, v in without_coverage(os.environ).items() if not k.startswith(own)}
        cache = os.environ.get("CURC_LLM_TEST_CACHE", str(self.home / "cache"))
        return kept | {"HOME": str(self.home), "CURC_LLM_CACHE_DIR": cache}

    def run(self, *arguments: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs `curc-llm …` and returns what it printed."""
        done = subprocess.run(
            [*CLI, *arguments], env=self.environment, capture_output=True, text=True, check=False, **options
        )
        assert not check or done.returncode == 0, done.stderr
        return done


@dataclass(frozen=True)
class Running:
    """A session that runs, as `curc-llm demo --detach --json` describes it."""

    person: Person
    facts: dict[str, Any]

    @property
    def key(self) -> str:
        """The owner's key."""
        return Path(self.facts["key_file"]).read_text().strip()

    @property
    def root(self) -> str:
        """The address without `/v1`."""
        return str(self.facts["base_url"]).removesuffix("/v1")

    def record(self) -> dict[str, Any]:
        """The record as it is now."""
        return json.loads(Path(self.facts["record_file"]).read_text())

    def processes(self) -> list[psutil.Process]:
        """The job's guard and all that descends from it."""
        guard = psutil.Process(self.facts["pid"])
        return [guard, *guard.children(recursive=True)]

    def find_process(self, *words: str) -> psutil.Process:
        """The process whose command line has all these words and that isn't a guard."""
        return next(
            p
            for p in self.processes()
            if all(w in " ".join(p.cmdline()) for w in words) and "curc_llm.job.guard" not in p.cmdline()
        )


def wait_until(condition: Callable[[], Any], timeout_s: float = 30.0, what: str = "the condition") -> Any:
    """Awaits something truthy; fails the test when it doesn't come."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true in {timeout_s} s"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="package")
def person() -> Iterator[Person]:
    """A person whose home can be entered by everybody: only the session's own modes protect what is in it."""
    home = Path(tempfile.mkdtemp(prefix="e2e-"))
    home.chmod(0o755)
    yield Person(home)
    shutil.rmtree(home)


@contextmanager
def open_session(person: Person, *flags: str, verb: tuple[str, ...] = ("demo",)) -> Iterator[Running]:
    """A session with real vLLM while it is needed; its end is a test too: nothing of it may be left."""
    done = person.run(*verb, "--detach", "--json", *flags, timeout=START_TIMEOUT_S)
    running = Running(person, json.loads(done.stdout))
    try:
        yield running
    finally:  # a test that failed leaves no session to the next
        processes = running.processes()
        person.run("stop", running.facts["session_id"], timeout=60)
    left = [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert left == []
    assert not Path(running.facts["key_file"]).exists()
    record = running.record()
    assert (record["status"], record["reason"]["code"]) == ("ended", "stopped")


@pytest.fixture(scope="package")
def running(person: Person) -> Iterator[Running]:
    """The shared session."""
    with open_session(person) as running:
        yield running
