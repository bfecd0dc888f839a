"""JupyterLab beside a session of this machine: the notebooks, connected, until Ctrl-C.

It outlives the session: a notebook may end that (`session.stop()`) and launch another one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curc_llm.cli.own_notebooks import FIRST
from curc_llm.client.connection import SESSION_VARIABLE
from curc_llm.errors import LaunchError

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
LOG = "lab.log"
NEWS = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"


def check_lab() -> None:
    """Raises LaunchError when this Python has no JupyterLab."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise LaunchError(
            f"{sys.executable} has no JupyterLab.", "Install curc-llm[jupyter], or leave out --lab."
        )


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs.

    Args:
        link: opens it, token included.
        process: its guard.
    """

    link: str
    process: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Returns when it has ended, such as by *Shut Down* in its menu."""
        self.process.wait()


@contextlib.contextmanager
def run_lab(folder: Path, session_id: str, state_dir: Path) -> Iterator[Lab]:
    """Runs JupyterLab on loopback; ends it, with its kernels, afterwards.

    Args:
        folder: what it shows.
        session_id: what `connect()` in its notebooks connects to.
        state_dir: where that session is found.

    Raises:
        LaunchError: it didn't start.
    """
    token = secrets.token_urlsafe(24)
    # A folder of its own for connection files: they hold the kernels' keys, and nothing of them shall stay.
    runtime = Path(tempfile.mkdtemp(prefix="curc-llm-lab-"))
    environ = {
        **os.environ,
        **_place(runtime),
        "JUPYTER_TOKEN": token,  # arguments can be read by everybody on the machine, the environment can't
        "CURC_LLM_STATE_DIR": str(state_dir),
        SESSION_VARIABLE: session_id,
    }
    try:
        with _guarded(_command(folder), environ, runtime / LOG) as process:
            yield Lab(_wait_for_link(process, runtime, token), process)
    finally:
        shutil.rmtree(runtime, ignore_errors=True)


def _place(runtime: Path) -> dict[str, str]:
    """The server's folders: its own, so that no password or address of another server is in the way."""
    return {
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_CONFIG_DIR": str(runtime / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(_copy_settings(runtime / "settings")),
        "JUPYTERLAB_WORKSPACES_DIR": str(runtime / "workspaces"),
    }


def _copy_settings(target: Path) -> Path:
    """The person's settings of JupyterLab, such as a dark theme, but no question whether to fetch news."""
    config = Path(os.environ.get("JUPYTER_CONFIG_DIR") or Path.home() / ".jupyter")
    own = Path(os.environ.get("JUPYTERLAB_SETTINGS_DIR") or config / "lab" / "user-settings")
    with contextlib.suppress(OSError, shutil.Error):
        shutil.copytree(own, target)
    news = target / NEWS
    news.parent.mkdir(parents=True, exist_ok=True)
    news.write_text('{"fetchNews": "false", "checkForUpdates": false}', encoding="utf-8")
    return target


@contextlib.contextmanager
def _guarded(command: list[str], environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command behind the guard, which ends it with its kernels when this process is gone, however."""
    liveness, alive = os.pipe()
    guard = [sys.executable, "-m", "curc_llm.job.guard", "--grace-s", "2", "--liveness-fd", str(liveness)]
    files: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*guard, "--", *command], env=environ, stdout=output, pass_fds=(liveness,),
            start_new_session=True, **files,
        )  # fmt: skip
    os.close(liveness)
    try:
        yield process
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_TIMEOUT_S)
        os.close(alive)
        process.wait()


def _command(folder: Path) -> list[str]:
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": "0",
        "ServerApp.open_browser": "False",
        "ServerApp.root_dir": str(folder),
        # News and versions would be asked of the internet.
        "LabApp.news_url": "None",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    root = ["--allow-root"] if os.geteuid() == 0 else []
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        *root,
        *(f"--{key}={value}" for key, value in options.items()),
    ]


def _wait_for_link(process: subprocess.Popen[bytes], runtime: Path, token: str) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        for path in runtime.glob("jpserver-*.json"):
            # Jupyter Server writes the file before it binds the port that it has chosen.
            with contextlib.suppress(ValueError, KeyError, OSError):
                port = json.loads(path.read_text(encoding="utf-8"))["port"]
                socket.create_connection(("127.0.0.1", port), 1).close()
                return f"http://127.0.0.1:{port}/lab/tree/{FIRST}?token={token}"
        time.sleep(0.1)
    said = (runtime / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise LaunchError(
        f"JupyterLab did not start: {said[-1] if said else 'it said nothing'}.", "Try `jupyter lab` by hand."
    )
