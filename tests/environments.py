"""Environments of their own, for tests that need other packages than the checkout's, or other versions.

They are made with uv below `.cache/environments`, named after what is in them, and kept for the next run.
Without a package index (a machine without network) such a test is skipped and says so.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".cache" / "environments"
INSTALL_TIMEOUT_S = 300


def base_requirements(**pinned: str) -> list[str]:
    """What the base install of curc-llm needs, with some packages at a given version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [name for name in project["dependencies"] if not name.startswith(tuple(pinned))]
    return [*names, *(f"{name}=={version}" for name, version in pinned.items())]


def make_environment(requirements: Sequence[str]) -> Path:
    """The Python of an environment that holds these packages."""
    digest = hashlib.sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:12]
    folder = FOLDER / digest
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        if not (folder / "made").exists():
            _make(folder, requirements)
    return folder / "bin" / "python"


def _make(folder: Path, requirements: Sequence[str]) -> None:
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    if not Path(uv).exists():
        pytest.skip("uv isn't installed")
    environ = {**os.environ, **_read_pip_settings()}
    subprocess.run(
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True, env=environ
    )
    done = subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python", *requirements],
        capture_output=True, text=True, env=environ, timeout=INSTALL_TIMEOUT_S,
    )  # fmt: skip
    if done.returncode != 0:
        shutil.rmtree(folder)
        if "error sending request" in done.stderr or "dns error" in done.stderr:
            pytest.skip("no package index can be reached")
        pytest.fail(f"these packages don't go together: {done.stderr}")
    (folder / "made").touch()


def _read_pip_settings() -> dict[str, str]:
    """Mirrors are configured for pip; uv doesn't read pip's settings (as in scripts/setup.sh)."""
    names = {"global.find-links": "UV_FIND_LINKS", "global.index-url": "UV_DEFAULT_INDEX"}
    found = {}
    for setting, name in names.items():
        asked = ["/usr/bin/python3", "-m", "pip", "config", "get", setting]
        value = subprocess.run(asked, capture_output=True, text=True).stdout.split()
        if value and name not in os.environ:
            found[name] = ",".join(value)
    return found
