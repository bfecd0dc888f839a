from __future__ import annotations

import pytest

from curc_llm.catalogue.config_keys import Keys, find_text_config, read_defaults
from tests.catalogue.make_config_defaults import make_defaults


def test_a_number_is_found_under_every_name_that_families_give_it() -> None:
    assert Keys({"n_embd": 768}).need("hidden_size") == 768
    assert Keys({"n_routed_experts": 256}).number("num_experts") == 256
    assert Keys({"dim": 4096, "moe": {"num_experts": 8}}).number("num_experts") == 8


def test_what_the_file_leaves_out_is_the_familys_default() -> None:
    assert (
        Keys({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}}).number("head_dim") == 256
    )
    assert Keys({"model_type": "nobody_knows"}).number("head_dim") == 0


def test_null_in_the_file_means_none_whatever_the_default() -> None:
    assert Keys({"model_type": "mistral"}).number("sliding_window") == 4096
    assert Keys({"model_type": "mistral", "sliding_window": None}).number("sliding_window") == 0


def test_the_language_models_part_is_found_however_deep_it_lies() -> None:
    inner = {"hidden_size": 1}
    assert find_text_config({"thinker_config": {"text_config": inner}}) == inner
    assert find_text_config(inner) == inner


def test_lists_may_be_written_as_text() -> None:
    assert Keys({"moe_layers_enum": "3, 4,5"}).numbers("moe_layers_enum") == [3, 4, 5]
    assert Keys({"moe_layers_enum": {"a": 1}}).numbers("moe_layers_enum") == []


@pytest.mark.slow
def test_the_defaults_are_those_of_the_installed_transformers() -> None:
    assert read_defaults() == make_defaults()
