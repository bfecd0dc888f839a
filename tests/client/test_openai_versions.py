from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from curc_llm.client.versions import OLDEST_OPENAI
from tests.environments import ROOT, base_requirements, make_environment

PROBE = Path(__file__).with_name("openai_probe.py")


def test_the_oldest_openai_is_the_one_that_pyproject_names() -> None:
    (wanted,) = [name for name in base_requirements() if name.startswith("openai")]
    assert wanted.startswith(f"openai>={OLDEST_OPENAI},")


@pytest.mark.slow
@pytest.mark.parametrize("version", [f"{OLDEST_OPENAI}.0", "1.109.1"])
def test_all_of_the_client_works_with_the_oldest_openai_and_the_last_of_its_first_series(
    version: str, tmp_path: Path
) -> None:
    python = make_environment(base_requirements(openai=version))
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": path}
    environ["CURC_LLM_STATE_DIR"] = str(tmp_path / "state")
    done = subprocess.run(
        [python, "-W", "error", "-W", "ignore:enable_cleanup_closed", PROBE, tmp_path / "state"],
        capture_output=True, text=True, env=environ, timeout=60,
    )  # fmt: skip
    assert done.stdout == f"all works with openai {version}\n", done.stderr
