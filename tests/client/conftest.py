from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from curc_llm.client import Session, connect
from tests.fakes.fake_session import FakeSession


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own, and a home without settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CURC_LLM_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def fake(state_dir: Path) -> Iterator[FakeSession]:
    with FakeSession(state_dir) as session:
        yield session


@pytest.fixture
def session(fake: FakeSession) -> Iterator[Session]:
    with connect() as found:
        yield found
