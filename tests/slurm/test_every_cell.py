"""Every launch that the form offers is one that Slurm and the job filter take (`sbatch --test-only`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from curc_llm.errors import SlurmError
from curc_llm.plan.facts import DEFAULT_HOURS
from curc_llm.plan.limits import Term, allowed_qos, choose_term
from curc_llm.plan.offer import Offer
from curc_llm.sites.lookup import find_gpu
from curc_llm.sites.site import Site
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.request import JobRequest, make_job_request
from tests.plan.shipped import facts_of, plan
from tests.slurm.login import log_in
from tests.slurm.requests import SCRIPT
from tests.testbed.bed import Bed

TABLE = Path(__file__).parents[2] / "ood_app" / "launch_table.json"


def count_cells(table: dict[str, Any]) -> int:
    return sum(1 for _ in fitting_rows(table))


def fitting_rows(table: dict[str, Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """GPU type, count and row of each cell that fits."""
    for places in table["plans"].values():
        for place, rows in places.items():
            gpu, _, count = place.rpartition(":")
            for row in rows.values():
                if len(row) == len(table["columns"]):
                    yield gpu, int(count), dict(zip(table["columns"], row, strict=True))


def distinct_requests(table: dict[str, Any], site: Site) -> set[JobRequest]:
    """What Slurm is asked for by all cells: each size for the usual hours and for the longest of each QoS."""
    offers = {offer.gpu_name: offer for offer in facts_of(site.name).offers}
    sizes = {
        (gpu, count, row["num_nodes"], row["cpus"], row["memory_gib"])
        for gpu, count, row in fitting_rows(table)
    }
    return {
        JobRequest(
            job_name="curc-llm",
            partition=offers[gpu].partition_name,
            qos=term.name,
            num_nodes=nodes,
            cpus_per_task=cpus,
            gres_type=find_gpu(site, gpu).gres.partition(":")[2],
            gpus_per_node=count // nodes,
            memory_gib=memory_gib,
            time_s=int(term.hours * 3600),
        )
        for gpu, count, nodes, cpus, memory_gib in sizes
        for term in terms(site, offers[gpu], count)
    }


def terms(site: Site, offer: Offer, count: int) -> Iterator[Term]:
    for wanted, hours in [(None, None), *((name, qos.max_time_h) for name, qos in site.qos.items())]:
        if wanted is not None and wanted not in allowed_qos(site, offer):
            continue
        term = choose_term(site, offer, count, hours=hours, default_hours=DEFAULT_HOURS, wanted=wanted)
        if isinstance(term, Term):
            yield term


def refused(slurm: Slurm, requests: set[JobRequest]) -> dict[JobRequest, str]:
    """Those that Slurm doesn't take, with what it says."""

    def ask(request: JobRequest) -> tuple[JobRequest, str]:
        try:
            slurm.test(request, SCRIPT)
        except SlurmError as error:
            return request, str(error)
        return request, ""

    with ThreadPoolExecutor(4) as pool:
        return {request: said for request, said in pool.map(ask, requests) if said}


def make_second_table(path: Path) -> dict[str, Any]:
    """In a process whose coverage isn't measured: that would take minutes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-m", "curc_llm.cli.main", "table", "--site", "capella", "--output", path]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return dict(json.loads(path.read_text()))


@pytest.mark.slurm
@pytest.mark.slow
def test_the_job_filter_takes_every_cell_of_the_shipped_table(free_bed: Bed) -> None:
    table = json.loads(TABLE.read_text())
    requests = distinct_requests(table, free_bed.site)
    assert count_cells(table) > 10_000
    assert len(requests) > 2_000
    assert refused(log_in(free_bed, query_s=60), requests) == {}


@pytest.mark.slurm
@pytest.mark.slow
def test_the_second_site_takes_every_cell_too(second_bed: Bed, tmp_path: Path) -> None:
    table = make_second_table(tmp_path / "table.json")
    requests = distinct_requests(table, second_bed.site)
    assert count_cells(table) > 10_000
    assert len(requests) > 2_000
    assert refused(log_in(second_bed, query_s=60), requests) == {}


@pytest.mark.slurm
def test_what_a_cell_asks_for_is_what_its_plan_asks_for() -> None:
    requests = distinct_requests(json.loads(TABLE.read_text()), facts_of("alpine").site)
    for asked in (
        {"gpu_type": "a100_80gb", "num_gpus": 2},
        {"gpu_type": "h200", "num_gpus": 1, "hours": 168},
    ):
        assert make_job_request(plan("llama-3.1-70b-instruct", **asked), facts_of("alpine").site) in requests


@pytest.mark.slurm
def test_one_core_more_than_a_gpu_brings_would_be_noticed(free_bed: Bed) -> None:
    requests = distinct_requests(json.loads(TABLE.read_text()), free_bed.site)
    usual = max((r for r in requests if r.gres == "gpu:l40:1"), key=lambda r: r.cpus_per_task)
    wrong = JobRequest(**vars(usual) | {"cpus_per_task": 22})
    assert "22 cores are more than the 21" in refused(log_in(free_bed), {wrong})[wrong]
