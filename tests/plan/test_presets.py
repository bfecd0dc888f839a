from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.errors import FactFileError, PlanError
from curc_llm.plan.presets import NO_PRESET, batched_tokens, find_preset, load_presets
from tests.plan.presets_page import PAGE, write_page
from tests.plan.shipped import facts_of, plan

PRESETS = load_presets()
ASKED_FOR = (
    "small",
    "medium",
    "large",
    "extra-large",
    "quantised",
    "high-throughput",
    "low-latency",
    "long-context",
    "development",
)


def test_every_preset_that_was_asked_for_is_there_with_a_model_that_exists() -> None:
    assert tuple(PRESETS.presets) == ASKED_FOR
    for preset in PRESETS.presets.values():
        assert preset.model in facts_of("alpine").models
        assert preset.source in PRESETS.sources


@pytest.mark.parametrize("site", ["alpine", "capella"])
@pytest.mark.parametrize("name", ASKED_FOR)
def test_every_preset_plans_on_both_sites(name: str, site: str) -> None:
    made = plan(PRESETS.presets[name].model, site, preset=name)
    assert made.fits, made.reason
    assert made.preset == name


def test_goals_become_engine_settings() -> None:
    throughput = plan("llama-3.1-8b-instruct", preset="high-throughput", gpu_type="h200")
    assert throughput.vllm_fields["max_num_seqs"] == 256
    assert throughput.vllm_fields["max_num_batched_tokens"] == 16384
    latency = plan("llama-3.1-8b-instruct", preset="low-latency", gpu_type="h200")
    assert latency.vllm_fields["max_num_batched_tokens"] == 2048
    assert latency.vllm_fields["max_num_seqs"] == 8
    trying = plan("llama-3.1-8b-instruct", preset="development")
    assert trying.vllm_fields["enforce_eager"] is True
    assert trying.hours == 1
    long = plan("qwen3-30b-a3b-instruct-2507", preset="long-context")
    assert long.max_model_len == 131072
    assert (plan("qwen3-32b", preset="quantised").quantisation) == "fp8"


def test_what_is_asked_for_wins_over_the_preset() -> None:
    made = plan("llama-3.1-8b-instruct", preset="low-latency", max_num_seqs=32, max_model_len=4096, hours=2)
    assert (made.max_num_seqs, made.max_model_len, made.hours) == (32, 4096, 2)


def test_an_a100_gets_the_smaller_steps_that_vllm_s_authors_measured_for_it() -> None:
    assert batched_tokens(NO_PRESET, 79.2, is_a100=True) == 2048
    assert batched_tokens(NO_PRESET, 139.8, is_a100=False) == 8192
    assert batched_tokens(NO_PRESET, 44.4, is_a100=False) == 2048
    fixed = NO_PRESET.model_copy(update={"max_num_batched_tokens": 512})
    assert batched_tokens(fixed, 139.8, is_a100=False) == 512


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(PlanError) as error:
        find_preset("larg", PRESETS)
    assert "Did you mean large?" in error.value.remedy


def test_a_slip_in_a_presets_file_names_line_and_field(tmp_path: Path) -> None:
    file = tmp_path / "presets.yml"
    file.write_text("version: 1\npresets:\n  mine:\n    title: T\n    description: D\n    goall: latency\n")
    with pytest.raises(FactFileError) as error:
        load_presets(file)
    assert "line 6" in error.value.message
    assert "Did you mean `goal`?" in error.value.remedy


def test_the_page_of_presets_is_up_to_date_and_knows_why_each_flag_is_there() -> None:
    told = "write it anew: python -m tests.plan.presets_page"
    assert PAGE.read_text(encoding="utf-8") == write_page(), told


def test_every_preset_stands_on_the_page_with_a_recommendation_for_each_site() -> None:
    text = PAGE.read_text(encoding="utf-8")
    sections = dict(part.split("\n", 1) for part in text.split("\n## ")[1:])
    for preset in load_presets().presets.values():
        assert sections[preset.title].count("| **") == 2, preset.title
