"""The models that a centre keeps for everyone."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.catalogue.load import load_catalogue
from curc_llm.launch.centre_copy import find_centre_copy, use_centre_copies
from curc_llm.launch.request import SessionRequest, make_slurm_spec
from curc_llm.plan.facts import Facts
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings
from curc_llm.sites.load import load_site
from curc_llm.spec import LaunchSpec


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """What a compute node of CURC's has: CURC_LLM_DIR with a model in it."""
    folder = tmp_path / "llms" / "hf-transformers" / "gpt-oss-20b"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def launch(settings: Settings, facts: Facts, model: str) -> LaunchSpec:
    request = SessionRequest(plan=PlanRequest(model=model))
    return make_slurm_spec(request, settings, facts=facts)


def test_a_copy_is_found_only_where_its_folder_can_be_seen(kept: Path, tmp_path: Path) -> None:
    site, models = load_site("alpine"), load_catalogue().models
    weights = models["gpt-oss-20b"].weights[0]
    assert find_centre_copy(weights, site, {}) is None
    assert find_centre_copy(weights, site, {"CURC_LLM_DIR": str(tmp_path / "elsewhere")}) is None
    assert find_centre_copy(weights, site, {"CURC_LLM_DIR": str(tmp_path / "llms")}) == kept
    assert find_centre_copy(models["qwen3-8b"].weights[0], site, {"CURC_LLM_DIR": str(tmp_path)}) is None


def test_on_a_compute_node_a_session_reads_the_centres_copy(
    settings: Settings, alpine: Facts, kept: Path, tmp_path: Path
) -> None:
    spec, environ = launch(settings, alpine, "gpt-oss-20b"), {"CURC_LLM_DIR": str(tmp_path / "llms")}
    [engine] = use_centre_copies(spec, environ, settings).engines
    assert (engine.model, engine.is_local, engine.revision) == (str(kept), True, None)
    assert engine.served_model_name == spec.engines[0].served_model_name
    assert use_centre_copies(spec, {}, settings) == spec


def test_a_revision_that_a_person_pinned_is_kept(
    settings: Settings, alpine: Facts, kept: Path, tmp_path: Path
) -> None:
    spec = launch(settings, alpine, "gpt-oss-20b")
    pinned = spec.model_copy(update={"engines": (spec.engines[0].model_copy(update={"revision": "0" * 40}),)})
    assert use_centre_copies(pinned, {"CURC_LLM_DIR": str(tmp_path / "llms")}, settings) == pinned


def test_a_site_that_can_not_be_read_changes_nothing(settings: Settings, alpine: Facts, kept: Path) -> None:
    spec, lost = launch(settings, alpine, "gpt-oss-20b"), settings.model_copy(update={"site": "/no/site.yml"})
    assert use_centre_copies(spec, {"CURC_LLM_DIR": str(kept.parent.parent)}, lost) == spec
