from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from curc_llm.catalogue import load
from curc_llm.catalogue.load import load_catalogue, load_shipped
from curc_llm.catalogue.model import Catalogue
from curc_llm.errors import FactFileError
from tests.catalogue.conftest import LLAMA, LLAMA_PARAMS

MODEL = {
    "source": "card",
    "title": "Tiny",
    "uses": ["chat"],
    "max_context_tokens": 2048,
    "architecture": {
        "class_name": "LlamaForCausalLM",
        "num_layers": 2,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "vocab_size": 100,
        "attention": [{"kind": "full", "num_layers": 2, "num_kv_heads": 2, "head_dim": 16}],
        "total_params": LLAMA_PARAMS,
    },
    "weights": [{"hub_id": "me/tiny", "format": "bf16"}],
}
SOURCES = {"card": {"title": "Card", "url": "https://example.org", "date": "2026-11-01"}}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(models: Any, name: str = "mine.yml", **more: Any) -> Path:
        path = tmp_path / name
        path.write_text(yaml.safe_dump({"models": models, **more}, sort_keys=False))
        return path

    return make


def test_every_shipped_figure_has_a_source(shipped: Catalogue) -> None:
    assert len(shipped.models) >= 60
    for name, model in shipped.models.items():
        for key in (model.source, *model.sources.values(), *(w.source for w in model.weights if w.source)):
            assert key in shipped.sources, name
        assert (
            sum(group.num_layers for group in model.architecture.attention) <= model.architecture.num_layers
        )


def test_reading_the_shipped_catalogue_takes_less_than_half_a_second() -> None:
    load_shipped.cache_clear()
    started = time.perf_counter()
    load_catalogue()
    assert time.perf_counter() - started < 0.5


def test_a_users_full_entry_is_added(write: Callable[..., Path], shipped: Catalogue) -> None:
    found = load_catalogue([write({"tiny": MODEL}, sources=SOURCES)])
    assert found.models["tiny"].title == "Tiny"
    assert len(found.models) == len(shipped.models) + 1
    assert found.sources[found.models["tiny"].source].title == "Card"


def test_an_entry_needs_no_more_than_an_id_and_the_words_of_its_config(write: Callable[..., Path]) -> None:
    path = write({"tiny": {"hub_id": "me/tiny", "config": {**LLAMA, "torch_dtype": "float16"}}})
    catalogue = load_catalogue([path])
    model = catalogue.models["tiny"]
    assert (model.title, model.uses, model.max_context_tokens) == ("tiny", ("chat",), 2048)
    assert model.architecture.total_params == LLAMA_PARAMS
    assert (model.weights[0].hub_id, model.weights[0].format, model.is_estimate) == ("me/tiny", "fp16", True)
    assert catalogue.sources[model.source].url == path.as_uri()


def test_an_entry_may_name_a_config_json_beside_the_file(write: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "tiny.json").write_text(json.dumps(LLAMA))
    path = write(
        {"tiny": {"hub_id": "me/tiny", "config": "tiny.json", "uses": ["code"], "weight_bytes": 123456}}
    )
    model = load_catalogue([path]).models["tiny"]
    assert (model.uses, model.weights[0].weight_bytes) == (("code",), 123456)


def test_an_entry_may_name_a_folder(write: Callable[..., Path], make_model: Callable[..., Path]) -> None:
    make_model("tiny")
    model = load_catalogue([write({"tiny": {"folder": "tiny", "title": "My tiny one"}})]).models["tiny"]
    assert (model.title, model.weights[0].weight_bytes) == ("My tiny one", 2 * LLAMA_PARAMS)
    assert Path(model.folder).is_absolute()
    assert not model.is_estimate


def test_a_folder_that_is_gone_leaves_the_others_usable(
    write: Callable[..., Path], shipped: Catalogue
) -> None:
    path = write({"tiny": {"folder": "/no/such/folder"}})
    catalogue = load_catalogue([path])
    assert len(catalogue.models) == len(shipped.models)
    assert str(path) in catalogue.broken["tiny"]
    assert "/no/such/folder doesn't exist" in catalogue.broken["tiny"]


def test_a_shipped_model_is_overridden_field_by_field(write: Callable[..., Path], shipped: Catalogue) -> None:
    mine = {"qwen3-8b": {"defaults": {"max_model_len": 8192}, "architecture": {"vocab_size": 100}}}
    catalogue = load_catalogue([write(mine)])
    changed, below = catalogue.models["qwen3-8b"], shipped.models["qwen3-8b"]
    assert (changed.defaults.max_model_len, changed.architecture.vocab_size) == (8192, 100)
    assert changed.architecture.num_layers == below.architecture.num_layers
    assert changed.weights == below.weights
    assert catalogue.sources[changed.source] == shipped.sources[below.source]
    assert catalogue.sources[changed.sources["defaults"]].title == "mine.yml"
    assert load_catalogue().models["qwen3-8b"] == below


def test_another_checkpoint_of_a_shipped_model_inherits_no_bytes(write: Callable[..., Path]) -> None:
    model = load_catalogue([write({"qwen3-8b": {"hub_id": "me/finetuned"}})]).models["qwen3-8b"]
    assert [(w.hub_id, w.format, w.weight_bytes, w.revision) for w in model.weights] == [
        ("me/finetuned", "bf16", None, None)
    ]


def test_the_later_file_wins(write: Callable[..., Path]) -> None:
    first = write({"tiny": {**MODEL, "title": "first"}}, "1.yml", sources=SOURCES)
    second = write({"tiny": {**MODEL, "title": "second"}}, "2.yml", sources=SOURCES)
    assert load_catalogue([first, second]).models["tiny"].title == "second"
    assert load_catalogue([second, first]).models["tiny"].title == "first"


def fail(path: Path) -> str:
    with pytest.raises(FactFileError) as caught:
        load_catalogue([path])
    return str(caught.value)


def test_a_slip_is_told_with_file_line_and_what_is_allowed(write: Callable[..., Path]) -> None:
    path = write({"tiny": {**MODEL, "licens": "MIT"}}, sources=SOURCES)
    text = fail(path)
    line = next(i for i, row in enumerate(path.read_text().splitlines(), 1) if "licens" in row)
    assert f"{path}, line {line}:" in text
    assert "Did you mean `licence`?" in text


def test_a_wrong_value_is_told_with_its_line(write: Callable[..., Path]) -> None:
    path = write({"tiny": {**MODEL, "max_context_tokens": "long"}}, sources=SOURCES)
    assert "`models.tiny.max_context_tokens` can't be 'long'" in fail(path)


def test_a_source_that_the_file_does_not_have_is_told(write: Callable[..., Path]) -> None:
    text = fail(write({"tiny": {**MODEL, "source": "cart"}}, sources=SOURCES))
    assert "`cart` is not one of this file's sources" in text
    assert "card" in text


def test_sources_of_weights_are_checked_too(write: Callable[..., Path]) -> None:
    weights = [{"hub_id": "me/tiny", "format": "bf16", "source": "nowhere"}]
    path = write({"tiny": {**MODEL, "weights": weights}}, sources=SOURCES)
    line = next(i for i, row in enumerate(path.read_text().splitlines(), 1) if "nowhere" in row)
    assert f"line {line}: `nowhere`" in fail(path)


@pytest.mark.parametrize(
    "text", ["models: [", "models:\n  a: 1\n  a: 2\n", "- 1\n", "models: 3\n", "models: {a: 1}\n"]
)
def test_a_file_that_is_no_catalogue_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(text)
    assert str(path) in fail(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "can't be read" in fail(tmp_path / "none.yml")


def test_sources_that_are_no_mapping_are_told(write: Callable[..., Path]) -> None:
    assert "`sources`" in fail(write({"tiny": MODEL}, sources=[1]))


def test_a_name_in_two_shipped_files_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data" / "catalogue"
    folder.mkdir(parents=True)
    for name in ("a.yml", "b.yml"):
        (folder / name).write_text(yaml.safe_dump({"sources": SOURCES, "models": {"tiny": MODEL}}))
    monkeypatch.setattr(load, "files", lambda _: tmp_path)
    load_shipped.cache_clear()
    try:
        with pytest.raises(FactFileError, match="`tiny` stands in another"):
            load_catalogue()
    finally:
        load_shipped.cache_clear()


def test_sources_of_two_files_with_one_key_stay_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "catalogue"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        sources = {"card": {**SOURCES["card"], "title": f"Card of {name}"}}
        (folder / f"{name}.yml").write_text(
            yaml.safe_dump({"sources": sources, "models": {f"tiny-{name}": MODEL}})
        )
    monkeypatch.setattr(load, "files", lambda _: tmp_path)
    load_shipped.cache_clear()
    try:
        catalogue = load_catalogue()
    finally:
        load_shipped.cache_clear()
    assert catalogue.sources[catalogue.models["tiny-b"].source].title == "Card of b"


def test_a_refusal_by_vllm_can_be_overruled_where_a_plugin_brings_the_architecture(
    write: Callable[..., Path],
) -> None:
    config = {**LLAMA, "architectures": ["FooBarForCausalLM"]}
    entries = {"a": {"hub_id": "me/a", "config": config}, "b": {"hub_id": "me/b", "config": config}}
    models = load_catalogue([write({**entries, "b": {**entries["b"], "vllm_refusal": ""}})]).models
    assert "FooBarForCausalLM" in models["a"].vllm_refusal
    assert models["b"].vllm_refusal == ""
