"""Which repository a download fetches: the one that a launch would look for."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.catalogue.load import load_catalogue
from curc_llm.engine.download import FoundModel
from curc_llm.errors import ModelNotFoundError
from curc_llm.launch.fetch_choice import Choice, choose, make_environment
from curc_llm.settings import ModelSettings, Settings, load_settings

CATALOGUE = load_catalogue()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(environ={"HOME": str(tmp_path)})


def pick(settings: Settings, wanted: str, **more: str) -> Choice:
    return choose(wanted, settings, CATALOGUE, **more)  # type: ignore[arg-type]


def test_a_name_means_the_weights_that_a_launch_takes_at_the_pinned_revision(settings: Settings) -> None:
    weights = CATALOGUE.models["qwen3-8b"].weights[0]
    choice = pick(settings, "qwen3-8b")
    assert (choice.hub_id, choice.revision) == (weights.hub_id, weights.revision)


def test_an_id_of_one_quantisation_means_that_one(settings: Settings) -> None:
    assert pick(settings, "qwen/qwen3-8b-fp8").hub_id == "Qwen/Qwen3-8B-FP8"


def test_a_quantisation_is_chosen_by_name(settings: Settings) -> None:
    assert pick(settings, "qwen3-8b", quantisation="fp8").hub_id == "Qwen/Qwen3-8B-FP8"
    assert pick(settings, "qwen3-8b", quantisation="online-fp8").hub_id == "Qwen/Qwen3-8B"
    with pytest.raises(ModelNotFoundError) as caught:
        pick(settings, "qwen3-8b", quantisation="mxfp4")
    assert "fp8" in caught.value.remedy


def test_an_unknown_id_is_fetched_as_it_is_and_a_revision_wins(settings: Settings) -> None:
    assert pick(settings, "acme/tiny") == Choice("acme/tiny", None, "acme/tiny")
    assert pick(settings, "acme/tiny", revision="v2").revision == "v2"
    with pytest.raises(ModelNotFoundError):
        pick(settings, "acme/tiny", quantisation="fp8")


def test_an_entry_of_the_settings_decides_as_in_a_launch(settings: Settings) -> None:
    entry = ModelSettings(model="qwen3-8b", quantisation="fp8", revision="abc")
    mine = settings.model_copy(update={"models": {"mine": entry}})
    choice = pick(mine, "mine")
    assert (choice.hub_id, choice.revision, choice.name) == ("Qwen/Qwen3-8B-FP8", "abc", "mine")


@pytest.mark.parametrize("wanted", ["demo", "/models/x", "./x", "~/x", "no-such-model", ""])
def test_what_can_not_be_fetched_is_refused_with_what_can(settings: Settings, wanted: str) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        pick(settings, wanted)
    assert caught.value.remedy


def test_only_files_beyond_plain_http_use_the_hubs_own_protocol() -> None:
    found = FoundModel("a/b", "c", "", False, 1, 1, 1, 50 * 10**9, "/p")
    assert make_environment({}, found) == {"HF_HUB_DISABLE_XET": "1"}
    larger = FoundModel("a/b", "c", "", False, 1, 1, 1, 50 * 10**9 + 1, "/p")
    assert make_environment({"A": "b"}, larger) == {"A": "b"}
