"""The form's values become a request; whatever else is sent is refused with the value and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from curc_llm.errors import CurcLlmError
from curc_llm.launch.portal import find_offer, make_portal_request, slug
from curc_llm.launch.portal_values import PortalValueError
from curc_llm.plan.facts import Facts, load_facts
from curc_llm.settings import load_settings

USUAL = {
    "llm_model": "qwen3-4b",
    "llm_gpus": "a100-80gb-x2",
    "bc_num_hours": "4",
    "auto_accounts": "ucb1_asc1",
    "cluster": "alpine",
}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    home = tmp_path_factory.mktemp("home")
    return load_facts(load_settings(environ={"HOME": str(home)}))


def test_the_form_s_values_are_the_request(facts: Facts) -> None:
    more = {"llm_context": "16384", "llm_preset": "long-context", "llm_idle_min": "0", "llm_qos": "gpu-long"}
    asked = make_portal_request(USUAL | more | {"llm_reservation": "class-1", "llm_mail": "1"}, facts)
    plan = asked.plan
    assert (plan.model, plan.partition, plan.gpu_type, plan.num_gpus) == ("qwen3-4b", "aa100", "a100_80gb", 2)
    assert (plan.hours, plan.account, plan.qos) == (4, "ucb1_asc1", "gpu-long")
    assert (plan.max_model_len, plan.preset, asked.idle_stop_min) == (16384, "long-context", 0)
    assert (asked.reservation, asked.mail_on_ready) == ("class-1", True)


def test_what_is_left_empty_is_chosen_for_the_person(facts: Facts) -> None:
    empty = {"llm_gpus": "", "llm_context": " ", "llm_idle_min": None, "llm_qos": "", "llm_mail": "0"}
    asked = make_portal_request({"llm_model": "qwen3-4b", "bc_num_hours": "1"} | empty, facts)
    assert asked.plan.gpu_type is None
    assert asked.plan.max_model_len is None
    assert asked.plan.account is None
    assert asked.idle_stop_min is None
    assert not asked.mail_on_ready


@pytest.mark.parametrize("own", ["demo", "Qwen/Qwen3-4B", "/projects/u@x/my model", "~/models/mine"])
def test_an_own_model_is_taken_as_it_was_typed(own: str, facts: Facts) -> None:
    assert (
        make_portal_request(USUAL | {"llm_model": "own", "llm_own_model": f" {own} "}, facts).plan.model
        == own
    )


HOSTILE = [
    "$(id)",
    "`id`",
    "a;b",
    "a b",
    "x\ny",
    "<script>",
    "'",
    '"',
    "..",
    "../../etc",
    "a" * 10_000,
    "\x00",
    "٣",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "field",
    [
        *("llm_model", "llm_gpus", "bc_num_hours", "auto_accounts", "llm_context", "llm_preset"),
        *("llm_idle_min", "llm_qos", "llm_reservation"),
    ],
)
def test_a_hostile_value_is_refused_in_one_line_that_names_it(field: str, value: str, facts: Facts) -> None:
    with pytest.raises(PortalValueError) as caught:
        make_portal_request(USUAL | {field: value}, facts)
    assert "must be" in caught.value.message
    assert "\n" not in caught.value.message
    assert "\x00" not in caught.value.message
    assert len(caught.value.message) < 500
    assert caught.value.remedy


@pytest.mark.parametrize(
    "own", ["", "-rf", "a\nb", "/models/../../etc", "x" * 401, "a\x1b[31m", "../secret", "--model"]
)
def test_a_hostile_own_model_is_refused(own: str, facts: Facts) -> None:
    with pytest.raises(PortalValueError, match="own model"):
        make_portal_request(USUAL | {"llm_model": "own", "llm_own_model": own}, facts)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("bc_num_hours", "0", "1 to 744"),
        ("bc_num_hours", "-1", "1 to 744"),
        ("bc_num_hours", "1e3", "whole number"),
        ("bc_num_hours", "99999999999999999", "whole number"),
        ("llm_gpus", "a100-80gb-x0", "GPU type"),
        ("llm_gpus", "b200-x1", "a100-80gb-x1"),
        ("llm_idle_min", "10081", "10,080"),
        ("llm_context", "15", "16 to"),
        ("llm_preset", "fastest", "low-latency"),
    ],
)
def test_the_refusal_says_what_is_allowed(field: str, value: str, told: str, facts: Facts) -> None:
    with pytest.raises(PortalValueError, match=told):
        make_portal_request(USUAL | {field: value}, facts)


@pytest.mark.parametrize("value", [["a"], {"a": 1}, [], {}])
def test_a_value_that_is_no_text_is_refused(value: Any, facts: Facts) -> None:
    with pytest.raises(CurcLlmError, match="one text"):
        make_portal_request(USUAL | {"llm_qos": value}, facts)


def test_every_gpu_type_of_the_site_is_found_by_its_slug(facts: Facts) -> None:
    for offer in facts.offers:
        found = find_offer(slug(offer.gpu_name), facts)
        assert found is not None
        assert (found.partition_name, found.gpu_name) == (offer.partition_name, offer.gpu_name)
