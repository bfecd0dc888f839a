"""The shipped catalogue: Llama, Mistral, Gemma, GPT, GLM and DeepSeek, and what CURC keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import curc_llm
from curc_llm.catalogue.architecture import Architecture, AttentionGroup
from curc_llm.catalogue.model import Catalogue, Model
from curc_llm.factfile import make_facts, read_yaml
from tests.tracing import without_coverage

FOLDER = Path(curc_llm.__file__).parent / "data" / "catalogue"
CONFIGS = Path(__file__).parent / "configs"
FILES = ["deepseek", "devstral", "gemma", "gemma4", "glm", "gpt", "llama", "llama4", "mistral"]
# What the requirements, the second site's users and CURC's documentation name.
REQUIRED = {
    "codellama-34b-instruct",
    "glm-4.6v",
    "glm-4.7",
    "glm-4.7-flash",
    "gpt-neox-20b",
    "gpt-oss-120b",
    "llama-2-13b-chat",
    "llama-3.1-405b-instruct",
    "llama-3.1-70b-instruct",
    "llama-4-maverick",
    "llama-4-scout",
}
KEPT_BY_CURC = {"gpt-oss-20b", "gemma-4-26B-A4B-it", "gemma-3-12b-it", "Llama-3.1-8B-Instruct"}
# Models with another one's shape.
SHAPE_OF = {
    "deepseek-r1": "deepseek-v3",
    "deepseek-r1-distill-llama-70b": "llama-3.3-70b-instruct",
    "deepseek-r1-distill-llama-8b": "llama-3.1-8b-instruct",
    "deepseek-v3.1": "deepseek-v3",
    "glm-5.3": "glm-5.2",
    "medgemma-1.5-4b-it": "gemma-3-4b-it",
    "medgemma-27b-it": "gemma-3-27b-it",
}
# What the hub states for the safetensors, by the catalogue's source `counts`.
PUBLISHED = {
    "gemma-3-12b-it": 12187325040,
    "gemma-3-27b-it": 27432406640,
    "gemma-3-4b-it": 4300079472,
    "glm-4.7": 358337791296,  # GLM-4.5, the same shape
    "glm-5.1": 753864139008,  # GLM-5, the same shape
    "glm-5.3": 753329940480,
    "gpt-oss-120b": 116829156672,
    "gpt-oss-20b": 20914757184,
    "llama-3.1-70b-instruct": 70553706496,
    "llama-3.1-8b-instruct": 8030261248,
    "llama-3.2-3b-instruct": 3212749824,
    "llama-4-scout": 108641793536,
    "mistral-7b-instruct-v0.3": 7248023552,
    "mistral-small-3.2-24b-instruct": 24011361280,
}
# Sizes that makers and recipes round, in billions: all parameters, and those that one token passes through.
ROUNDED_B = {
    "deepseek-v3": (685, 37),
    "deepseek-v4-flash": (284, 13),
    "gemma-4-26b-a4b-it": (26, 4),
    "glm-4.6v": (108, 12),
    "glm-4.7": (358, 32),
    "glm-5.2": (753, 39),
    "gpt-oss-120b": (117, 5.1),
    "llama-4-maverick": (400, 17),
    "llama-4-scout": (109, 17),
    "mistral-large-3-675b-instruct": (675, 41),
    "mistral-small-4-119b": (119, 6.5),
    "mixtral-8x7b-instruct": (46.7, 12.9),
}
# Keys and values of a token in 16 bits, KiB, with every layer at full length.
KV_KIB = {
    "deepseek-v3": 68.625,
    "glm-4.7-flash": 52.875,
    "llama-2-13b-chat": 800,
    "llama-3.1-405b-instruct": 504,
    "llama-3.1-70b-instruct": 320,
    "llama-3.1-8b-instruct": 128,
    "mistral-small-4-119b": 22.5,
}
CORRECTION = ("deepseek_v3", "deepseek_v32", "glm4_moe", "glm4_moe_lite", "glm4v_moe", "glm_moe_dsa")


def read_file(name: str) -> Catalogue:
    path = FOLDER / f"{name}.yml"
    text, values = read_yaml(path, "catalogue")
    return make_facts(Catalogue, values, path, text)


CATALOGUES = {name: read_file(name) for name in FILES}
MODELS: dict[str, Model] = {name: m for part in CATALOGUES.values() for name, m in part.models.items()}


def read_config(name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((CONFIGS / f"{SHAPE_OF.get(name, name)}.json").read_text())
    return values


def read_text_config(name: str) -> dict[str, Any]:
    values = read_config(name)
    return dict(values.get("text_config", values))


def full_kv_bytes(group: AttentionGroup) -> int:
    heads = (group.num_kv_heads or 0) * ((group.head_dim or 0) + (group.v_head_dim or group.head_dim or 0))
    return group.num_layers * (2 * (heads + (group.latent_dim or 0)) + group.extra_bytes_per_token)


def source_keys(model: Model) -> set[str]:
    facts = (model, *model.weights)
    return {fact.source for fact in facts} | {key for fact in facts for key in fact.sources.values()}


def test_every_model_that_was_asked_for_is_there_once() -> None:
    assert len(MODELS) == sum(len(part.models) for part in CATALOGUES.values())
    assert MODELS.keys() >= REQUIRED


def test_what_curc_keeps_is_found_in_its_folder() -> None:
    kept = {w.site_path for model in MODELS.values() for w in model.weights if w.site_path}
    assert kept == set(KEPT_BY_CURC)


@pytest.mark.parametrize("file", FILES)
def test_each_figure_has_a_source_and_each_source_is_used(file: str) -> None:
    part = CATALOGUES[file]
    assert set().union(*(source_keys(model) for model in part.models.values())) == part.sources.keys()


def test_no_figure_from_memory_or_a_copy_passes_for_verified() -> None:
    for name, model in MODELS.items():
        assert not (model.verified and model.source in ("known", "configs", "inferred")), name
        for weights in model.weights:
            assert not (weights.verified and weights.source in ("names", "index", "shards")), weights.hub_id


@pytest.mark.parametrize(("name", "kib"), KV_KIB.items())
def test_a_token_keeps_as_many_bytes_as_is_known(name: str, kib: float) -> None:
    assert sum(map(full_kv_bytes, MODELS[name].architecture.attention)) == kib * 1024


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_keeps_something_but_those_that_share(name: str) -> None:
    architecture = MODELS[name].architecture
    sharing = read_text_config(name).get("num_kv_shared_layers", 0)
    assert sum(g.num_layers for g in architecture.attention) == architecture.num_layers - sharing


@pytest.mark.parametrize(
    "name", [n for n in MODELS if {"layer_types", "sliding_window"} <= read_text_config(n).keys()]
)
def test_layers_with_a_window_are_those_of_the_published_pattern(name: str) -> None:
    config, groups = read_text_config(name), {g.kind: g for g in MODELS[name].architecture.attention}
    own = config["layer_types"][: config["num_hidden_layers"] - config.get("num_kv_shared_layers", 0)]
    assert groups["sliding"].num_layers == own.count("sliding_attention")
    assert groups["full"].num_layers == own.count("full_attention")
    assert groups["sliding"].window_tokens == config["sliding_window"]
    assert groups["sliding"].head_dim == config["head_dim"]
    assert groups["full"].head_dim == config.get("global_head_dim", config["head_dim"])


@pytest.mark.parametrize("name", [n for n in MODELS if "index_topk" in read_text_config(n)])
def test_sparse_attention_counts_its_index_keys_where_a_layer_has_them(name: str) -> None:
    config = read_text_config(name)
    if "compress_ratios" in config:  # one key for 4 tokens; the rest is what FP8's layout adds
        compressed = config["compress_ratios"][: config["num_hidden_layers"]]
        assert MODELS[name].architecture.attention[0].num_layers == compressed.count(4)
        return
    key_bytes = config["index_head_dim"] + 4 * config["index_head_dim"] // 128
    key_bytes = -(-key_bytes // config.get("index_kpool", 1))
    kinds = config.get("indexer_types", config.get("layer_types", ["full"] * config["num_hidden_layers"]))
    layers = kinds.count("full") + kinds.count("full_attention")
    total = sum(g.num_layers * g.extra_bytes_per_token for g in MODELS[name].architecture.attention)
    assert total == layers * key_bytes


@pytest.mark.parametrize("name", MODELS)
def test_shape_is_that_of_the_published_config(name: str) -> None:
    config, architecture = read_text_config(name), MODELS[name].architecture
    assert architecture.num_layers == config["num_hidden_layers"]
    assert architecture.hidden_size == config["hidden_size"]
    assert architecture.num_attention_heads == config.get("num_attention_heads", 8)  # Gemma3TextConfig's
    assert architecture.vocab_size == config.get("vocab_size", 262208)  # likewise
    if name != "mistral-large-3-675b-instruct":  # known by params.json, which vLLM names itself
        assert architecture.class_name == read_config(name)["architectures"][0]


@pytest.mark.parametrize(("name", "total"), PUBLISHED.items())
def test_total_is_what_the_hub_states_to_the_last_parameter(name: str, total: int) -> None:
    assert MODELS[name].architecture.total_params == total


@pytest.mark.parametrize(("name", "rounded"), ROUNDED_B.items())
def test_totals_and_active_parameters_are_what_makers_say(name: str, rounded: tuple[float, float]) -> None:
    architecture = MODELS[name].architecture
    assert architecture.total_params / 1e9 == pytest.approx(rounded[0], rel=0.01)
    assert (architecture.active_params or 0) / 1e9 == pytest.approx(rounded[1], rel=0.13)


def test_bytes_agree_with_the_format() -> None:
    bits = {"bf16": (15.9, 16.1), "fp8": (8, 9.7), "mxfp4": (4.2, 5.5), "nvfp4": (4.4, 5.5)}
    for model in MODELS.values():
        for w in model.weights:
            if w.weight_bytes:
                per_param = w.weight_bytes * 8 / model.architecture.total_params
                assert bits[w.format][0] <= per_param <= bits[w.format][1], w.hub_id


@cache
def count_parts(name: str) -> dict[str, int]:
    """Parameters by name of what transformers builds from the config values, on the meta device."""
    import torch
    import transformers

    values = {k: v for k, v in read_config(name).items() if k != "quantization_config"}
    config = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
    with torch.device("meta"):
        model = getattr(transformers, values["architectures"][0])(config)
    model.tie_weights()
    return {key: parameter.numel() for key, parameter in model.named_parameters()}


def total_of(parts: dict[str, int], *words: str) -> int:
    return sum(size for key, size in parts.items() if any(word in key for word in words))


def count_biases(config: dict[str, Any], predicting: int) -> int:
    """Routers' correction biases, which transformers holds as buffers."""
    dense: int = config.get("first_k_dense_replace", 1)
    layers: int = config["num_hidden_layers"] - dense + predicting
    return layers * int(config["n_routed_experts"])


def checkpoint_extra(name: str, parts: dict[str, int]) -> int:
    """What the checkpoint holds besides: routers' correction biases, and DeepSeek's kind of prediction layer.

    That is a decoder layer, a projection from two hidden states to one, three norms and, but for GLM-5, its
    own input and output embeddings (vllm/model_executor/models/deepseek_mtp.py).
    """
    config, kind = read_text_config(name), read_config(name)["model_type"]
    if kind not in CORRECTION:
        return 0
    predicting: int = config.get("num_nextn_predict_layers", 0) if kind != "glm4v_moe" else 0
    hidden: int = config["hidden_size"]
    biases, last = count_biases(config, predicting), config["num_hidden_layers"] - 1
    layer: int = total_of(parts, f"model.layers.{last}.") + 2 * hidden**2 + 3 * hidden
    if kind != "glm_moe_dsa":
        return biases + predicting * (layer + 2 * int(config["vocab_size"]) * hidden)
    first_indexer = total_of(parts, "model.layers.0.self_attn.indexer.")
    lacking = first_indexer - total_of(parts, f"model.layers.{last}.self_attn.indexer.")
    return biases + layer + lacking


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of transformers' configuration classes, about values that it renamed
@pytest.mark.parametrize("name", sorted(set(MODELS) - SHAPE_OF.keys()))
def test_parameters_are_what_transformers_counts(name: str) -> None:
    parts, architecture = count_parts(name), MODELS[name].architecture
    vision = {
        key: n for key, n in parts.items() if any(w in key for w in ("vision", "visual", "audio", "modal"))
    }
    text = {key: n for key, n in parts.items() if key not in vision}
    assert architecture.total_params == sum(parts.values()) + checkpoint_extra(name, parts)
    assert architecture.vision_params == sum(vision.values())
    assert architecture.expert_params == total_of(text, ".experts.")
    assert architecture.embedding_params == total_of(text, "embed_tokens", "lm_head", "embed_in", "embed_out")
    assert architecture.active_params == active_of(architecture, text)


def active_of(architecture: Architecture, text: dict[str, int]) -> int | None:
    """Parameters of the language model that one token passes through; None where these are all."""
    per_layer_table = total_of(text, "embed_tokens_per_layer")
    if per_layer_table:
        return sum(text.values()) - per_layer_table
    if not architecture.num_experts:
        return None
    share = architecture.num_experts_per_token / architecture.num_experts
    return sum(text.values()) - architecture.expert_params + round(architecture.expert_params * share)


@pytest.mark.parametrize(("name", "shape"), SHAPE_OF.items())
def test_models_of_one_shape_have_the_same_numbers(name: str, shape: str) -> None:
    if shape in MODELS:
        assert MODELS[name].architecture == MODELS[shape].architecture


# In a process of its own: importing vLLM warns, and sets up logging.
VLLM_NAMES = """
import json
from vllm.model_executor.models.registry import ModelRegistry
from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager
print("RESULT", json.dumps([ModelRegistry.get_supported_archs(), ToolParserManager.list_registered(),
                            ReasoningParserManager.list_registered()], default=list))
"""


@pytest.mark.slow
@pytest.mark.engine
def test_vllm_knows_every_architecture_and_parser_by_its_name() -> None:
    own = without_coverage(os.environ)
    done = subprocess.run(
        [sys.executable, "-c", VLLM_NAMES], env=own, capture_output=True, text=True, check=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    architectures, tool, reasoning = json.loads(line.removeprefix("RESULT "))
    for name, model in MODELS.items():
        assert model.architecture.class_name in architectures, name
        assert model.tool_call_parser in (None, *tool), name
        assert model.reasoning_parser in (None, *reasoning), name
