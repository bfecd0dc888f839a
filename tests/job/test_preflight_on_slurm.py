"""A preflight over the two nodes of a real Slurm: what it finds when all is well, and when it isn't."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.testbed.bed import Bed
from tests.testbed.login import Login

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture
def anna(second_bed: Bed) -> Login:
    """A researcher at the second site."""
    second_bed.clear()
    more = {"CURC_LLM_SITE": "capella", "CURC_LLM_DEVICE": "cpu", "CURC_LLM_ENGINE_PYTHON": sys.executable}
    return Login(second_bed, more=more)


def look(login: Login, *options: str, status: int = 0) -> dict[str, Any]:
    done = login.curc_llm(
        "preflight", "--partition", "capella", "--account", "ucb-general", "--json", *options, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_two_nodes_that_are_well_are_looked_at_within_20_s(anna: Login) -> None:
    found = look(anna)
    print(json.dumps(found, indent=1))
    assert found["status"] in ("ok", "warning")
