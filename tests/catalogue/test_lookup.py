from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from curc_llm.catalogue.lookup import find_model, nearest_names
from curc_llm.catalogue.model import Catalogue
from curc_llm.errors import ModelNotFoundError


@pytest.mark.parametrize("wanted", ["qwen3-8b", "QWEN3-8B", "  Qwen3-8b "])
def test_a_short_name_is_found_in_any_case(wanted: str, shipped: Catalogue) -> None:
    found = find_model(wanted, shipped)
    assert (found.name, found.weights) == ("qwen3-8b", None)
    assert found.model is shipped.models["qwen3-8b"]


def test_a_hub_id_means_those_weights(shipped: Catalogue) -> None:
    found = find_model("qwen/qwen3-8b-awq", shipped)
    assert found.name == "qwen3-8b"
    assert found.weights is not None
    assert (found.weights.hub_id, found.weights.format) == ("Qwen/Qwen3-8B-AWQ", "awq-int4")


def test_every_name_and_every_id_of_the_catalogue_is_found(shipped: Catalogue) -> None:
    for name, model in shipped.models.items():
        assert find_model(name.upper(), shipped).name == name
        for weights in model.weights:
            found = find_model(weights.hub_id, shipped).weights
            assert found is not None
            assert found.hub_id == weights.hub_id


def test_a_folder_is_read(make_model: Callable[..., Path], shipped: Catalogue) -> None:
    folder = make_model("my-model")
    found = find_model(str(folder), shipped)
    assert (found.model.title, found.model.folder) == ("my-model", str(folder))


def test_a_folder_is_found_without_a_slash_unless_the_catalogue_has_that_name(
    make_model: Callable[..., Path], shipped: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model("my-model")
    monkeypatch.chdir(make_model("qwen3-8b").parent)
    assert find_model("my-model", shipped).model.folder == "my-model"
    assert find_model("qwen3-8b", shipped).model.folder == ""
    assert find_model("./qwen3-8b", shipped).model.folder == "qwen3-8b"


def test_a_folder_that_is_not_there_is_told(shipped: Catalogue) -> None:
    with pytest.raises(ModelNotFoundError, match="/no/such/model doesn't exist"):
        find_model("/no/such/model", shipped)


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        ("llama3.1-8b", "llama-3.1-8b-instruct"),
        ("qwen3-8", "qwen3-8b"),
        ("qwen3_32b", "qwen3-32b"),
        ("gpt-oss", "gpt-oss-20b"),
        ("lama-3.3-70b-instruct", "llama-3.3-70b-instruct"),
        ("lama-3.1-8b", "Did you mean llama-3.1-8b-instruct"),
        ("mistral7b", "Did you mean mistral-7b-instruct-v0.3"),
    ],
)
def test_a_slip_is_answered_with_the_nearest_name(wanted: str, near: str, shipped: Catalogue) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        find_model(wanted, shipped)
    assert near in caught.value.remedy
    assert repr(wanted) in caught.value.message


def test_models_that_answer_come_before_those_that_make_embeddings(shipped: Catalogue) -> None:
    uses = [shipped.models[name].uses[0] for name in nearest_names("qwen3", shipped)]
    assert uses == ["chat", "chat", "chat"]


@pytest.mark.parametrize(
    ("wanted", "near"), [("gpt4", "gpt-oss-20b"), ("gpt-4o", "gpt-oss-20b"), ("Claude", "")]
)
def test_models_that_nobody_can_have_are_told_so(wanted: str, near: str, shipped: Catalogue) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        find_model(wanted, shipped)
    assert caught.value.message == f"{wanted} isn't an open-weights model: only its maker can run it."
    assert near in caught.value.remedy
    assert caught.value.remedy.endswith("`curc-llm models` lists all that can run here.")


def test_an_id_like_no_other_has_a_remedy_that_is_a_sentence(shipped: Catalogue) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        find_model("someone/zzzzzz-zzzz", shipped)
    assert caught.value.remedy.startswith("Fetch its config.json where the hub can be reached")


def test_config_json_may_be_named_instead_of_its_folder(
    make_model: Callable[..., Path], shipped: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_model("my-model", **{"README.md": b""})
    monkeypatch.chdir(folder.parent)
    for wanted in (str(folder / "config.json"), "my-model/config.json"):
        found = find_model(wanted, shipped)
        assert (found.name, found.model.title, found.model.is_estimate) == (wanted, "my-model", True)


@pytest.mark.slow
def test_nonsense_has_no_nearest_name(shipped: Catalogue) -> None:
    assert nearest_names("zzzzzzzz", shipped) == []
    for wanted in ("zzzzzzzz", "", "\x00", "a" * 5000):
        with pytest.raises(ModelNotFoundError, match="no model"):
            find_model(wanted, shipped)


def test_an_unknown_id_says_how_to_get_its_numbers(shipped: Catalogue) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        find_model("Qwen/Qwen3-8B-Mine", shipped)
    assert "isn't in the catalogue, and its numbers can't be looked up from here" in caught.value.message
    assert "qwen3-8b" in caught.value.remedy
    assert "hf download Qwen/Qwen3-8B-Mine config.json" in caught.value.remedy


def test_an_unknown_id_is_asked_of_the_hub_where_that_is_possible(shipped: Catalogue) -> None:
    asked = []

    def ask(hub_id: str):  # type: ignore[no-untyped-def]
        asked.append(hub_id)
        return shipped.models["qwen3-8b"]

    assert find_model("me/mine", shipped, ask).name == "me/mine"
    assert asked == ["me/mine"]


def test_an_entry_that_is_broken_says_why() -> None:
    catalogue = Catalogue(models={}, broken={"mine": "/f.yml: The folder /gone doesn't exist."})
    with pytest.raises(ModelNotFoundError, match="/gone doesn't exist"):
        find_model("Mine", catalogue)


def test_a_family_s_name_suggests_the_size_that_most_begin_with(shipped: Catalogue) -> None:
    assert nearest_names("qwen3", shipped)[0] == "qwen3-8b"
    assert nearest_names("nope", shipped)


def test_a_device_is_no_folder(shipped: Catalogue) -> None:
    with pytest.raises(ModelNotFoundError, match="/dev/zero is a file, not a folder"):
        find_model("/dev/zero", shipped)
