"""Whose kernels the notebooks run in: the owner of the real session."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Running
from tests.tracing import without_coverage

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
    """The environment of this person's kernels."""
    kept = {
        k: v
        for k, v in without_coverage(os.environ).items()
        if not k.startswith(("CURC_LLM_", "XDG_", "SLURM_", "JUPYTER", "IPYTHON"))
    }
    # The font cache is made once, not in each notebook.
    return kept | {"HOME": str(home), "MPLCONFIGDIR": str(home / "matplotlib")}


@pytest.fixture
def person(real_session: Running, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """This process, and the kernels that it starts, as that person."""
    reader = Reader(real_session.person.home, real_session.facts)
    environ = make_environment(reader.home)
    for name in set(os.environ) - set(environ):
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return reader
