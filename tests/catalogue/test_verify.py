from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curc_llm.catalogue.config_json import model_from_config
from curc_llm.catalogue.hub import HubUnreachableError, read_hub, read_hub_model, sum_weights
from curc_llm.catalogue.model import Model
from curc_llm.catalogue.verify import Verdict, verify_in_folder, verify_on_hub
from curc_llm.errors import ModelNotFoundError
from tests.catalogue.conftest import LLAMA, LLAMA_PARAMS, make_safetensors
from tests.fakes.fake_hub import FakeHub, FakeModel

WEIGHTS = make_safetensors({"w": ("BF16", [LLAMA_PARAMS], 2)})
FILES = {"config.json": json.dumps(LLAMA).encode(), "model.safetensors": WEIGHTS, "README.md": b"x"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    with FakeHub() as hub:
        hub.models["me/tiny"] = FakeModel(dict(FILES))
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        yield hub


def make_entry(**changes: Any) -> Model:
    """What a catalogue would say of `me/tiny`, with `changes` to its architecture, weights or itself."""
    model = model_from_config(LLAMA, title="Tiny", hub_id="me/tiny")
    of_weights = {key: changes.pop(key) for key in ("weight_bytes", "revision", "format") if key in changes}
    of_model = {key: changes.pop(key) for key in ("gated", "max_context_tokens") if key in changes}
    weights = model.weights[0].model_copy(update={"weight_bytes": 2 * LLAMA_PARAMS, **of_weights})
    architecture = model.architecture.model_copy(update=changes)
    return model.model_copy(update={"weights": (weights,), "architecture": architecture, **of_model})


def verify(model: Model) -> Verdict:
    (verdict,) = verify_on_hub("tiny", model)
    return verdict


def test_what_is_the_same_is_told_with_the_newest_revision(hub: FakeHub) -> None:
    verdict = verify(make_entry())
    assert verdict.is_same
    assert hub.models["me/tiny"].commit[:12] in verdict.note


def test_a_pinned_revision_is_what_is_looked_at(hub: FakeHub) -> None:
    assert verify(make_entry(revision=hub.models["me/tiny"].commit)).note == ""
    gone = verify(make_entry(revision="0" * 40))
    assert "has no revision" in gone.differences[0].theirs


@pytest.mark.parametrize(
    ("change", "figure", "ours", "theirs"),
    [
        ({"num_layers": 3}, "num_layers", "3", "2"),
        ({"vocab_size": 101}, "vocab_size", "101", "100"),
        ({"class_name": "MistralForCausalLM"}, "class_name", "MistralForCausalLM", "LlamaForCausalLM"),
        ({"total_params": 2 * LLAMA_PARAMS}, "total_params", f"{2 * LLAMA_PARAMS:,}", f"{LLAMA_PARAMS:,}"),
        ({"weight_bytes": 10**9}, "weight_bytes", "1,000,000,000", f"{len(WEIGHTS):,}"),
        ({"gated": True}, "gated", "yes", "no"),
        ({"format": "fp8"}, "format", "fp8", "bf16"),
        ({"max_context_tokens": 4096}, "max_context_tokens", "4,096", "2,048"),
        ({"attention": ()}, "attention", "none", "2 full 2x16"),
    ],
)
def test_a_figure_that_differs_is_told_with_both_values(
    hub: FakeHub, change: dict[str, Any], figure: str, ours: str, theirs: str
) -> None:
    (difference,) = verify(make_entry(**change)).differences
    assert (difference.figure, difference.ours, difference.theirs) == (figure, ours, theirs)
    assert str(difference) == f"{figure}: {ours} here, {theirs} there"


def test_a_shorter_context_than_possible_is_the_makers_choice(hub: FakeHub) -> None:
    assert verify(make_entry(max_context_tokens=1024)).is_same


def test_an_id_that_the_hub_does_not_have_differs(hub: FakeHub) -> None:
    del hub.models["me/tiny"]
    (difference,) = verify(make_entry()).differences
    assert (difference.figure, difference.ours) == ("hub_id", "me/tiny")
    assert "no model me/tiny on the hub" in difference.theirs


def test_a_gated_config_leaves_sizes_and_gate_to_compare(hub: FakeHub) -> None:
    hub.models["me/tiny"].gated = True
    verdict = verify(make_entry(gated=True))
    assert verdict.is_same
    assert "without accepting its terms" in verdict.note


def test_a_hub_that_is_away_is_one_sentence(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnreachableError) as caught:
        verify(make_entry())
    assert "http://127.0.0.1:9 can't be asked about me/tiny" in caught.value.message
    assert "login node" in caught.value.remedy


def test_a_model_that_nobody_entered_is_read_from_the_hub(hub: FakeHub) -> None:
    model = read_hub_model("me/tiny")
    assert (model.title, model.is_estimate, model.max_context_tokens) == ("me/tiny", False, 2048)
    assert (model.weights[0].weight_bytes, model.weights[0].hub_id) == (len(WEIGHTS), "me/tiny")


@pytest.mark.parametrize(
    ("files", "gated", "words"),
    [
        ({"config.json": FILES["config.json"]}, False, "no weights"),
        ({"model.gguf": b"x"}, False, "no config.json"),
        (FILES, True, "is gated"),
    ],
)
def test_what_can_not_be_served_is_told(
    hub: FakeHub, files: dict[str, bytes], gated: bool, words: str
) -> None:
    hub.models["me/tiny"] = FakeModel(dict(files), gated=gated)
    with pytest.raises(ModelNotFoundError, match=words):
        read_hub_model("me/tiny")


@pytest.mark.parametrize("hub_id", ["me/none", "not an id", "a/b/c"])
def test_ids_that_there_are_none_of_are_told(hub: FakeHub, hub_id: str) -> None:
    with pytest.raises(ModelNotFoundError, match="no model"):
        read_hub(hub_id)


def test_copies_and_other_frameworks_weights_count_once() -> None:
    assert sum_weights({"a.safetensors": 1, "b.safetensors": 2, "consolidated.00.safetensors": 3}) == 3
    assert sum_weights({"consolidated.safetensors": 3, "pytorch_model.bin": 9}) == 3
    assert sum_weights({"pytorch_model-1.bin": 4, "training_args.bin": 9, "original/x.safetensors": 7}) == 4


def test_a_folder_is_compared_with_the_weights_of_its_format(make_model: Callable[..., Path]) -> None:
    folder = make_model("m")
    assert verify_in_folder("tiny", make_entry(), folder).is_same
    wrong = verify_in_folder("tiny", make_entry(hidden_size=65), folder)
    assert [difference.figure for difference in wrong.differences] == ["hidden_size"]
    assert wrong.where == str(folder)


def test_a_folder_whose_format_nobody_published_is_told(make_model: Callable[..., Path]) -> None:
    config = {**LLAMA, "quantization_config": {"quant_method": "fp8"}}
    verdict = verify_in_folder("tiny", make_entry(), make_model("m", config))
    assert [str(difference) for difference in verdict.differences] == ["format: bf16 here, fp8 there"]
