"""What vLLM is certain to refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from curc_llm.catalogue.config_json import model_from_config
from curc_llm.catalogue.model import Catalogue
from curc_llm.catalogue.vllm_support import look_up_support
from curc_llm.errors import ModelNotFoundError
from tests.catalogue.conftest import LLAMA
from tests.catalogue.make_vllm_architectures import FILE, make_table


@pytest.mark.slow
def test_the_table_is_that_of_the_installed_vllm_and_transformers() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == make_table(), (
        "run: .venv/bin/python -m tests.catalogue.make_vllm_architectures"
    )


def test_the_table_has_what_it_is_made_of() -> None:
    table = json.loads(FILE.read_text(encoding="utf-8"))
    assert {"LlamaForCausalLM", "BertModel", "Qwen3ForCausalLM"} <= set(table["known"])
    assert "T5ForConditionalGeneration" not in {*table["known"], *table["transformers"]}


@pytest.mark.parametrize(
    "config",
    [
        {"architectures": ["LlamaForCausalLM"]},
        {"architectures": ["FooBar", "LlamaForCausalLM"]},
        {"architectures": ["Qwen3Model"]},  # vLLM takes Qwen3ForCausalLM
        {"architectures": ["LlamaForSequenceClassification"]},
        {"architectures": None},
        {},
    ],
)
def test_what_vllm_has_code_for_is_neither_refused_nor_doubted(config: dict[str, Any]) -> None:
    assert look_up_support(config) == ("", "")


def test_what_it_has_no_code_for_is_refused() -> None:
    refusal = look_up_support({"architectures": ["FooBarForCausalLM"]}).refusal
    assert "has no code for FooBarForCausalLM, so it refuses this model" in refusal
    assert look_up_support({"architectures": ["T5ForConditionalGeneration"]}).refusal


def test_what_it_had_code_for_is_refused_or_doubted_by_its_last_version() -> None:
    assert "only up to version 0.10.2" in look_up_support({"architectures": ["MotifForCausalLM"]}).refusal
    recent = look_up_support({"architectures": ["RWForCausalLM"]})
    assert (recent.refusal, "only up to version 0.28.0" in recent.doubt) == ("", True)


def test_plugins_are_named() -> None:
    assert "bart-plugin" in look_up_support({"architectures": ["BartForConditionalGeneration"]}).refusal


def test_code_of_transformers_or_of_the_model_is_a_doubt() -> None:
    by_transformers = look_up_support({"architectures": ["DiffLlamaForCausalLM"]})
    assert (by_transformers.refusal, "run transformers'" in by_transformers.doubt) == ("", True)
    own = look_up_support({"architectures": ["FooBarForCausalLM"], "auto_map": {"AutoModel": "x.Y"}})
    assert (own.refusal, "run the model's own" in own.doubt) == ("", True)


def test_no_model_of_the_catalogue_is_refused(shipped: Catalogue) -> None:
    for name, model in shipped.models.items():
        support = look_up_support({"architectures": [model.architecture.class_name]})
        assert (name, support.refusal, model.vllm_refusal) == (name, "", "")


def test_a_model_carries_its_refusal_and_its_doubt() -> None:
    refused = model_from_config({**LLAMA, "architectures": ["FooBarForCausalLM"]}, "m")
    assert "FooBarForCausalLM" in refused.vllm_refusal
    doubted = model_from_config({**LLAMA, "architectures": ["DiffLlamaForCausalLM"]}, "m")
    assert any("no code of its own" in text for text in doubted.assumed)


def test_numbers_of_a_model_that_is_refused_anyway_are_nobodys_trouble() -> None:
    t5 = {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "d_model": 512}
    with pytest.raises(ModelNotFoundError, match="no code for T5ForConditionalGeneration"):
        model_from_config(t5, "t5")


def test_a_refused_architecture_is_answered_with_what_can_be_done() -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        model_from_config({"architectures": ["FooBarForCausalLM"]}, "mine")
    assert 'vllm_refusal: ""' in caught.value.remedy
