"""JupyterLab beside a session of this machine: the notebooks, connected, for as long as the session lives."""

from __future__ import annotations

import contextlib
import hashlib
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
from pathlib import Path
from typing import Any

from curc_llm.errors import LaunchError
from curc_llm.session.files import write_json

FIRST = "01-connect-and-chat.ipynb"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
# What was copied, so that an update may renew it where the person has changed nothing.
NOTE = ".copied.json"
LOG = "lab.log"


def find_shipped_notebooks() -> Path | None:
    """The folder `notebooks` of the checkout or release that this package is in; None without one."""
    folder = Path(__file__).resolve().parents[3] / "notebooks"
    return folder if (folder / FIRST).is_file() else None


def check_lab() -> None:
    """Raises LaunchError when this Python has no JupyterLab."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise LaunchError(
            f"{sys.executable} has no JupyterLab.", "Install curc-llm[jupyter], or leave out --lab."
        )


def copy_notebooks(source: Path, target: Path) -> list[str]:
    """Copies the notebooks that aren't there, and renews those that nobody has changed.

    Args:
        source: the folder that curc-llm brings.
        target: the person's own folder.

    Returns:
        Names of the notebooks that the person has changed and that were therefore left as they are.

    Raises:
        LaunchError: the folder can't be written.
    """
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = _read_note(target / NOTE)
        kept = [path.name for path in source.glob("*.ipynb") if _is_own(target / path.name, before, path)]
        for path in sorted(p for p in source.iterdir() if p.name not in kept):
            _copy(path, target / path.name)
        digests = {path.name: _digest(path) for path in source.glob("*.ipynb")}
        write_json(target / NOTE, {**before, **{n: d for n, d in digests.items() if n not in kept}})
    except OSError as error:
        raise LaunchError(
            f"The notebooks can't be copied to {target}: {error.strerror}.", "Set CURC_LLM_STATE_DIR."
        ) from error
    return sorted(kept)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, copy_function=shutil.copyfile)
    elif source.suffix != ".md":
        shutil.copyfile(source, target)


def _is_own(path: Path, copied: dict[str, str], shipped: Path) -> bool:
    """Whether a person has made something of their own of it."""
    if not path.exists():
        return False
    digest = _digest(path)
    return digest not in {copied.get(path.name), _digest(shipped)}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_note(path: Path) -> dict[str, str]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


@contextlib.contextmanager
def run_lab(folder: Path, session_id: str, state_dir: Path) -> Iterator[str]:
    """Runs JupyterLab on loopback and gives the link that opens it; ends it, with its kernels, afterwards.

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
        "JUPYTER_TOKEN": token,  # arguments can be read by everybody on the machine, the environment can't
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_NO_CONFIG": "1",  # somebody's password or address of another server would get in the way
        "CURC_LLM_STATE_DIR": str(state_dir),
        "CURC_LLM_SESSION": session_id,
    }
    try:
        with _guarded(_command(folder), environ, runtime / LOG) as process:
            yield _wait_for_link(process, runtime, token)
    finally:
        shutil.rmtree(runtime, ignore_errors=True)


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
        "ServerApp.port": str(_free_port()),
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


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for_link(process: subprocess.Popen[bytes], runtime: Path, token: str) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        # The server writes this file once it listens; its port is another one where ours was taken meanwhile.
        for path in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(ValueError, KeyError):
                port = json.loads(path.read_text(encoding="utf-8"))["port"]
                return f"http://127.0.0.1:{port}/lab/tree/{FIRST}?token={token}"
        time.sleep(0.1)
    said = (runtime / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise LaunchError(
        f"JupyterLab did not start: {said[-1] if said else 'it said nothing'}.", "Try `jupyter lab` by hand."
    )
