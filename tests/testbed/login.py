"""Login: a person at a shell of the test bed's login node, with curc-llm from this checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.session.store import read_record
from tests.testbed import network
from tests.testbed.bed import Bed

REPOSITORY = Path(__file__).parents[2]
FAKE_ENGINE = REPOSITORY / "tests" / "fakes" / "fake_engine_python"
WRAPPER = f"""#!/bin/sh
export FAKE_ENGINE_REAL_PYTHON={sys.executable} FAKE_ENGINE_HANG=HANGS
case "$*" in
  *"--served-model-name MODEL"*) ;;
  *--served-model-name*) exec {sys.executable} "$@" ;;
esac
export FAKE_ENGINE_OPTIONS="BEHAVIOUR"
exec {sys.executable} {FAKE_ENGINE} "$@"
"""


@dataclass
class Login:
    """Runs commands as a user who can reach the nodes by name.

    Args:
        bed: the Slurm.
        user: who; the bed's first user when not given.
        more: variables of the person's environment, such as CURC_LLM_ENGINE_PYTHON.
    """

    bed: Bed
    user: str = ""
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.user = self.user or self.bed.ground.user

    def use_fake_engine(self, *, hangs: bool = False, model: str = "", behaviour: str = "") -> None:
        """From now on sessions have an engine that is ready in a second, or loads for ever.

        Args:
            hangs: it loads for ever.
            model: for this served model alone; the others have real vLLM. All of them when not given.
            behaviour: more of the fake engine's command line, such as `--slots 2`.
        """
        wrapper = self.bed.ground.folder / "fake_engine_python"
        wrapper.write_text(
            WRAPPER.replace("HANGS", "1" if hangs else "")
            .replace("MODEL", model)
            .replace("BEHAVIOUR", behaviour)
        )
        wrapper.chmod(0o755)
        self.more["CURC_LLM_ENGINE_PYTHON"] = str(wrapper)

    @property
    def sessions(self) -> Path:
        """The folder of the user's sessions."""
        return self.bed.home(self.user) / ".local" / "state" / "curc-llm" / "sessions"

    def clear(self) -> None:
        """Forgets all earlier sessions."""
        shutil.rmtree(self.sessions, ignore_errors=True)

    def paths(self, session_id: str) -> SessionPaths:
        """A session's files."""
        return SessionPaths(self.sessions / session_id)

    def record(self, session_id: str) -> SessionRecord | None:
        """A session's record, as its job wrote it."""
        return read_record(self.paths(session_id).record)

    def command(self, *words: str) -> list[str]:
        """What runs a command as that user."""
        own = [f"{name}={value}" for name, value in self.more.items()]
        return [*self.bed.knowing_nodes(), *self.bed.as_user(self.user), "env", *own, *words]

    def run(
        self, *words: str, timeout_s: float = 120, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        done = subprocess.run(
            self.command(*words), env=self.bed.user_environment(self.user), cwd="/", timeout=timeout_s,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{words}: {done.stderr}{done.stdout}"
        return done

    def curc_llm(
        self, *words: str, timeout_s: float = 120, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Runs curc-llm."""
        return self.run(sys.executable, "-m", "curc_llm.cli.main", *words, timeout_s=timeout_s, check=check)

    def ask_json(self, *words: str, timeout_s: float = 120) -> Any:
        """Runs curc-llm for its JSON."""
        return json.loads(self.curc_llm(*words, "--json", timeout_s=timeout_s).stdout)

    def status(self, session_id: str) -> dict[str, Any]:
        """What `curc-llm status` says."""
        value: dict[str, Any] = self.ask_json("status", session_id)
        return value

    def processes(self) -> list[str]:
        """Command lines of everything that the user runs on the bed's nodes."""
        pids = {pid for node in self.bed.ground.nodes for pid in network.pids_on(node)}
        shown = subprocess.run(
            ["ps", "-u", self.user, "-o", "pid=,args="], capture_output=True, text=True, check=False
        ).stdout
        return [line for line in shown.splitlines() if int(line.split()[0]) in pids]

    def wait_until(self, condition: Callable[[], Any], timeout_s: float = 30, what: str = "it") -> Any:
        """Awaits something truthy."""
        deadline = time.monotonic() + timeout_s
        while not (value := condition()):
            assert time.monotonic() < deadline, f"{what} did not come true in {timeout_s} s"
            time.sleep(0.2)
        return value
