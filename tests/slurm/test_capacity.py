"""Which GPUs are idle, counted from what `scontrol show node` tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.errors import SlurmError
from curc_llm.sites.load import load_site
from curc_llm.slurm.capacity import Capacity, ask_capacity, count_capacity, parse_nodes
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import ask
from curc_llm.slurm.state import JobState
from tests.slurm.login import log_in
from tests.slurm.requests import SCRIPT, ask_for
from tests.testbed.bed import Bed
from tests.testbed.daemon import wait_until
from tests.testbed.faults import frozen, lost

NODES = """\
NodeName=n1 Partitions=al40 State=MIXED Gres=gpu:l40:3(S:0-1) GresUsed=gpu:l40:1(IDX:0) Comment=a b
NodeName=n2 Partitions=al40,all State=IDLE Gres=gpu:l40:3 GresUsed=gpu:l40:0(IDX:N/A)
NodeName=n3 Partitions=al40 State=IDLE+DRAIN Gres=gpu:l40:3 GresUsed=gpu:l40:0
NodeName=n4 Partitions=al40 State=DOWN*+NOT_RESPONDING Gres=gpu:l40:3 GresUsed=gpu:l40:0
NodeName=n5 Partitions=al40 State=IDLE* Gres=gpu:l40:3 GresUsed=gpu:l40:0
NodeName=n6 Partitions=ah200 State=MIXED Gres=gpu:h200:4,gpu:h200_3g.71gb:2 GresUsed=gpu:h200:4(IDX:0-3)
something else
"""


def of(capacities: tuple[Capacity, ...] | None, name: str) -> tuple[int, int, int, int]:
    assert capacities is not None
    found = next(c for c in capacities if c.gpu.name == name)
    return found.idle, found.most_on_one_node, found.open, found.total


def test_idle_gpus_are_those_that_nobody_holds_on_nodes_that_take_jobs() -> None:
    capacities = count_capacity(load_site("alpine"), parse_nodes(NODES))
    assert of(capacities, "l40") == (5, 3, 6, 15)
    assert of(capacities, "h200") == (0, 0, 4, 4)
    assert of(capacities, "h200_3g.71gb") == (2, 2, 2, 2)
    assert of(capacities, "mi100") == (0, 0, 0, 0)


def test_where_gpus_have_no_type_all_of_a_node_count() -> None:
    nodes = parse_nodes(
        "NodeName=c1 Partitions=capella State=MIXED Gres=gpu:h100:4 GresUsed=gpu:h100:1(IDX:2)"
    )
    assert of(count_capacity(load_site("capella"), nodes), "h100") == (3, 3, 4, 4)


@given(st.text())
def test_no_line_breaks_the_parser(text: str) -> None:
    assert all(node.name for node in parse_nodes(f"NodeName=x {text}"))


def test_without_slurm_it_is_an_error_not_silence() -> None:
    with pytest.raises(SlurmError, match="isn't on this machine"):
        ask_capacity(Slurm({"PATH": "/nowhere"}), load_site("alpine"))


@pytest.mark.slurm
def test_a_job_takes_gpus_and_gives_them_back(free_bed: Bed) -> None:
    slurm = log_in(free_bed)

    def idle() -> tuple[int, int, int, int]:
        return of(ask_capacity(slurm, free_bed.site), "l40")

    assert idle() == (6, 3, 6, 6)
    job_id = slurm.submit(ask_for(gpus_per_node=2), SCRIPT)
    assert wait_until(lambda: ask(slurm, [job_id])[job_id].state is JobState.RUNNING, 20, 0.2)
    assert idle() == (4, 3, 6, 6)
    slurm.cancel(job_id)
    assert wait_until(lambda: idle() == (6, 3, 6, 6), 15, 0.2)


@pytest.mark.slurm
def test_a_lost_nodes_gpus_are_not_idle(free_bed: Bed) -> None:
    with lost(free_bed, free_bed.ground.nodes[0]):
        assert of(ask_capacity(log_in(free_bed), free_bed.site), "h200") == (4, 4, 4, 8)


@pytest.mark.slurm
def test_while_slurm_is_silent_nothing_is_known_of_gpus(free_bed: Bed) -> None:
    with frozen(free_bed, "slurmctld"):
        assert ask_capacity(log_in(free_bed, query_s=1), free_bed.site) is None
