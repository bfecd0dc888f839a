"""A real Jupyter server with JupyterLab 4 and Notebook 7, and its pages as a person uses them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

import nbformat
from playwright.sync_api import Locator, Page

from tests.fakes.fake_slurm import FakeSlurm
from tests.tracing import without_coverage

Face = Literal["lab", "notebooks"]
TOKEN = "token-of-the-test-server"
BIN = Path(sys.executable).parent
# No network, no questions, and the app where a test can reach it.
OPTIONS = [
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port=0",
    f"--IdentityProvider.token={TOKEN}",
    "--ServerApp.use_redirect_file=False",
    "--ServerApp.terminals_enabled=False",
    "--ServerApp.log_level=WARN",
    "--LabApp.expose_app_in_browser=True",
    "--LabApp.extension_manager=readonly",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--JupyterNotebookApp.expose_app_in_browser=True",
    "--YDocExtension.disable_rtc=True",
    "--FileContentsManager.delete_to_trash=False",
]
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},  # what widgets hold is saved too
}


class Jupyter:
    """The server. Kernels have the environment that it was started with, `home` as their home.

    Slurm's commands are stand-ins (`slurm`).

    Args:
        folder: everything of it is kept below this.
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.root = folder / "notebooks"
        self.state_dir = folder / "state"
        for path in (self.home, self.root, folder / "runtime", folder / "settings"):
            path.mkdir(parents=True)
        self.slurm = FakeSlurm(folder / "slurm-bin")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def environment(self) -> dict[str, str]:
        """What server and kernels see."""
        own = ("JUPYTER", "CURC_LLM", "XDG", "IPYTHON")
        kept = {n: v for n, v in without_coverage(os.environ).items() if not n.startswith(own)}
        return {
            **kept,
            "PATH": f"{self.slurm.folder}{os.pathsep}{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "JUPYTER_CONFIG_DIR": str(self.home / "jupyter"),
            "JUPYTER_DATA_DIR": str(self.home / "jupyter-data"),
            "JUPYTER_RUNTIME_DIR": str(self._folder / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(self._folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self._folder / "workspaces"),
            "IPYTHONDIR": str(self.home / "ipython"),
            "CURC_LLM_STATE_DIR": str(self.state_dir),
            "CURC_LLM_OFFLINE": "1",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }

    def __enter__(self) -> Self:
        for name, values in SETTINGS.items():
            path = self._folder / "settings" / f"{name.replace(':', '/')}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={self.root}"]
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, env=self.environment, cwd=self.root, stdout=log, stderr=log, start_new_session=True
            )
        self.url = self._wait_for_address()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def _wait_for_address(self, timeout_s: float = 60) -> str:
        assert self._process is not None
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self._process.poll() is None:
            for path in (self._folder / "runtime").glob("jpserver-*.json"):
                try:
                    return str(json.loads(path.read_text())["url"])
                except ValueError:  # being written
                    pass
            time.sleep(0.1)
        raise AssertionError(f"Jupyter didn't start: {(self._folder / 'server.log').read_text()[-3000:]}")

    def write(self, name: str, cells: Iterable[str]) -> Path:
        """A notebook of code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        path = self.root / name
        nbformat.write(notebook, path)
        return path

    def open(self, page: Page, name: str, face: Face = "lab") -> NotebookPage:
        """Opens a notebook in JupyterLab or Notebook 7, and waits for its kernel."""
        if face == "lab" and page.url.startswith(f"{self.url}lab/"):
            page.evaluate(CLEAR_AWAY)  # the application itself stays: loading it anew takes seconds
            page.evaluate("(path) => window.jupyterapp.commands.execute('docmanager:open', { path })", name)
        else:
            # A workspace of its own: JupyterLab opens again what was open in an earlier page's.
            place = f"lab/workspaces/{uuid.uuid4().hex[:8]}/tree" if face == "lab" else "notebooks"
            page.goto(f"{self.url}{place}/{name}?token={TOKEN}")
        opened = NotebookPage(page, self.root / name)
        opened.wait_until_idle()
        return opened


# Ends all kernels and closes all notebooks, without a question.
CLEAR_AWAY = """async () => {
  const { shell, serviceManager } = window.jupyterapp;
  for (const widget of [...shell.widgets('main')]) {
    if (widget.context) widget.context.model.dirty = false;
    widget.dispose();
  }
  await serviceManager.sessions.shutdownAll();
}"""
# The notebook's context, whichever application shows it.
NOTEBOOK = "window.jupyterapp.shell.currentWidget.content"
CONTEXT = "window.jupyterapp?.shell?.currentWidget?.context?.sessionContext"


class NotebookPage:
    """A notebook in the browser.

    Args:
        page: where it is open.
        path: its file.
    """

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.path = path

    def wait_until_idle(self, timeout_s: float = 60) -> None:
        """Waits until the kernel has nothing to do."""
        self.page.wait_for_function(
            f"{CONTEXT}?.session?.kernel?.status === 'idle'", timeout=timeout_s * 1000
        )

    @property
    def kernel_status(self) -> str:
        """What the kernel does."""
        return str(self.page.evaluate(f"{CONTEXT}.session.kernel.status"))

    def command(self, name: str, args: dict[str, Any] | None = None) -> None:
        """What a menu item does, by its name."""
        self.page.evaluate("([n, a]) => { window.jupyterapp.commands.execute(n, a); }", [name, args or {}])

    def run_all(self, timeout_s: float = 60) -> None:
        """Run > Run All Cells, and waits for the last one."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.wait_until_idle(timeout_s)

    def start_all(self) -> None:
        """Run > Run All Cells, without waiting."""
        self.command("notebook:run-all-cells")

    def run_cell(self, number: int, timeout_s: float = 60) -> None:
        """Chooses a cell and runs it."""
        self.page.evaluate(f"(n) => {{ {NOTEBOOK}.activeCellIndex = n; }}", number)
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
        self.wait_until_idle(timeout_s)

    def restart(self) -> None:
        """A new kernel, as Kernel > Restart gives one."""
        self.page.evaluate(f"() => {CONTEXT}.session.kernel.restart()")
        self.wait_until_idle()

    def cell(self, number: int) -> Locator:
        """A cell, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def output(self, number: int) -> Locator:
        """A cell's output."""
        return self.cell(number).locator(".jp-OutputArea-child").first

    def panel(self, number: int) -> Locator:
        """The widget in a cell's output."""
        return self.cell(number).locator(".curc-panel").first

    def save(self) -> str:
        """Saves it, with what widgets hold; the file's text."""
        before = self.path.stat().st_mtime_ns
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        deadline = time.monotonic() + 15
        while self.path.stat().st_mtime_ns == before and time.monotonic() < deadline:
            self.page.wait_for_timeout(50)
        return self.path.read_text(encoding="utf-8")

    def use_theme(self, name: Literal["JupyterLab Light", "JupyterLab Dark"]) -> None:
        """Settings > Theme."""
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        is_light = "true" if "Light" in name else "false"
        self.page.wait_for_selector(f'body[data-jp-theme-light="{is_light}"]', state="attached")


def find_secrets(text: str, key: str) -> list[str]:
    """Where a key stands in a text, with what is around it."""
    return [text[max(0, m.start() - 60) : m.end() + 20] for m in re.finditer(re.escape(key), text)]
