from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curc_llm.engine.context import choose_context, derive_context_limit, read_context_limit

# The relevant parts of published configurations.
PUBLISHED = [
    ({"model_type": "llama", "max_position_embeddings": 8192}, 8192),
    (
        {
            "model_type": "llama",
            "max_position_embeddings": 131072,
            "rope_scaling": {"rope_type": "llama3", "factor": 8.0},
        },
        131072,
    ),
    ({"model_type": "gpt2", "n_positions": 1024, "n_ctx": 1024}, 1024),
    ({"model_type": "opt", "max_position_embeddings": 2048}, 2048),
    ({"model_type": "chatglm", "seq_length": 131072}, 131072),
    ({"model_type": "cohere", "max_position_embeddings": 8192, "model_max_length": 131072}, 131072),
    (
        {
            "model_type": "gemma3",
            "text_config": {"model_type": "gemma3_text", "max_position_embeddings": 131072},
        },
        131072,
    ),
    (
        {
            "model_type": "gemma3_text",
            "max_position_embeddings": 131072,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0},
                "sliding_attention": {"rope_type": "default"},
            },
        },
        131072,
    ),
    ({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 4.0}}, 16384),
    ({"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "dynamic", "factor": 2}}, 8192),
    ({"max_position_embeddings": 32768, "rope_scaling": {"type": "yarn", "factor": 4.0}}, 32768),
    (
        {"max_position_embeddings": 4096, "rope_parameters": {"a": {"rope_type": "linear", "factor": 2.0}}},
        8192,
    ),
    ({"thinker_config": {"text_config": {"max_position_embeddings": 32768}}}, 32768),
    ({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": None}}, 4096),
    ({"model_type": "mamba"}, None),
    ({"max_position_embeddings": "many", "seq_length": True}, None),
]


@pytest.mark.parametrize(("config", "limit"), PUBLISHED)
def test_the_limit_is_derived_as_vllm_does(config: dict[str, Any], limit: int | None) -> None:
    assert derive_context_limit(config) == limit


def test_the_limit_is_read_from_the_models_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 2048}))
    assert read_context_limit(tmp_path) == 2048


def test_mistrals_own_file_counts_where_there_is_no_other(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text(json.dumps({"max_position_embeddings": 40960}))
    assert read_context_limit(tmp_path) == 40960


def test_an_embedding_model_states_its_limit_apart(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 514}))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 256}))
    assert read_context_limit(tmp_path) == 256


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', "{}"])
def test_a_broken_configuration_has_no_limit(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    assert read_context_limit(tmp_path) is None


def test_what_is_wanted_is_lowered_to_the_limit_and_never_raised() -> None:
    assert choose_context(32768, 2048) == 2048
    assert choose_context(1024, 2048) == 1024
    assert choose_context(None, 2048) is None
    assert choose_context(1024, None) == 1024
