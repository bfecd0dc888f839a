"""Jobs with a fake engine: ready in two seconds, so that many faults can be shown."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.session.store import read_record
from curc_llm.settings import load_settings
from curc_llm.spec import LaunchSpec, make_launch_spec

FAKE_PYTHON = Path(__file__).parents[1] / "fakes" / "fake_engine_python"


def wait_until(condition: Callable[[], Any], timeout_s: float = 60.0, what: str = "the condition") -> Any:
    """Awaits something truthy; fails the test when it doesn't come."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true in {timeout_s} s"
        time.sleep(0.02)
    return value


class Job:
    """A job that runs, and what can be seen of it."""

    def __init__(self, spec: LaunchSpec, environment: dict[str, str]) -> None:
        self.paths = SessionPaths(spec.session_dir)
        self.paths.make()
        self.runtime_parent = Path(environment["TMPDIR"])
        self.paths.spec.write_text(spec.model_dump_json())
        with self.paths.log("job").open("w") as log:
            command = [sys.executable, "-m", "curc_llm.job", str(self.paths.spec)]
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        self.guard = psutil.Process(self.process.pid)

    @property
    def record(self) -> SessionRecord:
        """The record as it is now; waits for the first."""
        return wait_until(lambda: read_record(self.paths.record), what="a record")

    def wait_for(self, condition: Callable[[SessionRecord], Any], timeout_s: float = 20.0) -> SessionRecord:
        """Awaits a record that fits."""
        wait_until(
            lambda: condition(self.record), timeout_s, what=f"in {self.record.model_dump()} what was awaited"
        )
        return self.record

    def wait_until_ready(self) -> SessionRecord:
        """Awaits a ready session with its chat running or not."""
        return self.wait_for(lambda r: r.status == "ready" and r.port)

    def tree(self) -> list[psutil.Process]:
        """The guard and all below it."""
        return [self.guard, *self.guard.children(recursive=True)]

    def find(self, *words: str) -> psutil.Process:
        """The process of the tree with these words in its command line that isn't a guard."""

        def look() -> psutil.Process | None:
            for process in self.tree():
                with contextlib.suppress(psutil.Error):
                    line = " ".join(process.cmdline())
                    if all(w in line for w in words) and "curc_llm.job.guard" not in line:
                        return process
            return None

        return wait_until(look, what=f"a process with {words}")

    def ask(self, path: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        """Sends a request with the owner's key; status and JSON of the answer."""
        key = self.paths.api_key.read_text().strip()
        data = json.dumps(fields).encode() if fields else None
        url = f"http://127.0.0.1:{self.record.port}{path}"
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def delete(self, path: str) -> tuple[int, dict[str, Any]]:
        """DELETEs with the owner's key; status and JSON of the answer."""
        key = self.paths.api_key.read_text().strip()
        url = f"http://127.0.0.1:{self.record.port}{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"}, method="DELETE")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)

    def chat(self, model: str = "one", **fields: Any) -> tuple[int, dict[str, Any]]:
        """Asks a model something."""
        return self.ask(
            "/v1/chat/completions", model=model, messages=[{"role": "user", "content": "Hi"}], **fields
        )

    def wait_for_end(self, timeout_s: float = 30.0) -> SessionRecord:
        """Awaits the end of the job; nothing of it may be left."""
        tree = self.tree() if self.guard.is_running() else []
        self.process.wait(timeout=timeout_s)
        wait_until(lambda: not [p for p in tree if is_alive(p)], 15, what="the end of every process")
        return self.record

    def end(self) -> None:
        """Ends the job at the end of a test, whatever it does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            for process in self.tree():
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self.process.wait()
            raise


def is_alive(process: psutil.Process) -> bool:
    """True while a process runs; a zombie doesn't."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A temporary folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def start_job(tmp_path: Path, short_dir: Path) -> Iterator[Callable[..., Job]]:
    """Starts jobs; `environment` tells the fake engine what to do, other options are fields of the spec.

    `engine` are fields of each engine's spec.
    """
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"max_position_embeddings": 4096}')
    (tmp_path / "settings.yml").write_text(
        "models:\n" + "".join(f"  {name}:\n    model: {folder}\n" for name in ("one", "two"))
    )
    jobs: list[Job] = []

    def start(
        *models: str,
        environment: dict[str, str] | None = None,
        engine: dict[str, Any] | None = None,
        replicas: int = 1,
        **fields: Any,
    ) -> Job:
        settings = load_settings(tmp_path / "settings.yml", {"HOME": str(tmp_path)})
        python = str(FAKE_PYTHON)
        wanted = models or ("one",)
        spec = make_launch_spec(settings, wanted, device="cpu", engine_python=python, replicas=replicas)
        engines = tuple(one.model_copy(update=engine or {}) for one in spec.engines)
        spec = spec.model_copy(update={"engines": engines})
        own = {"FAKE_ENGINE_REAL_PYTHON": sys.executable, "HOME": str(tmp_path), "TMPDIR": str(short_dir)}
        inherited = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
        jobs.append(Job(spec.model_copy(update=fields), inherited | own | (environment or {})))
        return jobs[-1]

    yield start
    for job in jobs:
        job.end()
