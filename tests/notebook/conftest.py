"""A home and a state folder of their own; for the browser one Jupyter server, one Chromium."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.fakes.fake_session import FakeSession
from tests.notebook.jupyter import Jupyter


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own, and a home without settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CURC_LLM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("CURC_LLM_OFFLINE", "1")
    return tmp_path / "state"


@pytest.fixture
def fake(state_dir: Path) -> Iterator[FakeSession]:
    """A session that answers."""
    with FakeSession(state_dir) as session:
        yield session


@pytest.fixture(scope="session")
def lab() -> Iterator[Jupyter]:
    """JupyterLab 4 and Notebook 7 in one server on loopback; one for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="curc-lab-"))
    with Jupyter(folder) as server:
        yield server
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def lab_state(lab: Jupyter) -> Iterator[Path]:
    """The state folder of the server's kernels, empty."""
    shutil.rmtree(lab.state_dir, ignore_errors=True)
    lab.state_dir.mkdir(parents=True)
    yield lab.state_dir
    shutil.rmtree(lab.state_dir, ignore_errors=True)


@pytest.fixture
def lab_session(lab_state: Path) -> Iterator[FakeSession]:
    """A session that the server's kernels find."""
    with FakeSession(lab_state) as session:
        yield session


@pytest.fixture(scope="module")
def lab_context(browser: Browser) -> Iterator[BrowserContext]:
    """One for all tests of a file, so that JupyterLab's megabytes are loaded once; with a clipboard."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    context.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    yield context
    context.close()


@pytest.fixture(scope="module")
def _lab_page(lab_context: BrowserContext) -> Iterator[Page]:
    page = lab_context.new_page()
    yield page
    page.close()


@pytest.fixture
def lab_page(_lab_page: Page) -> Page:
    """A page, wide. JupyterLab stays open in it from test to test; `lab.open` ends the kernels before."""
    _lab_page.set_viewport_size({"width": 1280, "height": 900})
    return _lab_page


@pytest.fixture
def fresh_page(lab_context: BrowserContext) -> Iterator[Page]:
    """An empty page of one's own, for Notebook 7 and for what must not be shared."""
    page = lab_context.new_page()
    yield page
    page.close()
