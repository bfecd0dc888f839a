"""One real session with the chat model and the embedding model, for all notebooks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CLI = [sys.executable, "-m", "curc_llm.cli.main"]
START_TIMEOUT_S = 300
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@dataclass(frozen=True)
class Reader:
    """Somebody with a home of their own and a session that runs.

    Args:
        home: their home.
        card: what `curc-llm demo --detach --json` says of the session.
    """

    home: Path
    card: dict[str, Any]

    @property
    def key(self) -> str:
        """The session's key."""
        return Path(self.card["key_file"]).read_text().strip()


def make_environment(home: Path) -> dict[str, str]:
    """The environment of this person's shell; caches of a real engine are shared where the run has some."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("CURC_LLM_", "XDG_", "SLURM_", "JUPYTER", "IPYTHON"))
    }
    cache = os.environ.get("CURC_LLM_TEST_CACHE", str(home / "cache"))
    # The font cache is made once, not in each notebook.
    own = {"HOME": str(home), "MPLCONFIGDIR": str(home / "matplotlib"), "CURC_LLM_CACHE_DIR": cache}
    return kept | own


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    """The person and the session."""
    home = Path(tempfile.mkdtemp(prefix="notebooks-"))
    environ = make_environment(home)
    command = [*CLI, "demo", "--embed", "--detach", "--json"]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)
    yield Reader(home, card)
    subprocess.run([*CLI, "stop", card["session_id"]], env=environ, timeout=60, check=True)
    shutil.rmtree(home)


@pytest.fixture
def person(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """This process, and the kernels that it starts, as that person."""
    environ = make_environment(reader.home)
    for name in set(os.environ) - set(environ):
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return reader
