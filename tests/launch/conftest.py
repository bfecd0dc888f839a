"""Settings of a person without any, and Slurm's commands as a test wants them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curc_llm.plan.facts import Facts
from curc_llm.settings import Settings, load_settings
from tests.fakes.fake_slurm import FakeSlurm


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Defaults, offline, in a folder of its own."""
    return load_settings(environ={"HOME": str(tmp_path)}, flags={"offline": True})


@pytest.fixture(scope="session")
def alpine() -> Facts:
    """CURC Alpine's facts, with every model that may be named."""
    from curc_llm.launch.site_plan import load_site_facts

    return load_site_facts(load_settings(environ={"HOME": "/nonexistent"}, flags={"offline": True}))


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """Slurm's commands in front of PATH."""
    fake = FakeSlurm(tmp_path / "slurm-bin")
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}{os.environ['PATH']}")
    return fake
