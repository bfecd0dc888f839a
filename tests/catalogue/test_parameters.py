from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curc_llm.catalogue.config_keys import Keys
from curc_llm.catalogue.parameters import Parameters, count_parameters
from curc_llm.errors import ModelNotFoundError
from tests.catalogue.meta_count import CONFIGS
from tests.catalogue.meta_count import count_parameters as count_with_transformers

NAMES = sorted(path.stem for path in CONFIGS.glob("*.json"))
# Tiny ones of families that the catalogue has no model of: every kind of layer is counted right.
TINY: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 500, "n_positions": 128},
    "gptj": {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 500, "rotary_dim": 8},
    "gpt_bigcode": {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 500},
    "falcon": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 500},
    "phi": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 500},
    "starcoder2": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 500},
    "cohere2": {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "vocab_size": 500},
    "olmo2": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 500},
    "gemma2": {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "vocab_size": 500,
    },
    "phimoe": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 500}
    | {"num_key_value_heads": 2, "intermediate_size": 96},
    "deepseek_v2": {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 500}
    | {"kv_lora_rank": 32, "q_lora_rank": None, "n_routed_experts": 8, "moe_intermediate_size": 48}
    | {"num_experts_per_tok": 2, "first_k_dense_replace": 1, "n_shared_experts": 2},
    "falcon_h1": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 500}
    | {"num_key_value_heads": 2, "head_dim": 16, "mamba_n_heads": 8, "mamba_d_ssm": 128, "mamba_d_head": 16},
    "jamba": {"hidden_size": 64, "num_hidden_layers": 8, "num_attention_heads": 4, "vocab_size": 500}
    | {"intermediate_size": 96, "num_experts": 4, "num_key_value_heads": 2},
    "mamba2": {"hidden_size": 64, "num_hidden_layers": 2, "num_heads": 8, "head_dim": 16, "vocab_size": 500},
    "falcon_mamba": {"hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 500},
    "minimax_m2": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 500}
    | {"num_local_experts": 4, "intermediate_size": 48, "num_experts_per_tok": 2, "head_dim": 16},
    "lfm2_moe": {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "vocab_size": 500}
    | {"num_experts": 4, "moe_intermediate_size": 48, "num_experts_per_tok": 2, "num_dense_layers": 2}
    | {"layer_types": ["conv", "conv", "full_attention", "conv"], "num_key_value_heads": 2},
    "exaone4": {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "vocab_size": 500},
    "afmoe": {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "vocab_size": 500}
    | {"num_experts": 4, "moe_intermediate_size": 48, "num_experts_per_tok": 2, "head_dim": 16},
}


def read(name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((CONFIGS / f"{name}.json").read_text())
    return config


def count(config: dict[str, Any]) -> Parameters:
    return count_parameters(Keys(config), (config.get("architectures") or [""])[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, when models are made
@pytest.mark.parametrize("name", NAMES)
def test_total_and_active_are_within_three_percent_of_transformers_own_count(name: str) -> None:
    config = read(name)
    ours, theirs = count(config), count_with_transformers(without_quantisation(config))
    assert ours.text + ours.vision == pytest.approx(theirs.total, rel=0.03)
    idle = theirs.expert * (1 - ours.share_active)
    active = ours.active + ours.per_layer_embeddings + ours.vision
    assert active == pytest.approx(theirs.total - idle, rel=0.03)
    assert ours.experts == pytest.approx(theirs.expert, rel=0.01)


def without_quantisation(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "quantization_config"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, when models are made
@pytest.mark.parametrize("model_type", sorted(TINY))
def test_every_family_is_counted_as_transformers_does(model_type: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    values = TINY[model_type]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **values))
    theirs = sum(parameter.numel() for parameter in model.parameters())
    assert count({"model_type": model_type, **values}).total == pytest.approx(theirs, rel=0.03)


# Published by the makers: model cards and papers.
PUBLISHED = [
    ("llama-3.1-8b-instruct", 8.03, 8.03),
    ("llama-3.1-405b-instruct", 405.9, 405.9),
    ("qwen3-30b-a3b-instruct-2507", 30.5, 3.3),
    ("qwen3-235b-a22b-instruct-2507", 235.1, 22.2),
    ("gpt-oss-120b", 116.8, 5.7),
    ("mixtral-8x7b-instruct", 46.7, 12.9),
    ("qwen3-next-80b-a3b-instruct", 81.3, 3.9),
]


@pytest.mark.parametrize(("name", "total_b", "active_b"), PUBLISHED)
def test_counts_are_those_that_the_makers_publish(name: str, total_b: float, active_b: float) -> None:
    found = count(read(name))
    assert (found.total / 1e9, found.active / 1e9) == pytest.approx((total_b, active_b), rel=0.02)


def test_deepseek_v3_has_671_billion_parameters_and_14_for_prediction() -> None:
    found = count(read("deepseek-v3"))
    assert (found.total - found.prediction) / 1e9 == pytest.approx(671.0, rel=0.001)
    assert found.prediction / 1e9 == pytest.approx(14, rel=0.06)
    assert found.active / 1e9 == pytest.approx(37, rel=0.03)


def test_the_parts_add_up() -> None:
    found = count(read("qwen3-vl-30b-a3b-instruct"))
    assert found.total == found.text + found.vision + found.prediction
    assert found.text - found.active == found.experts * 15 // 16  # 8 of 128 experts


def test_tied_embeddings_count_once() -> None:
    config = read("qwen3-8b")
    tied = count({**config, "tie_word_embeddings": True})
    assert count(config).total - tied.total == 151936 * 4096


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "vocab_size", "num_attention_heads"])
def test_a_missing_number_is_named(key: str) -> None:
    config = {k: v for k, v in read("llama-3.1-8b-instruct").items() if k not in {key, "model_type"}}
    with pytest.raises(ModelNotFoundError, match=key):
        count(config)


@pytest.mark.parametrize("value", [-1, "many", True, 10**12, float("nan")])
def test_absurd_numbers_are_told_with_their_value(value: object) -> None:
    with pytest.raises(ModelNotFoundError, match="hidden_size"):
        count({**read("llama-3.1-8b-instruct"), "hidden_size": value})


def test_a_million_layers_are_refused_at_once() -> None:
    with pytest.raises(ModelNotFoundError, match="layers"):
        count({**read("llama-3.1-8b-instruct"), "num_hidden_layers": 10**6})


def test_the_published_configs_are_many() -> None:
    assert len(NAMES) >= 60
    assert Path(CONFIGS).is_dir()
