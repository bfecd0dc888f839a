"""Fixtures: the real Slurm for tests; conftest.py makes them known to all."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.testbed import network
from tests.testbed.bed import Bed
from tests.testbed.ground import SECOND, Ground

WORKER = "PYTEST_XDIST_WORKER"


def choose_number() -> int:
    """The bed of this process: CURC_LLM_BED, else one for each worker of the test run."""
    worker = os.environ.get(WORKER, "gw0").removeprefix("gw")
    return int(os.environ.get("CURC_LLM_BED") or int(worker) + 1)


def list_grounds(workers: int) -> list[Ground]:
    """Where the beds of so many workers stand."""
    return [Ground(number) for first in range(1, workers + 1) for number in (first, first + SECOND)]


def make_networks(workers: int) -> None:
    """The networks of all beds, before any browser is there: a new address breaks Chromium's requests."""
    for ground in list_grounds(workers):
        network.make_network(ground)


def remove_networks(workers: int) -> None:
    """Takes them away, once no worker has a browser any more."""
    for ground in list_grounds(workers):
        network.remove_network(ground)


def lend(bed: Bed) -> Iterator[Bed]:
    """The bed, up; afterwards down, unless it was up before."""
    stays = all(bed.status().values())
    try:
        bed.up()
        yield bed
    finally:
        bed.close() if stays else bed.down(network_stays=WORKER in os.environ)


@pytest.fixture(scope="session")
def slurm_bed() -> Iterator[Bed]:
    """A real Slurm with CURC Alpine's partitions, limits and job filter."""
    yield from lend(Bed(Ground(choose_number())))


@pytest.fixture(scope="session")
def second_bed() -> Iterator[Bed]:
    """Another one, with those of the second site file; of most of its nodes nothing runs."""
    yield from lend(Bed(Ground(choose_number() + SECOND), "capella", paper_nodes=14))


@pytest.fixture
def free_bed(slurm_bed: Bed) -> Iterator[Bed]:
    """The first, without any job before and after."""
    slurm_bed.clear()
    yield slurm_bed
    slurm_bed.clear()
