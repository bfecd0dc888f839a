"""The portal asks Slurm for the same as `curc-llm launch`: every distinct launch of the table is compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curc_llm.plan.facts import Facts
from curc_llm.plan.planner import make_search, plan_with
from curc_llm.plan.request import PlanRequest
from curc_llm.slurm.request import make_job_request
from curc_llm.slurm.script import render_arguments
from tests.ood.conftest import load
from tests.ood.ruby import ROOT, needs_ruby, read_table, run_ruby, slug, submit

pytestmark = [needs_ruby, pytest.mark.slow]

SHORT = {"-J": "job-name", "-p": "partition", "-A": "account", "-t": "time", "-D": "chdir", "-o": "output"}
# What belongs to the portal's way of starting: its folder, its log, an empty environment.
PORTALS_OWN = {"chdir", "output", "export", "open-mode"}


def parse(arguments: list[str]) -> dict[str, str]:
    """sbatch's command line, whichever way it is written."""
    options: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name in SHORT or (not equals and name in ("--qos", "--reservation", "--export")):
            name, value = SHORT.get(name, name.lstrip("-")), next(words)
        name = name.lstrip("-")
        assert name not in options, f"{name} is said twice"
        options[name] = str(read_time(value)) if name == "time" else value
    return {name: value for name, value in options.items() if name not in PORTALS_OWN}


def read_time(text: str) -> int:
    days, _, clock = text.rpartition("-")
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def distinct_launches(table: dict[str, Any]) -> list[tuple[str, str, str]]:
    """One model and preset for each (GPUs, cores, memory, nodes) that occurs."""
    at = {name: table["columns"].index(name) for name in ("cpus", "memory_gib", "num_nodes")}
    found: dict[tuple[Any, ...], tuple[str, str, str]] = {}
    for model, places in table["plans"].items():
        for place, presets in places.items():
            for preset, row in presets.items():
                if len(row) > 2 and row[at["num_nodes"]] == 1:
                    found.setdefault((place, *(row[i] for i in at.values())), (model, place, preset))
    return list(found.values())


def hours_of(place: str, table: dict[str, Any]) -> int:
    gpu, count = place.rsplit(":", 1)
    limits = table["gpus"][gpu]["qos"]
    longest = max(
        table["site"]["qos"][name]["max_time_h"] for name, most in limits.items() if int(count) <= most
    )
    return int(min(4, longest))


def expect(model: str, place: str, preset: str, hours: int, facts: Facts, account: str) -> dict[str, str]:
    gpu, count = place.rsplit(":", 1)
    request = PlanRequest(
        model=model,
        preset=preset or None,
        gpu_type=gpu,
        num_gpus=int(count),
        hours=hours,
        account=account,
    )
    search, wanted = make_search(request, facts)
    plan = plan_with(search, wanted, with_others=False)
    return parse(list(render_arguments(make_job_request(plan, facts.site))))


def compare(table: dict[str, Any], facts: Facts, root: Path, account: str, step: int = 1) -> int:
    launches = distinct_launches(table)[::step]
    answers = submit(
        [
            {
                "root": str(root),
                "values": {
                    "llm_model": model,
                    "llm_gpus": slug(*place.rsplit(":", 1)),
                    "llm_preset": preset,
                    "bc_num_hours": str(hours_of(place, table)),
                    "auto_accounts": account,
                },
            }
            for model, place, preset in launches
        ]
    )
    different = []
    for (model, place, preset), answer in zip(launches, answers, strict=True):
        told = expect(model, place, preset, hours_of(place, table), facts, account)
        if parse(answer.get("arguments", [])) != told:
            different.append((model, place, preset, answer, told))
    assert different[:3] == []
    return len(launches)


def test_on_alpine_every_distinct_launch_is_asked_for_alike() -> None:
    assert compare(read_table(), load("alpine"), ROOT, "ucb-general") > 1000


def test_at_another_site_with_its_own_table_too(capella: Path) -> None:
    table = read_table(capella / "ood_app" / "launch_table.local.json")
    assert compare(table, load("capella"), capella, "p_lv_demo", step=3) > 50


def test_a_site_that_demands_an_account_gets_one_or_a_sentence(capella: Path) -> None:
    values = {"llm_model": "qwen3-4b", "llm_gpus": "h100-x1", "bc_num_hours": "4", "auto_accounts": ""}
    (refused, launched) = submit(
        [
            {"root": str(capella), "values": values},
            {"root": str(capella), "values": {**values, "auto_accounts": "p_lv_demo"}},
        ]
    )
    assert "needs an account" in refused["message"]
    assert "p_number_crunch" in refused["remedy"]
    assert parse(launched["arguments"])["gres"] == "gpu:1"
    assert launched["submit"]["batch_connect"]["set_host"] == "host=$(hostname -s)"


def test_the_form_of_the_other_site_offers_its_own_gpus_over_nodes_too_and_hours(capella: Path) -> None:
    (form,) = run_ruby("form_cases.rb", [{"root": str(capella), "version": "4.2"}])
    assert [value for _, value, *_ in form["attributes"]["llm_gpus"]["options"]] == [
        f"h100-x{n}"
        for n in (1, 2, 3, 4, 8, 12, 16)  # up to the four nodes of portal.yml
    ]
    titles = [title for title, *_ in form["attributes"]["llm_gpus"]["options"]]
    assert titles[3] == "4 × H100 94 GB SXM (HBM2e)"
    assert titles[4] == "8 × H100 94 GB SXM (HBM2e) on 2 nodes"
    assert form["attributes"]["bc_num_hours"]["max"] == 168
    assert form["cluster"] == "capella"


@pytest.mark.parametrize(
    ("hours", "qos", "expected"),
    [("4", "", None), ("4", "gpu-normal", None), ("4", "gpu-long", None), ("100", "", "gpu-long")],
)
def test_the_qos_is_the_one_that_the_planner_takes(hours: str, qos: str, expected: str | None) -> None:
    facts = load("alpine")
    request = PlanRequest(model="qwen3-32b", gpu_type="l40", num_gpus=2, hours=float(hours), qos=qos or None)
    search, wanted = make_search(request, facts)
    told = parse(
        list(render_arguments(make_job_request(plan_with(search, wanted, with_others=False), facts.site)))
    )
    values = {"llm_model": "qwen3-32b", "llm_gpus": "l40-x2", "bc_num_hours": hours, "llm_qos": qos}
    (answer,) = submit([{"values": {**values, "auto_accounts": ""}}])
    assert parse(answer["arguments"]) == told
    assert expected is None or told["qos"] == expected
