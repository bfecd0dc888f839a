from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from curc_llm.catalogue.attention_groups import make_groups
from curc_llm.catalogue.config_keys import Keys
from curc_llm.catalogue.layers import list_layers, unknown_words
from curc_llm.catalogue.model import Catalogue
from tests.catalogue.meta_count import CONFIGS

HEADS = {"hidden_size": 64, "num_attention_heads": 4, "head_dim": 16}


def kinds(config: dict[str, Any]) -> Counter[str]:
    return Counter(layer.mixer for layer in list_layers(Keys(config)))


def moe_layers(config: dict[str, Any]) -> list[int]:
    return [i for i, layer in enumerate(list_layers(Keys(config))) if layer.feed_forward == "moe"]


CASES: list[tuple[dict[str, Any], dict[str, int]]] = [
    ({"num_hidden_layers": 4}, {"full": 4}),
    ({"num_hidden_layers": 4, "sliding_window": 128}, {"sliding": 4}),
    ({"num_hidden_layers": 4, "sliding_window": 128, "use_sliding_window": False}, {"full": 4}),
    ({"num_hidden_layers": 4, "sliding_window": 9000, "max_position_embeddings": 8192}, {"full": 4}),
    (
        {"num_hidden_layers": 12, "sliding_window": 128, "sliding_window_pattern": 6},
        {"sliding": 10, "full": 2},
    ),
    (
        {"num_hidden_layers": 4, "sliding_window": 128, "sliding_window_pattern": "LLLG"},
        {"sliding": 3, "full": 1},
    ),
    ({"num_hidden_layers": 4, "model_type": "gemma2"}, {"sliding": 2, "full": 2}),
    ({"num_hidden_layers": 8, "model_type": "llama4_text"}, {"chunked": 6, "full": 2}),
    ({"num_hidden_layers": 2, "kv_lora_rank": 512}, {"mla": 2}),
    ({"num_hidden_layers": 8, "full_attention_interval": 4}, {"linear": 6, "full": 2}),
    ({"num_hidden_layers": 8, "attn_layer_period": 8, "attn_layer_offset": 4}, {"linear": 7, "full": 1}),
    ({"num_hidden_layers": 3, "attn_layer_indices": [1]}, {"linear": 2, "full": 1}),
    ({"num_hidden_layers": 3, "attn_type_list": [0, 0, 1]}, {"linear": 2, "full": 1}),
    ({"num_hidden_layers": 2, "linear_attn_config": {"kda_layers": [1]}}, {"linear": 1, "full": 1}),
    ({"num_hidden_layers": 2, "model_type": "mamba2"}, {"linear": 2}),
    ({"num_hidden_layers": 2, "model_type": "falcon_h1"}, {"hybrid": 2}),
    (
        {"num_hidden_layers": 3, "sliding_window": 8, "hybrid_layer_pattern": [0, 1, 1]},
        {"full": 1, "sliding": 2},
    ),
    ({"model_type": "nemotron_h", "hybrid_override_pattern": "M-M*E"}, {"linear": 2, "full": 1, "": 2}),
    ({"num_hidden_layers": 2, "layer_types": ["full_attention", "telepathy"]}, {"full": 2}),
]


@pytest.mark.parametrize(("config", "wanted"), CASES)
def test_how_layers_look_back_is_read_from_the_familys_own_keys(
    config: dict[str, Any], wanted: dict[str, int]
) -> None:
    assert kinds(config) == wanted


def test_kinds_that_nobody_knows_are_told() -> None:
    keys = Keys({"num_hidden_layers": 2, "layer_types": ["full_attention", "telepathy"]})
    assert unknown_words(keys) == ["telepathy"]


EXPERTS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [0, 1, 2, 3]),
    ({"first_k_dense_replace": 1}, [1, 2, 3]),
    ({"mlp_only_layers": [0, 2]}, [1, 3]),
    ({"decoder_sparse_step": 2}, [1, 3]),
    ({"interleave_moe_layer_step": 2}, [1, 3]),
    ({"moe_layers": [0, 3]}, [0, 3]),
    ({"moe_layers_enum": "2,3"}, [2, 3]),
    ({"moe_layer_freq": [0, 1, 1, 1]}, [1, 2, 3]),
    ({"moe_layer_start_index": 1, "moe_layer_end_index": 2, "moe_layer_interval": 1}, [1, 2]),
    ({"mlp_layer_types": ["dense", "sparse", "dense", "sparse"]}, [1, 3]),
    ({"expert_layer_period": 2, "expert_layer_offset": 1}, [1, 3]),
]


@pytest.mark.parametrize(("extra", "wanted"), EXPERTS)
def test_which_layers_have_experts_is_read_from_the_familys_own_keys(
    extra: dict[str, Any], wanted: list[int]
) -> None:
    assert moe_layers({"num_hidden_layers": 4, "num_experts": 8, **extra}) == wanted


def test_layers_that_share_keys_and_values_keep_nothing() -> None:
    config = {**HEADS, "num_hidden_layers": 4, "num_kv_shared_layers": 1, "num_key_value_heads": 2}
    groups = make_groups(Keys(config), list_layers(Keys(config)))
    assert [(group.num_layers, group.num_kv_heads, group.head_dim) for group in groups] == [(3, 2, 16)]


def test_an_encoder_keeps_nothing() -> None:
    config = {**HEADS, "model_type": "bert", "num_hidden_layers": 4}
    assert make_groups(Keys(config), list_layers(Keys(config))) == ()


# vLLM 0.32 keeps 656 bytes a token for DeepSeek-V3.2 in its own FP8 layout, and 132 for the indexer.
def test_deepseeks_sparse_attention_keeps_index_keys_besides_the_latent() -> None:
    config = json.loads((CONFIGS / "deepseek-v3.2.json").read_text())
    (group,) = make_groups(Keys(config), list_layers(Keys(config)))
    assert (group.kind, group.num_layers, group.latent_dim, group.extra_bytes_per_token) == (
        "mla",
        61,
        576,
        132,
    )


def test_the_kinds_of_layers_agree_with_the_shipped_catalogue(shipped: Catalogue) -> None:
    differing = []
    for name, model in shipped.models.items():
        path = CONFIGS / f"{name}.json"
        if not path.exists():
            continue
        keys = Keys(json.loads(path.read_text()))
        ours = {group.kind: group.num_layers for group in make_groups(keys, list_layers(keys))}
        theirs = {group.kind: group.num_layers for group in model.architecture.attention}
        if "deepseek-v4" not in name and ours != theirs:
            differing.append((name, ours, theirs))
    assert differing == []
