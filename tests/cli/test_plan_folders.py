"""Folders as the model of `plan` and `serve`: config.json alone, and what vLLM has no code for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.catalogue.conftest import LLAMA
from tests.cli.conftest import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "mine"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(LLAMA))
    return path


@pytest.mark.parametrize("name", ["", "config.json"])
def test_config_json_alone_is_planned_and_said_to_be_an_estimate(run: Run, folder: Path, name: str) -> None:
    result = run("plan", str(folder / name))
    assert (result.exit_code, "fits" in result.stdout) == (0, True)
    assert result.stdout.count("is an estimate from its config.json") == 1
    assert "no chat template" not in result.stdout


def test_config_json_alone_is_not_served(run: Run, folder: Path) -> None:
    result = run("serve", str(folder))
    assert (result.exit_code, "holds no weights" in result.stderr) == (1, True)
    assert "Fetch the model whole" in result.stderr


def test_what_vllm_has_no_code_for_is_refused_by_plan_and_serve(run: Run, folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({**LLAMA, "architectures": ["FooBarForCausalLM"]}))
    planned = run("plan", str(folder), "--json")
    plan = json.loads(planned.stdout)
    assert (planned.exit_code, plan["fits"], plan["alternatives"]) == (3, False, [])
    assert "has no code for FooBarForCausalLM, so it refuses this model" in plan["reason"]
    served = run("serve", str(folder))
    assert (served.exit_code, "has no code for FooBarForCausalLM" in served.stderr) == (3, True)


def test_an_empty_name_of_a_site_is_a_slip(run: Run) -> None:
    assert run("plan", "qwen3-8b", "--site", "").exit_code == 2
