"""Lines of squeue and sacct, as Slurm 22.05 wrote them in the test bed."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.slurm.job import Job, parse_sacct, parse_squeue, parse_time
from curc_llm.slurm.state import JobState

SQUEUE = """\
41|PENDING|1795264751|1795268351|al40|gpu-normal||QOSMaxGRESPerUser
42|RUNNING|1795264000|1795267600|al40|gpu-normal|tn1|None
43|PENDING|N/A|N/A|aa100|gpu-long||None
44|PENDING|N/A|N/A|aa100|gpu-long||(ReqNodeNotAvail, UnavailableNodes:tn[1-2])
slurm_load_jobs error: something
"""
SACCT = """\
40|CANCELLED by 1003|2026-11-21T12:00:00|2026-11-21T12:05:00|al40|gpu-normal|tn1|0:0
45|PENDING|Unknown|Unknown|al40|gpu-normal|None assigned|0:0
46|REQUEUED|1795264000|1795264010|al40|gpu-normal|tn1|0:0
46|COMPLETED|1795264020|1795264030|al40|gpu-normal|tn2|1:0
"""


def test_the_queue_tells_state_place_times_and_why_a_job_waits() -> None:
    jobs = parse_squeue(SQUEUE)
    assert set(jobs) == {"41", "42", "43", "44"}
    assert jobs["41"].why_waiting == "you hold all the GPUs that one person may at once with its QoS"
    assert jobs["41"].start_at == 1795264751
    assert jobs["42"] == Job(
        "42", JobState.RUNNING, "", 1795264000.0, 1795267600.0, "al40", "gpu-normal", "tn1"
    )
    assert jobs["43"].why_waiting == "Slurm has not looked at it yet"
    assert jobs["43"].start_at is None
    assert "down or reserved" in jobs["44"].why_waiting


def test_a_job_that_runs_waits_for_nothing() -> None:
    assert Job("1", JobState.RUNNING, reason="Priority").why_waiting == ""
    assert not Job("1", JobState.RUNNING, reason="PartitionTimeLimit").waits_in_vain
    assert Job("1", JobState.PENDING, reason="PartitionTimeLimit").waits_in_vain


def test_accounting_tells_how_jobs_ended_and_of_several_runs_the_last() -> None:
    jobs = parse_sacct(SACCT)
    assert jobs["40"].state is JobState.CANCELLED
    assert jobs["40"].end_at == time.mktime((2026, 11, 21, 12, 5, 0, 0, 0, -1))
    assert jobs["45"].nodes == ""
    assert (jobs["46"].state, jobs["46"].nodes, jobs["46"].exit_code) == (JobState.COMPLETED, "tn2", "1:0")


@pytest.mark.parametrize("text", ["N/A", "Unknown", "None", "", "0", "soon", "99999-01-01T00:00:00"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_time(text) is None


@given(st.text())
def test_no_line_breaks_the_parsers(text: str) -> None:
    assert all(job_id.isdigit() for job_id in {**parse_squeue(text), **parse_sacct(text)})
