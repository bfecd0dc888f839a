"""A real Slurm with CURC's job filter takes what the form asks for: each choice of GPUs, each QoS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ood.ruby import ROOT, needs_ruby, read_table, slug, submit
from tests.testbed.bed import Bed

pytestmark = [needs_ruby, pytest.mark.slurm, pytest.mark.root, pytest.mark.slow]


def hours_and_qos(place: str, table: dict[str, Any]) -> list[tuple[int, str]]:
    """Each QoS that gives so many of these GPUs, at its longest; and none named, for an hour."""
    gpu, count = place.rsplit(":", 1)
    takers = [name for name, most in table["gpus"][gpu]["qos"].items() if int(count) <= most]
    return [(1, ""), *((int(table["site"]["qos"][name]["max_time_h"]), name) for name in takers)]


def list_launches(table: dict[str, Any], most: int = 64) -> list[dict[str, str]]:
    """For each place of at most so many GPUs the hungriest model that fits it, with every QoS."""
    memory = table["columns"].index("memory_gib")
    launches = []
    for place in table["plans"]["qwen3-4b"]:
        rows = {model: places[place][""] for model, places in table["plans"].items()}
        fitting = {model: row for model, row in rows.items() if len(row) > 2}
        if fitting and int(place.rsplit(":", 1)[1]) <= most:
            model = max(fitting, key=lambda name: fitting[name][memory])
            values = {
                "llm_model": model,
                "llm_gpus": slug(*place.rsplit(":", 1)),
                "auto_accounts": "ucb-general",
            }
            launches += [
                {**values, "bc_num_hours": str(hours), "llm_qos": qos}
                for hours, qos in hours_and_qos(place, table)
            ]
    return launches


def ask(bed: Bed, arguments: list[str]) -> str:
    """What sbatch says of it; empty when it would take it."""
    done = bed.run(
        "sbatch", "--test-only", *arguments, user=bed.ground.user, check=False, input="#!/bin/bash\n:\n"
    )
    return "" if done.returncode == 0 and "to start at" in done.stderr else done.stderr or "no answer"


def list_refused(
    bed: Bed, launches: list[dict[str, str]], root: Path = ROOT
) -> list[tuple[dict[str, str], str]]:
    """What the form or Slurm doesn't take, with what it says."""
    answers = submit([{"values": values} for values in launches], root=root)
    said = [
        ask(bed, answer["arguments"]) if "arguments" in answer else answer["message"] for answer in answers
    ]
    return [(values, text) for values, text in zip(launches, said, strict=True) if text]


def test_every_kind_and_number_of_gpus_is_taken_with_every_qos(slurm_bed: Bed) -> None:
    launches = list_launches(read_table())
    assert list_refused(slurm_bed, launches) == []
    assert len(launches) > 50


def test_the_second_site_takes_what_its_form_asks_for(second_bed: Bed, capella: Path) -> None:
    table = read_table(capella / "ood_app" / "launch_table.local.json")
    launches = list_launches(table, most=4 * table["gpus"]["h100"]["gpus_per_node"])  # portal.yml: max_nodes
    assert list_refused(second_bed, launches, capella) == []
    assert len(launches) == 14
    over_nodes = [values for values in launches if values["llm_gpus"] in ("h100-x8", "h100-x12", "h100-x16")]
    answers = submit([{"values": values} for values in over_nodes], root=capella)
    assert len(answers) == 6
    assert all("--exclusive" in answer["arguments"] for answer in answers)


def test_your_own_model_is_taken_on_every_gpu_that_runs_models(slurm_bed: Bed) -> None:
    places = [place for place in read_table()["plans"]["qwen3-4b"] if not place.startswith("mi100")]
    own = {"llm_model": "own", "llm_own_model": "demo", "bc_num_hours": "1", "auto_accounts": "ucb-general"}
    answers = submit([{"values": {**own, "llm_gpus": slug(*place.rsplit(":", 1))}} for place in places])
    assert [said for answer in answers if (said := ask(slurm_bed, answer["arguments"]))] == []


def test_the_filter_would_have_refused_what_the_form_refuses(slurm_bed: Bed) -> None:
    good = {
        "llm_model": "qwen3-4b",
        "llm_gpus": "a100-80gb-x2",
        "bc_num_hours": "4",
        "auto_accounts": "ucb-general",
    }
    (answer,) = submit([{"values": good}])
    arguments = json.loads(json.dumps(answer["arguments"]).replace("04:00:00", "48:00:00"))
    assert ask(slurm_bed, arguments)
    (refused,) = submit([{"values": {**good, "bc_num_hours": "48"}}])
    assert "24 hours at most" in refused["message"]
