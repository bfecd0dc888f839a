from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.catalogue.config_json import model_from_config, read_config
from curc_llm.catalogue.model import Catalogue
from curc_llm.errors import ModelNotFoundError
from tests.catalogue.conftest import LLAMA, LLAMA_PARAMS
from tests.catalogue.meta_count import CONFIGS

FIGURES = (
    "num_layers",
    "hidden_size",
    "num_attention_heads",
    "vocab_size",
    "num_experts",
    "num_experts_per_token",
)


def read(name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((CONFIGS / f"{name}.json").read_text())
    return config


def test_a_config_becomes_a_model_and_says_that_it_is_an_estimate() -> None:
    model = model_from_config(LLAMA, title="mine", hub_id="me/mine")
    assert (model.title, model.is_estimate, model.assumed, model.uses) == ("mine", True, (), ("chat",))
    assert model.architecture.total_params == LLAMA_PARAMS
    assert (model.max_context_tokens, model.weights[0].hub_id, model.weights[0].format) == (
        2048,
        "me/mine",
        "bf16",
    )


def test_config_and_shipped_catalogue_tell_the_same(shipped: Catalogue) -> None:
    compared, differing = 0, []
    for name, model in shipped.models.items():
        if not (CONFIGS / f"{name}.json").exists():
            continue
        compared += 1
        ours = model_from_config(read(name), title=name).architecture
        wrong = [f for f in FIGURES if getattr(ours, f) != getattr(model.architecture, f)]
        if wrong or abs(ours.total_params / model.architecture.total_params - 1) > 0.03:
            differing.append((name, wrong, ours.total_params, model.architecture.total_params))
    assert differing == []
    assert compared >= 60


def test_a_model_that_sees_says_so() -> None:
    model = model_from_config(read("qwen3-vl-8b-instruct"), title="eyes")
    assert (model.modalities, model.uses) == (("image",), ("chat", "vision"))
    assert model.architecture.vision_params > 5e8


@pytest.mark.parametrize("name", ["bge-m3", "e5-mistral-7b-instruct", "nomic-embed-text-v1.5"])
def test_encoders_are_for_embeddings(name: str) -> None:
    assert model_from_config(read(name), title=name).uses == ("embeddings",)


def test_positions_of_roberta_start_behind_the_padding() -> None:
    assert model_from_config(read("bge-m3"), title="x").max_context_tokens == 8192


def test_an_unknown_architecture_says_what_it_was_taken_for() -> None:
    config = {
        **LLAMA,
        "model_type": "telepath",
        "architectures": ["TelepathForCausalLM"],
        "auto_map": {"a": "b"},
    }
    model = model_from_config(config, title="x")
    assert model.architecture.class_name == "TelepathForCausalLM"
    assert "telepath" in model.assumed[0]
    assert "dense decoder with grouped-query attention" in model.assumed[0]
    assert model.trust_remote_code
    assert model.architecture.total_params == LLAMA_PARAMS


def test_an_unknown_architecture_with_experts_is_not_called_dense() -> None:
    config = {**LLAMA, "model_type": "telepath", "num_experts": 8, "num_experts_per_tok": 2}
    model = model_from_config(config, title="x")
    assert "with experts" in model.assumed[0]
    assert model.architecture.num_experts == 8
    assert model.architecture.active_params is not None
    assert model.architecture.active_params < model.architecture.total_params


def test_layers_of_unknown_kinds_and_of_differing_sizes_are_told() -> None:
    config = {**LLAMA, "layer_types": ["full_attention", "telepathy"], "block_configs": [{}, {}]}
    told = " ".join(model_from_config(config, title="x").assumed)
    assert "telepathy" in told
    assert "differ from each other" in told


def test_a_length_that_is_not_told_is_assumed_as_vllm_does() -> None:
    config = {**LLAMA, "model_type": "telepath"}
    del config["max_position_embeddings"]
    model = model_from_config(config, title="x")
    assert model.max_context_tokens == 2048
    assert "2048 tokens are assumed" in model.assumed[-1]


def test_a_config_without_architectures_is_named_by_its_type() -> None:
    config = {key: value for key, value in LLAMA.items() if key != "architectures"}
    assert model_from_config(config, title="x").architecture.class_name == "llama"


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "[" * 100_000, "\xff"])
def test_a_broken_file_is_told_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelNotFoundError, match=r"config\.json"):
        read_config(path)


def test_a_missing_or_monstrous_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="No such file"):
        read_config(tmp_path / "config.json")
    with (tmp_path / "big.json").open("wb") as file:
        file.truncate(17 * 2**20)
    with pytest.raises(ModelNotFoundError, match="16 MiB"):
        read_config(tmp_path / "big.json")


def test_the_text_part_of_mistrals_own_file_is_understood() -> None:
    params = {"dim": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "hidden_dim": 128}
    model = model_from_config({**params, "vocab_size": 100, "max_position_embeddings": 4096}, title="x")
    assert model.architecture.total_params == LLAMA_PARAMS
    assert model.architecture.attention[0].num_kv_heads == 2


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
TOUCHY = (
    *("architectures", "layer_types", "linear_attn_config", "intermediate_size", "head_dim", "vision_config"),
    *(
        "num_experts",
        "moe_layers",
        "attn_layer_indices",
        "quantization_config",
        "rope_scaling",
        "text_config",
    ),
    *(
        "sliding_window",
        "sliding_window_pattern",
        "no_rope_layers",
        "num_key_value_heads",
        "model_type",
        "moe",
    ),
    *(
        "kv_lora_rank",
        "compress_ratios",
        "hybrid_override_pattern",
        "audio_config",
        "max_position_embeddings",
    ),
)


@given(st.dictionaries(st.sampled_from(TOUCHY), ANY_JSON, max_size=4))
def test_whatever_stands_in_a_config_it_is_a_model_or_told(changes: dict[str, Any]) -> None:
    try:
        assert model_from_config({**LLAMA, **changes}, title="x").architecture.total_params > 0
    except ModelNotFoundError as error:
        assert error.remedy  # noqa: PT017 - either is right
