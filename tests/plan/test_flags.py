"""vLLM's settings by their names become its command line."""

from __future__ import annotations

import pytest

from curc_llm.plan.flags import render_flags


def test_names_become_flags_in_their_order() -> None:
    fields: dict[str, str | int | float | bool] = {
        "max_model_len": 32768,
        "gpu_memory_utilization": 0.9,
        "dtype": "bfloat16",
    }
    assert render_flags(fields) == [
        *("--max-model-len", "32768"),
        *("--gpu-memory-utilization", "0.9"),
        *("--dtype", "bfloat16"),
    ]


def test_true_is_a_switch_and_what_is_empty_or_false_is_left_to_vllm() -> None:
    assert render_flags({"enforce_eager": True, "trust_remote_code": False, "seed": None}) == [
        "--enforce-eager"
    ]


def test_zero_and_the_empty_text_are_values() -> None:
    assert render_flags({"seed": 0, "chat_template": ""}) == ["--seed", "0", "--chat-template", ""]


@pytest.mark.parametrize("value", ["-odd-name", "--revision", -1])
def test_a_value_that_begins_with_a_dash_is_never_taken_for_a_flag(value: str | int) -> None:
    assert render_flags({"served_model_name": value}) == [f"--served-model-name={value}"]


def test_a_value_stays_one_argument_whatever_is_in_it() -> None:
    assert render_flags({"model": "/a b/$(id);'\n"}) == ["--model", "/a b/$(id);'\n"]
