"""The same app, set up for a second site with its own launch table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curc_llm.plan.facts import Facts, load_facts
from curc_llm.plan.table import make_table
from curc_llm.settings import load_settings
from tests.ood.ruby import ROOT


def load(site: str) -> Facts:
    """The facts of a shipped site, untouched by anyone's settings."""
    return load_facts(load_settings(None, environ={"HOME": "/nonexistent"}), site)


@pytest.fixture(scope="session")
def capella(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's folder for the second site, as `make install` would leave it."""
    root = tmp_path_factory.mktemp("capella")
    for name in ("manifest.yml", "form.yml.erb", "form.js", "submit.yml.erb"):
        (root / name).symlink_to(ROOT / name)
    (root / "ood_app").mkdir()
    for name in ("lib", "portal.yml", "form.css"):
        (root / "ood_app" / name).symlink_to(ROOT / "ood_app" / name)
    (root / "ood_app" / "launch_table.local.json").write_text(json.dumps(make_table(load("capella"))))
    (root / "ood_app" / "portal.local.yml").write_text(
        "cluster: capella\nsite: capella\nlaunch_table: launch_table.local.json\nhost: short\n"
    )
    return root
