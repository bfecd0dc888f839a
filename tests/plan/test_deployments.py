"""Launches that people published, against the planner's arithmetic (data/deployments.yml)."""

from __future__ import annotations

import pytest

from curc_llm.plan.layout import explain_layout
from curc_llm.plan.quantisation import use_of
from tests.plan.published import Deployment, cards, read_deployments
from tests.plan.published_page import PAGE, write_page

SOURCES, DEPLOYMENTS = read_deployments()
THAT_RUN = [entry for entry in DEPLOYMENTS if entry.outcome == "runs"]
THAT_FAIL = [entry for entry in DEPLOYMENTS if entry.outcome == "out-of-memory"]


def names(entry: Deployment) -> str:
    return entry.id


def is_planned_as_published(entry: Deployment) -> bool:
    return entry.plan().fits == (entry.outcome == "runs")


@pytest.mark.parametrize("entry", DEPLOYMENTS, ids=names)
def test_a_published_launch_is_planned_as_it_went(entry: Deployment) -> None:
    found = entry.plan()
    told = f"planned with {found.missing_gib:.2f} GiB missing, room for {found.longest_context_tokens} tokens"
    # Where `agrees` is false the planner must still say otherwise: else the mark is stale.
    assert is_planned_as_published(entry) is entry.agrees, f"{entry.outcome}, {told}"


@pytest.mark.parametrize("entry", THAT_RUN, ids=names)
def test_no_layout_or_format_that_runs_is_refused(entry: Deployment) -> None:
    arch, card = entry.find_model().architecture, cards()[entry.card]
    # Some centres' tensor parallelism spans nodes; here only whether the model allows it is asked.
    assert explain_layout(arch, entry.layout, card, entry.num_gpus) == ""
    assert use_of(entry.format, card)[0] != ""


@pytest.mark.parametrize("entry", DEPLOYMENTS, ids=names)
def test_each_launch_has_a_source_and_uses_all_of_its_gpus(entry: Deployment) -> None:
    assert SOURCES[entry.source].url.startswith("http")
    assert entry.layout.num_gpus == entry.num_gpus


@pytest.mark.parametrize("entry", [entry for entry in DEPLOYMENTS if not entry.agrees], ids=names)
def test_a_disagreement_says_why(entry: Deployment) -> None:
    assert len(entry.why) > 40


def test_nearly_all_published_launches_agree() -> None:
    agreeing = [entry for entry in DEPLOYMENTS if is_planned_as_published(entry)]
    print(f"\n{len(agreeing)} of {len(DEPLOYMENTS)} published launches are planned as they went")
    assert len(THAT_RUN) >= 40
    assert len(THAT_FAIL) >= 10
    assert len(agreeing) >= 0.95 * len(DEPLOYMENTS)


def test_the_settings_of_a_launch_decide_what_is_planned() -> None:
    short, long = (
        next(entry for entry in DEPLOYMENTS if entry.id == f"qwen3-32b-1xh100-{length}")
        for length in ("16k", "32k")
    )
    assert short.plan().fits
    assert not long.plan().fits
    assert long.plan().longest_context_tokens < 32000


def test_the_page_of_published_deployments_is_up_to_date() -> None:
    told = "write it anew: python -m tests.plan.published_page"
    assert PAGE.read_text(encoding="utf-8") == write_page(), told
