from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curc_llm.catalogue.model import Catalogue
from curc_llm.plan.facts import Facts, make_facts_of
from curc_llm.plan.table import COLUMNS, make_table, render_table
from tests.plan.shipped import facts_of, plan

MODELS = ("llama-3.1-8b-instruct", "llama-3.1-70b-instruct", "kimi-k2.7-code")


def few(site: str = "alpine") -> Facts:
    whole = facts_of(site)
    models = {name: whole.models[name] for name in MODELS}
    return make_facts_of(whole.site, Catalogue(models=models), whole.presets)


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    return make_table(few())


def row(table: dict[str, Any], model: str, place: str, preset: str = "") -> dict[str, Any]:
    rows = table["plans"][model][place]
    return dict(zip(table["columns"], rows.get(preset, rows[""]), strict=True))


@pytest.mark.slow
def test_a_row_says_what_the_planner_says(table: dict[str, Any]) -> None:
    made = plan("llama-3.1-70b-instruct", gpu_type="a100_80gb", num_gpus=2)
    found = row(table, "llama-3.1-70b-instruct", "a100_80gb:2")
    assert found["quantisation"] == made.quantisation
    assert found["max_model_len"] == made.max_model_len
    assert found["tensor_parallel_size"] == 2
    assert found["su_per_h"] == round(made.su_per_h or 0)
    assert found["chats"] == pytest.approx((made.kv_cache_tokens or 0) / 8192, abs=0.06)


def test_every_gpu_and_count_has_a_row_for_every_model(table: dict[str, Any]) -> None:
    places = {f"{name}:{count}" for name, gpu in table["gpus"].items() for count in gpu["counts"]}
    assert len(places) > 20
    for name in MODELS:
        assert set(table["plans"][name]) == places


def test_a_refusal_has_reason_and_places_that_fit(table: dict[str, Any]) -> None:
    reason, alternatives = table["plans"]["llama-3.1-70b-instruct"]["a100-40gb:1"][""]
    assert "more than 1 x a100-40gb can hold" in reason
    gpu, count, quantisation = alternatives[0].split(":")
    assert plan("llama-3.1-70b-instruct", gpu_type=gpu, num_gpus=int(count), quantisation=quantisation).fits
    assert table["plans"]["kimi-k2.7-code"]["h200:4"][""][1] == []


def test_presets_that_change_nothing_are_left_out(table: dict[str, Any]) -> None:
    assert table["presets"]["long-context"]["has_plans"]
    assert not table["presets"]["small"]["has_plans"]
    presets = table["plans"]["llama-3.1-8b-instruct"]["h200:1"]
    assert "small" not in presets
    assert row(table, "llama-3.1-8b-instruct", "h200:1", "high-throughput")["max_model_len"] == 8192
    assert row(table, "llama-3.1-8b-instruct", "h200:1", "small")["max_model_len"] == 32768


def test_the_form_finds_names_limits_and_prices(table: dict[str, Any]) -> None:
    assert table["gpus"]["a100_80gb"]["qos"] == {"gpu-normal": 3, "gpu-long": 1}
    assert table["gpus"]["a100_80gb"]["gres"] == "gpu:a100_80gb"
    assert table["site"]["qos"]["gpu-long"]["max_time_h"] == 168
    assert table["models"]["llama-3.1-8b-instruct"]["at_site"]
    assert table["models"]["llama-3.1-70b-instruct"]["gated"]


@pytest.mark.slow
def test_the_text_is_the_same_every_time_and_one_entry_a_line(table: dict[str, Any]) -> None:
    text = render_table(table)
    assert json.loads(text) == table
    assert render_table(make_table(few())) == text
    assert sum(line.startswith('"l40:1": ') for line in text.splitlines()) == len(MODELS)


@pytest.mark.slow
def test_the_second_site_has_a_table_too() -> None:
    found = make_table(few("capella"))
    assert found["site"]["account_required"]
    assert "h100:8" in found["plans"]["llama-3.1-70b-instruct"]


def test_the_shipped_table_is_small_and_of_this_shape() -> None:
    shipped = Path(__file__).parents[2] / "ood_app" / "launch_table.json"
    assert shipped.stat().st_size < 2_000_000
    values = json.loads(shipped.read_text(encoding="utf-8"))
    assert values["columns"] == list(COLUMNS)
    assert values["site"]["name"] == "alpine"


def test_what_the_centre_keeps_is_marked_at_that_centre_alone(table: dict[str, Any]) -> None:
    name = "llama-3.1-8b-instruct"
    assert table["models"][name]["at_site"]
    assert not table["models"]["llama-3.1-70b-instruct"]["at_site"]
    whole = facts_of("capella")
    one = make_facts_of(whole.site, Catalogue(models={name: whole.models[name]}), whole.presets)
    assert not make_table(one)["models"][name]["at_site"]
