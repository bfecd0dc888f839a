"""What the launch widget offers, by CURC Alpine's shipped facts."""

from __future__ import annotations

import pytest

from curc_llm.errors import ModelNotFoundError, SpecError
from curc_llm.launch.site_plan import load_site_facts
from curc_llm.notebook import launch_choices as choices
from curc_llm.notebook.launch_values import (
    LaunchValues,
    make_plan_request,
    make_session_request,
    read_number,
    values_of,
)
from curc_llm.notebook.launch_verdict import judge_plan, refuse_error
from curc_llm.plan.facts import Facts
from curc_llm.plan.planner import make_plan
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings, load_settings


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(environ={"HOME": "/nonexistent"}, flags={"offline": True})


@pytest.fixture(scope="module")
def alpine(settings: Settings) -> Facts:
    return load_site_facts(settings)


def judge(values: LaunchValues, facts: Facts) -> dict:
    return judge_plan(make_plan(make_plan_request(values), facts), facts)


def test_models_that_need_no_download_come_first_and_one_s_own_last(
    alpine: Facts, settings: Settings
) -> None:
    models = choices.list_models(alpine, settings)
    groups = list(dict.fromkeys(option["group"] for option in models))
    assert groups[0].startswith("Ready on this cluster")
    assert models[-1] == {"value": "own", "label": "Another model (its name or folder)", "group": ""}
    assert "demo" in {option["value"] for option in models}


def test_gpus_that_hold_the_model_come_first_the_cheapest_first(alpine: Facts, settings: Settings) -> None:
    gpus = choices.list_places("llama-3.1-70b-instruct", "", alpine, settings)
    fits = [option["fits"] for option in gpus]
    assert fits == sorted(fits, reverse=True)
    prices = [option["su_per_h"] for option in gpus if option["fits"]]
    assert prices == sorted(prices)
    assert {option["group"] for option in gpus} == {
        "These hold the model",
        "These don't (choose one to see why)",
    }


def test_exactly_one_choice_is_suggested_and_it_is_the_planner_s(alpine: Facts, settings: Settings) -> None:
    gpus = choices.list_places("qwen3-8b", "", alpine, settings)
    best = [option for option in gpus if option["best"]]
    plan = make_plan(PlanRequest(model="qwen3-8b"), alpine)
    assert [option["value"] for option in best] == [f"{plan.partition}:{plan.gpu_type}:{plan.num_gpus}"]
    assert best[0]["label"].endswith("suggested")


def test_whatever_is_listed_as_fitting_is_planned_as_fitting(alpine: Facts, settings: Settings) -> None:
    for option in choices.list_places("qwen3-32b", "", alpine, settings):
        plan = make_plan(
            make_plan_request(LaunchValues(model="qwen3-32b", gpus=option["value"], hours="")), alpine
        )
        assert plan.fits == option["fits"], option["label"]
        if plan.fits:
            assert plan.su_per_h == pytest.approx(option["su_per_h"], abs=0.01)


def test_a_model_that_there_is_none_of_names_the_nearest(alpine: Facts, settings: Settings) -> None:
    with pytest.raises(ModelNotFoundError, match="llama"):
        choices.list_places("lama-3.1-8b", "", alpine, settings)


@pytest.mark.parametrize("slug", ["", "x", "a:b", "a:b:x", ":b:1", "a::1", "a:b:²"])
def test_what_is_no_place_is_an_automatic_choice(slug: str) -> None:
    assert choices.parse_place(slug) is None


def test_a_launch_that_fits_tells_room_and_cost(alpine: Facts) -> None:
    verdict = judge(LaunchValues(model="qwen3-8b", gpus="al40:l40:1", hours="2"), alpine)
    figures = dict(verdict["figures"])
    assert (verdict["kind"], verdict["title"]) == ("fits", "Fits on 1 × L40 48 GB")
    assert figures["Cost at most"].endswith("SU for 2 h")
    assert "of 8,192 tokens each" in figures["Chats at once"]
    assert sum(part["gib"] for part in verdict["memory"]) == pytest.approx(44.4, abs=4)


def test_a_refusal_says_why_and_its_buttons_work(alpine: Facts) -> None:
    values = LaunchValues(model="llama-3.1-405b-instruct", gpus="al40:l40:1", hours="2")
    verdict = judge(values, alpine)
    assert verdict["kind"] == "refused"
    assert "GiB" in verdict["text"]
    assert verdict["others"]
    for other in verdict["others"]:
        assert judge(values.changed(other["values"]), alpine)["kind"] == "fits", other["label"]


def test_too_many_hours_are_refused_with_the_limit(alpine: Facts) -> None:
    verdict = judge(LaunchValues(model="qwen3-8b", gpus="al40:l40:1", hours="700"), alpine)
    assert verdict["kind"] == "refused"
    assert "at most" in verdict["text"]


@pytest.mark.parametrize("text", ["x", "-1", "0", "1e9", "nan", "inf", "١٢٣٤٥"])
def test_hours_that_are_none_are_refused_in_words(text: str) -> None:
    with pytest.raises(SpecError, match="Hours can't be"):
        make_plan_request(LaunchValues(model="m", hours=text))


def test_a_comma_is_a_decimal_point_too() -> None:
    assert read_number("1,5", "Hours", 0, 24) == 1.5


def test_no_model_is_told_as_that() -> None:
    with pytest.raises(SpecError, match="No model is named"):
        make_plan_request(LaunchValues(model="own"))


def test_all_fields_reach_the_request() -> None:
    values = LaunchValues().changed(
        {
            "model": "own",
            "own_model": " Qwen/Qwen3-4B ",
            "gpus": "aa100:a100_80gb:2",
            "hours": 8,
            "account": "ucb-general",
            "preset": "batch",
            "context_tokens": "8192",
            "qos": "long",
            "idle_min": "0",
            "reservation": "class1",
            "mail": True,
            "nonsense": 1,
        }
    )
    request = make_session_request(values)
    plan = request.plan
    assert (plan.model, plan.partition, plan.gpu_type, plan.num_gpus) == (
        "Qwen/Qwen3-4B",
        "aa100",
        "a100_80gb",
        2,
    )
    assert (plan.hours, plan.account, plan.preset, plan.qos) == (8, "ucb-general", "batch", "long")
    assert (plan.max_model_len, request.idle_stop_min, request.reservation, request.mail_on_ready) == (
        8192,
        0,
        "class1",
        True,
    )


@pytest.mark.parametrize("field", ["account", "reservation"])
@pytest.mark.parametrize("text", ["a b", "$(id)", "x;y", "-n", "ä"])
def test_slurm_s_names_that_are_none_are_refused(field: str, text: str) -> None:
    with pytest.raises(Exception, match=r".+") as caught:
        make_session_request(LaunchValues(model="m").changed({field: text}))
    assert type(caught.value).__name__ in {"SpecError", "PlanError"}


def test_a_very_long_text_is_cut() -> None:
    assert len(LaunchValues().changed({"own_model": "x" * 10_000}).own_model) == 512


def test_an_earlier_request_fills_the_form(alpine: Facts) -> None:
    request = PlanRequest(
        model="qwen3-8b", partition="al40", gpu_type="l40", num_gpus=2, hours=8, account="a"
    )
    values = values_of(request, set(alpine.models))
    assert (values.model, values.gpus, values.hours, values.account) == ("qwen3-8b", "al40:l40:2", "8", "a")
    other = values_of(PlanRequest(model="Org/Model"), set(alpine.models))
    assert (other.model, other.own_model, other.gpus) == ("own", "Org/Model", "")


def test_any_error_becomes_a_verdict(alpine: Facts) -> None:
    verdict = refuse_error(SpecError("No.", "Do this."), alpine)
    assert (verdict["kind"], verdict["text"]) == ("refused", "No. Do this.")


def test_an_embedding_model_beside_the_chat_model_counts_in_every_choice(
    alpine: Facts, settings: Settings
) -> None:
    names = [option["value"] for option in choices.list_embedders(alpine)]
    assert names[0] == ""
    assert {"qwen3-embedding-0.6b", "bge-m3", "demo-embed"} <= set(names)
    assert "qwen3-8b" not in names
    alone = {o["value"]: o["fits"] for o in choices.list_places("qwen3-8b", "", alpine, settings)}
    both = choices.list_places("qwen3-8b", "", alpine, settings, "e5-mistral-7b-instruct")
    assert {o["value"] for o in both if o["fits"]} < {value for value, fits in alone.items() if fits}


def test_an_embedding_model_of_the_form_is_launched_and_comes_back_into_the_form() -> None:
    values = LaunchValues(model="qwen3-8b", embed="bge-m3")
    asked = make_session_request(values).plan
    assert asked.embed == "bge-m3"
    assert values_of(asked, {"qwen3-8b"}).embed == "bge-m3"
