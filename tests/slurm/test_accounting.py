"""What a job has cost: what sacct says that it held, times the site's prices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.errors import SlurmError, SlurmSilentError
from curc_llm.sites.load import load_site
from curc_llm.slurm.accounting import JobUse, ask_use, count_cost, parse_use
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import ask
from curc_llm.slurm.request import make_job_request
from curc_llm.slurm.state import JobState
from tests.plan.shipped import facts_of, plan
from tests.slurm.login import log_in
from tests.slurm.requests import SCRIPT
from tests.testbed.bed import Bed
from tests.testbed.daemon import wait_until
from tests.testbed.faults import dead

# As Slurm 22.05 wrote it in the test bed; the second job was requeued once, the third asked for no GPU type.
SACCT = """\
7|COMPLETED|3600|aa100|gpu-normal|billing=129,cpu=21,gres/gpu:a100-40gb=1,gres/gpu=1,mem=30G,node=1
8|REQUEUED|1800|al40|gpu-normal|billing=114,cpu=6,gres/gpu:l40=1,gres/gpu=1,mem=15G,node=1
8|RUNNING|600|al40|gpu-normal|billing=114,cpu=6,gres/gpu:l40=1,gres/gpu=1,mem=15G,node=1
9|TIMEOUT|3600|aa100|gpu-testing|cpu=10,gres/gpu:a100_3g.20gb=1,gres/gpu=1,mem=15G,node=1
10|PENDING|0|al40|gpu-normal|
"""


def uses_of(job_id: str) -> tuple[JobUse, ...]:
    return tuple(use for use in parse_use(SACCT) if use.job_id == job_id)


def test_a_day_on_one_a100_costs_what_the_centres_example_says() -> None:
    """About 3,110 SU for one a100-40gb with 21 cores for 24 h: (108.6 + 21) x 24 (Alpine hardware page)."""
    day = JobUse("1", JobState.COMPLETED, 24 * 3600, "aa100", "gpu-normal", 21, 1, "a100-40gb")
    assert count_cost((day,), load_site("alpine")).su == pytest.approx(3110.4)


def test_all_runs_of_a_requeued_job_count() -> None:
    cost = count_cost(uses_of("8"), load_site("alpine"))
    assert cost.elapsed_s == 2400
    assert cost.su == pytest.approx((6 + 108.6) * 2400 / 3600)


def test_a_test_qos_costs_a_tenth() -> None:
    assert count_cost(uses_of("9"), load_site("alpine")).su == pytest.approx((10 + 54.3) * 0.1)


def test_a_job_that_waits_has_cost_nothing() -> None:
    assert count_cost(uses_of("10"), load_site("alpine")).su == 0


def test_gpus_that_the_site_does_not_know_have_no_price() -> None:
    use = JobUse("1", JobState.RUNNING, 60, "aa100", "gpu-normal", 4, 1, "b300")
    assert count_cost((use,), load_site("alpine")).su is None


def test_a_site_without_gpu_types_has_one_price() -> None:
    use = JobUse("1", JobState.RUNNING, 7200, "capella", "normal", 8, 4)
    assert count_cost((use,), load_site("capella")).su == pytest.approx(8.0)


def test_a_plan_is_compared_for_the_time_that_the_job_ran() -> None:
    made = plan("qwen3-4b", gpu_type="l40", num_gpus=1, hours=4)
    cost = count_cost(uses_of("8"), load_site("alpine"), made)
    assert cost.planned_su == made.su_total
    assert cost.planned_su_so_far == pytest.approx((made.su_per_h or 0) * 2400 / 3600)


@given(st.text())
def test_no_line_breaks_the_parser(text: str) -> None:
    assert all(use.job_id.isdigit() for use in parse_use(text))


def test_a_hostile_id_is_refused_and_without_any_nothing_is_asked() -> None:
    with pytest.raises(SlurmError, match="isn't a job id"):
        ask_use(Slurm({"PATH": "/nowhere"}), ["7;id"])
    assert ask_use(Slurm({"PATH": "/nowhere"}), []) == {}


@pytest.mark.slurm
def test_a_real_job_costs_what_its_plan_says(free_bed: Bed) -> None:
    made = plan("qwen3-4b", gpu_type="l40", num_gpus=2, hours=1)
    slurm = log_in(free_bed)
    # With a folder of its own: what a job that asks for no output says, Slurm writes where it starts.
    job_id = slurm.submit(make_job_request(made, facts_of("alpine").site), SCRIPT, free_bed.home())
    assert wait_until(lambda: ask(slurm, [job_id])[job_id].state is JobState.RUNNING, 20, 0.2)
    slurm.query("sleep", "2")
    slurm.cancel(job_id)
    assert wait_until(lambda: ask(slurm, [job_id])[job_id].state.is_over, 20, 0.2)

    def uses() -> tuple[JobUse, ...]:
        return ask_use(slurm, [job_id, "987654321"]).get(job_id, ())

    # The database may hear of the end before it hears of the start, which names the partition.
    assert wait_until(lambda: any(use.state.is_over and use.partition for use in uses()), 15, 0.3)
    (use,) = uses()
    assert (use.gpus, use.gpu_type, use.cores) == (2, "l40", made.cpus)
    assert use.elapsed_s >= 2
    cost = count_cost((use,), free_bed.site, made)
    assert cost.su == pytest.approx(cost.planned_su_so_far)


@pytest.mark.slurm
def test_silent_accounting_is_silence(free_bed: Bed) -> None:
    with dead(free_bed, "slurmdbd"), pytest.raises(SlurmSilentError):
        ask_use(log_in(free_bed), ["1"])
