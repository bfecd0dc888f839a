"""The shipped catalogue: Qwen, Kimi, MiniMax, NVIDIA, small, medium, vision, code and embedding models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import curc_llm
from curc_llm.catalogue.architecture import AttentionGroup
from curc_llm.catalogue.model import Catalogue, Model
from curc_llm.factfile import make_facts, read_yaml
from tests.catalogue.meta_count import CONFIGS, count_parameters, count_prediction, read_config
from tests.tracing import without_coverage

FOLDER = Path(curc_llm.__file__).parent / "data" / "catalogue"
FILES = [
    "embeddings",
    "kimi",
    "medium",
    "minimax",
    "nvidia",
    "qwen-coder",
    "qwen-vision",
    "qwen2.5",
    "qwen3",
    "qwen3-moe",
    "qwen3.5",
    "qwen3.6",
    "small",
]
# Row B5 of the requirements names it.
REQUIRED = {"qwen3-vl-235b-a22b-instruct"}
# Their checkpoints hold prediction layers.
PREDICTING = {
    "nemotron-3-super-120b-a12b",
    "qwen3-next-80b-a3b-instruct",
    "qwen3.5-4b",
    "qwen3.5-9b",
    "qwen3.5-27b",
    "qwen3.5-35b-a3b",
    "qwen3.5-122b-a10b",
    "qwen3.5-397b-a17b",
    "qwen3.6-27b",
    "qwen3.6-35b-a3b",
    "qwen3.8-27b",
}
# Sizes as hub and model cards print them, in billions, with half a unit of the last digit.
PUBLISHED_B = {
    "qwen3-8b": (8.19, 0.005),
    "qwen3-30b-a3b-instruct-2507": (30.5, 0.05),
    "qwen3-235b-a22b-instruct-2507": (235.0, 0.5),
    "qwen3-next-80b-a3b-instruct": (81.3, 0.05),
    "qwen3-coder-480b-a35b-instruct": (480.0, 0.5),
    "qwen3-vl-8b-instruct": (8.77, 0.005),
    "qwen3-vl-32b-instruct": (33.36, 0.005),
    "qwen3.5-4b": (4.66, 0.005),
    "qwen3.5-9b": (9.65, 0.005),
    "qwen3.5-27b": (27.78, 0.005),
    "qwen3.5-35b-a3b": (35.95, 0.005),
    "qwen3.5-122b-a10b": (125.09, 0.005),
    "qwen3.5-397b-a17b": (403.4, 0.05),
    "qwen2.5-7b-instruct": (7.62, 0.005),
    "qwen2.5-vl-7b-instruct": (8.29, 0.005),
    "nemotron-3-nano-30b-a3b": (31.6, 0.05),
    "nemotron-3-nano-4b": (3.97, 0.005),
    "phi-4": (14.7, 0.05),
    "qwen3-embedding-8b": (7.57, 0.005),
}
# Parameters that one token passes through, as the makers round them; some leave input embeddings out.
ACTIVE_B = {
    "qwen3-30b-a3b-instruct-2507": 3.3,
    "qwen3-235b-a22b-instruct-2507": 22,
    "qwen3-coder-480b-a35b-instruct": 35,
    "qwen3.5-122b-a10b": 10,
    "nemotron-3-super-120b-a12b": 12.7,
    "kimi-k2-thinking": 32,
    "minimax-m2.5": 10,
}


def read_file(name: str) -> Catalogue:
    path = FOLDER / f"{name}.yml"
    text, values = read_yaml(path, "catalogue")
    return make_facts(Catalogue, values, path, text)


CATALOGUES = {name: read_file(name) for name in FILES}
MODELS: dict[str, Model] = {
    name: m for catalogue in CATALOGUES.values() for name, m in catalogue.models.items()
}


def source_keys(model: Model) -> set[str]:
    facts = (model, *model.weights)
    return {fact.source for fact in facts} | {key for fact in facts for key in fact.sources.values()}


def kv_bytes_per_token(groups: tuple[AttentionGroup, ...]) -> int:
    return sum(
        g.num_layers * 2 * (g.num_kv_heads or 0) * (g.head_dim or 0) * 2 for g in groups if g.kind == "full"
    )


def test_each_name_stands_once_over_all_files() -> None:
    assert len(MODELS) == sum(len(catalogue.models) for catalogue in CATALOGUES.values())
    assert MODELS.keys() >= REQUIRED


@pytest.mark.parametrize("file", FILES)
def test_each_figure_has_a_source_and_each_source_is_used(file: str) -> None:
    catalogue = CATALOGUES[file]
    used = set().union(*(source_keys(model) for model in catalogue.models.values()))
    assert used == catalogue.sources.keys()


def test_each_use_that_people_come_for_has_small_and_large_models() -> None:
    for use, least in {"chat": 20, "code": 10, "reasoning": 15, "vision": 8, "embeddings": 6}.items():
        assert sum(use in model.uses for model in MODELS.values()) >= least, use


@pytest.mark.parametrize("name", MODELS)
def test_layers_with_memory_are_no_more_than_layers(name: str) -> None:
    architecture = MODELS[name].architecture
    assert sum(group.num_layers for group in architecture.attention) <= architecture.num_layers
    for group in architecture.attention:
        assert {
            "full": group.num_kv_heads and group.head_dim,
            "sliding": group.num_kv_heads and group.head_dim and group.window_tokens,
            "mla": group.latent_dim,
            "linear": group.state_bytes,
        }[group.kind], group


def test_qwen3_32b_keeps_256_kib_per_token() -> None:
    assert kv_bytes_per_token(MODELS["qwen3-32b"].architecture.attention) == 256 * 1024


@pytest.mark.parametrize("name", PUBLISHED_B)
def test_total_parameters_are_what_the_hub_prints(name: str) -> None:
    size_b, half_a_unit = PUBLISHED_B[name]
    assert MODELS[name].architecture.total_params / 1e9 == pytest.approx(size_b, abs=half_a_unit)


@pytest.mark.parametrize("name", ACTIVE_B)
def test_active_parameters_are_what_the_maker_says(name: str) -> None:
    active = MODELS[name].architecture.active_params
    assert active is not None
    assert active / 1e9 == pytest.approx(ACTIVE_B[name], rel=0.12)


def test_bytes_of_16_bit_checkpoints_are_two_per_parameter() -> None:
    for model in MODELS.values():
        for weights in model.weights:
            if weights.format == "bf16" and weights.weight_bytes:
                assert weights.weight_bytes == pytest.approx(2 * model.architecture.total_params, rel=1e-3)


@pytest.mark.parametrize("name", sorted(MODELS.keys() & {path.stem for path in CONFIGS.glob("*.json")}))
def test_shape_is_that_of_the_published_config(name: str) -> None:
    values = read_config(name)
    values |= values.get("text_config", {})
    architecture = MODELS[name].architecture
    assert architecture.num_layers == values["num_hidden_layers"]
    assert architecture.hidden_size == values["hidden_size"]
    assert architecture.num_attention_heads == values["num_attention_heads"]
    assert architecture.vocab_size == values["vocab_size"]
    assert architecture.class_name == read_config(name)["architectures"][0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of transformers' configuration classes, about values that it renamed
@pytest.mark.parametrize("name", sorted(MODELS.keys() & {path.stem for path in CONFIGS.glob("*.json")}))
def test_parameters_are_what_transformers_counts(name: str) -> None:
    values, architecture = read_config(name), MODELS[name].architecture
    count = count_parameters(values)
    prediction = count_prediction(values) if name in PREDICTING else 0
    assert architecture.total_params == count.total + prediction
    assert architecture.embedding_params == count.embedding
    assert architecture.expert_params == count.expert
    assert architecture.vision_params == count.vision


# In a process of its own: importing vLLM warns, and sets up logging.
VLLM_CHECK = """
import json, sys
from vllm.model_executor.layers.mamba.mamba_utils import MambaStateShapeCalculator as S
from vllm.model_executor.models.registry import ModelRegistry
from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager
from math import prod
size = lambda shapes, bytes_each: sum(prod(shape) * b for shape, b in zip(shapes, bytes_each))
print("RESULT", json.dumps({
    "architectures": sorted(ModelRegistry.get_supported_archs()),
    "tool": sorted(ToolParserManager.list_registered()),
    "reasoning": sorted(ReasoningParserManager.list_registered()),
    "states": {
        "qwen3-next-80b-a3b-instruct": size(S.gated_delta_net_state_shape(1, 16, 32, 128, 128, 4), (2, 2)),
        "qwen3.5-27b": size(S.gated_delta_net_state_shape(1, 16, 48, 128, 128, 4), (2, 4)),
        "qwen3.5-122b-a10b": size(S.gated_delta_net_state_shape(1, 16, 64, 128, 128, 4), (2, 4)),
        "nemotron-3-nano-30b-a3b": size(S.mamba2_state_shape(1, 4096, 8, 64, 64, 128, 4), (2, 4)),
        "nemotron-nano-9b-v2": size(S.mamba2_state_shape(1, 10240, 8, 128, 80, 128, 4), (2, 4)),
        "granite-4.0-h-small": size(S.mamba2_state_shape(1, 8192, 1, 128, 64, 128, 4), (2, 2)),
        "kimi-linear-48b-a3b-instruct": size(S.kda_state_shape(1, 32, 128), (2, 4)),
        "lfm2.5-1.2b-instruct": size(S.short_conv_state_shape(1, 2048, 3), (2,)),
    },
}))
"""


@pytest.mark.slow
@pytest.mark.engine
def test_vllm_knows_each_architecture_and_parser_and_computes_the_same_states() -> None:
    done = subprocess.run(
        [sys.executable, "-c", VLLM_CHECK],
        env=without_coverage(os.environ),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.split("RESULT ")[1])
    for name, model in MODELS.items():
        assert model.architecture.class_name in answer["architectures"], name
        assert model.tool_call_parser in {None, *answer["tool"]}, name
        assert model.reasoning_parser in {None, *answer["reasoning"]}, name
    for name, state_bytes in answer["states"].items():
        linear = [group for group in MODELS[name].architecture.attention if group.kind == "linear"]
        assert [group.state_bytes for group in linear] == [state_bytes], name
