"""`curc-llm preflight`: a report for people, and refusals before anything is submitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.cli.preflight import explain_no_report, render_report
from curc_llm.session.preflight import PreflightFinding, PreflightReport
from curc_llm.session.record import EnginePhase, EngineRecord, SessionStatus
from curc_llm.session.store import read_record
from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession

FACTS = {"n1": "ib0 (infiniband) 10.0.0.1", "n2": "ib0 (infiniband) 10.0.0.2"}


def test_a_report_tells_nodes_figures_and_that_all_is_well() -> None:
    figures = {"latency_ms": 0.211, "link_gb_per_s": 2.5, "all_reduce_gb_per_s": 11.0}
    report = PreflightReport(seconds=4.2, nodes=("n1", "n2"), facts=FACTS, figures=figures)
    assert render_report(report).splitlines() == [
        "2 nodes in 4.2 s: longest answer 0.21 ms; slowest link 2.50 GB/s (TCP); all-reduce 11.00 GB/s",
        "  n1  ib0 (infiniband) 10.0.0.1",
        "  n2  ib0 (infiniband) 10.0.0.2",
        "All is well.",
    ]


def test_what_is_wrong_stands_below_with_its_remedy() -> None:
    found = (
        PreflightFinding(code="nodes_apart", is_fatal=True, message="n1 can't reach n2.", remedy="Mend it."),
        PreflightFinding(code="slow_network", is_fatal=False, message="Slow."),
    )
    text = render_report(PreflightReport(seconds=30, nodes=("n1", "n2"), facts=FACTS, findings=found))
    assert text.splitlines()[3:] == ["ERROR    n1 can't reach n2.", "         Mend it.", "warning  Slow."]
    assert "nothing measured" in text


def test_a_session_on_one_node_has_no_report_and_says_how_to_get_one(run: Run, fake: FakeSession) -> None:
    result = run("preflight")
    assert result.exit_code == 1
    assert "has no preflight: one over several nodes does it once it runs" in result.stderr
    assert "curc-llm preflight --partition NAME" in result.stderr


def test_where_a_job_may_have_one_node_nothing_is_submitted(run: Run, state_dir: Path) -> None:
    result = run("preflight", "--partition", "aa100")
    assert result.exit_code == 1
    assert "A job in aa100 may have 1 node, not 2." in result.stderr
    assert "max_nodes_per_job" in result.stderr
    assert not state_dir.exists()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (SessionStatus.QUEUED, "still waits in the queue (no node is free); one over several nodes looks"),
        (SessionStatus.STARTING, "is starting; one over several nodes looks at them before its model loads"),
        (SessionStatus.FAILED, "is over and was without a preflight: it was on one node, or ended before"),
    ],
)
def test_a_session_without_a_report_says_whether_it_waits_starts_or_is_over(
    fake: FakeSession, status: SessionStatus, told: str
) -> None:
    record = read_record(fake.paths.record)
    assert record is not None
    waiting = EngineRecord(
        served_model_name="m", model="m", phase=EnginePhase.QUEUED, detail="no node is free"
    )
    assert told in explain_no_report(record.model_copy(update={"status": status, "engines": (waiting,)}))
