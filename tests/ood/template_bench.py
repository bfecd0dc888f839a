"""A launch from the portal without portal and Slurm: staged by Ruby, run by bash in the portal's order."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[2]
DEMO = {
    "llm_model": "own",
    "llm_own_model": "demo",
    "llm_gpus": "l40-x1",
    "bc_num_hours": "1",
    "auto_accounts": "ucb-general",
}
VENV = {"kind": "venv", "python": sys.executable}


def make_app(root: Path, runtime: dict[str, Any] | None = None, **settings: Any) -> Path:
    """An installed app: the checkout's template and library, with settings of its own."""
    root.mkdir(parents=True)
    shutil.copytree(CHECKOUT / "template", root / "template")
    (root / "template").chmod(0o755)  # as a git checkout leaves it
    shutil.copytree(CHECKOUT / "ood_app" / "lib", root / "ood_app" / "lib")
    for name in ("view.html.erb", "info.html.erb", "completed.html.erb"):
        if (CHECKOUT / name).exists():
            shutil.copy(CHECKOUT / name, root / name)
    local = {"site": "alpine", "runtime": VENV if runtime is None else runtime, **settings}
    (root / "ood_app" / "portal.local.yml").write_text(yaml.safe_dump(local))
    return root


def stage(app: Path, staged: Path, context: Any = None) -> Path:
    """Stages the app into a folder as the portal does, with `context` as the form's values."""
    values = staged.parent / f"{staged.name}.values.json"
    values.parent.mkdir(parents=True, exist_ok=True)
    values.write_text(json.dumps(DEMO if context is None else context))
    command = ["ruby", str(Path(__file__).with_name("template_stage.rb")), str(app), str(staged), str(values)]
    subprocess.run(command, check=True, timeout=60)
    return staged


def new_folder(parent: Path) -> Path:
    """A folder for a staged session, named as the portal names them."""
    return parent / "output" / str(uuid.uuid4())


@dataclass
class Launched:
    """A job script that runs.

    Args:
        staged: the staged folder.
        process: the batch shell, leader of a process group of its own.
        state_dir: where sessions are kept.
    """

    staged: Path
    process: subprocess.Popen[bytes]
    state_dir: Path

    @property
    def connection(self) -> Path:
        """connection.yml, there or not."""
        return self.staged / "connection.yml"

    @property
    def output(self) -> str:
        """What the job printed so far."""
        return (self.staged / "output.log").read_text(errors="replace")

    def trouble(self) -> dict[str, str]:
        """What the job left for the card."""
        return dict(json.loads((self.staged / "trouble.json").read_text()))

    def record(self) -> dict[str, Any]:
        """The session's record."""
        return dict(json.loads((self.staged / "session" / "session.json").read_text()))

    def stop(self, number: int = signal.SIGTERM, patience_s: float = 90) -> int:
        """Signals the batch shell, and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(patience_s)


def run_job(staged: Path, home: Path, **environ: str) -> Launched:
    """Runs the staged job script as Slurm does: as its own group, output into output.log, few variables."""
    state = home / "state"
    plain = {"PATH": os.environ["PATH"], "HOME": str(home), "USER": "ralphie", "LANG": "C.UTF-8"}
    plain |= {"CURC_LLM_STATE_DIR": str(state), "CURC_LLM_CACHE_DIR": str(home / "cache")}
    with (staged / "output.log").open("ab") as log:
        process = subprocess.Popen(
            ["bash", str(staged / "job_script_content.sh")],
            cwd=staged,
            env=plain | environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Launched(staged, process, state)


def wait_until(holds: Callable[[], bool], patience_s: float = 60, why: str = "") -> float:
    """Seconds until something holds.

    Raises:
        AssertionError: it doesn't in time.
    """
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > patience_s:
            raise AssertionError(f"still not so after {patience_s:.0f} s: {why}")
        time.sleep(0.02)
    return time.monotonic() - began
