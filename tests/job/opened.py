"""A session whose engine only looks like vLLM, with its real supervisor, gateway and chat page."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Locator, Page, expect

from curc_llm.settings import load_settings
from curc_llm.spec import make_launch_spec
from tests.e2e.conftest import Person
from tests.job.conftest import FAKE_PYTHON, Job

START_S = 90.0  # the chat's own start takes 5 s alone, a minute beside four others
PATIENCE_MS = 90_000  # as long as a killed chat may take until it is there again


@dataclass(frozen=True)
class Opened:
    """The session, and whose it is.

    Args:
        job: what runs.
        person: its owner, with a home of their own.
    """

    job: Job
    person: Person

    @property
    def root(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.job.record.port}"

    @property
    def state_dir(self) -> Path:
        """The owner's state folder."""
        return self.job.paths.root.parents[1]

    def log_in(self, page: Page, root: str = "") -> None:
        """Opens the chat as the owner.

        Args:
            root: where the browser finds the gateway; the gateway's own address when not given.
        """
        link = self.person.run("endpoint", "--login-link").stdout.strip()
        page.goto(link.replace(self.root, root or self.root))
        page.wait_for_url("**/chat/**")

    def tell_engine(self, **behaviour: Any) -> None:
        """Changes how the engine behaves from now on."""
        with self._open_engine() as engine:
            engine.post("/fake/behaviour", json=behaviour).raise_for_status()

    def list_asked(self) -> list[dict[str, Any]]:
        """What the engine was asked to write, the latest last."""
        with self._open_engine() as engine:
            seen = engine.get("/fake/state").json()["seen"]
        return [json.loads(one["body"]) for one in seen if one["path"] == "/v1/chat/completions"]

    def count_running(self) -> int:
        """How many answers the engine is writing."""
        with self._open_engine() as engine:
            return int(engine.get("/fake/state").json()["running"])

    def _open_engine(self) -> httpx.Client:
        socket = next(self.job.runtime_parent.glob("*/engine-0.sock"))
        return httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://engine")


@contextmanager
def open_page_session(engine_options: str) -> Iterator[Opened]:
    """Runs one.

    Args:
        engine_options: of tests/fakes/fake_engine.py.
    """
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as name:
        home = Path(name)
        for folder in ("model", "run"):
            (home / folder).mkdir()
        (home / "model" / "config.json").write_text('{"max_position_embeddings": 4096}')
        (home / "settings.yml").write_text(f"models:\n  one:\n    model: {home / 'model'}\n")
        settings = load_settings(home / "settings.yml", {"HOME": name})
        spec = make_launch_spec(settings, ("one",), device="cpu", engine_python=str(FAKE_PYTHON))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CURC_LLM_", "XDG_", "SLURM_"))}
        own = {"FAKE_ENGINE_REAL_PYTHON": sys.executable, "FAKE_ENGINE_OPTIONS": engine_options}
        job = Job(spec, {**kept, **own, "HOME": name, "TMPDIR": str(home / "run")})
        try:
            job.wait_for(lambda r: r.status == "ready" and r.port and r.chat_url, START_S)
            yield Opened(job, Person(home))
        finally:
            job.end()


def open_window(browser: Browser) -> Page:
    """A browser window of its own, without any past."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    return context.new_page()


def ask(page: Page, text: str) -> None:
    """Sends a message."""
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.get_by_label("Your message").fill(text)
    page.get_by_label("Your message").press("Enter")


def answers(page: Page) -> Locator:
    """The model's texts, without what folds."""
    return page.locator("#curc-chat [data-testid=bot] > .message-content")
