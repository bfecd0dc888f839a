"""A session whose job was killed before its hand-over leads to the successor that it had submitted."""

from __future__ import annotations

import pytest

from curc_llm.client.source import LocalSource
from curc_llm.launch.heirs import follow_session, list_line
from curc_llm.launch.queued import load_session
from curc_llm.session.demand import HandOverRecord, OtherPhase
from curc_llm.session.paths import SessionPaths
from curc_llm.session.slurm_note import SlurmNote, write_slurm_note
from tests.fakes.fake_slurm import FakeSlurm
from tests.launch.test_queued import run_elsewhere, submitted

__all__ = ["submitted"]  # a fixture


@pytest.fixture
def handing_over(submitted: SessionPaths) -> SessionPaths:
    """A session silent for ten minutes; its successor, job 88, has not begun."""
    successor = SessionPaths(submitted.root.parent / "slurm-b")
    successor.make()
    write_slurm_note(successor.slurm, SlurmNote(job_id="88", submitted_at=1795264000.0))
    told = HandOverRecord(session_id="slurm-b", job_id="88", phase=OtherPhase.QUEUED)
    run_elsewhere(submitted, heartbeat_age_s=600, hand_over=told)
    return submitted


def say(slurm: FakeSlurm, state: str) -> None:
    """What became of job 77, while 88 waits."""
    slurm.says("squeue", "88|PENDING|N/A|N/A|aa100|gpu-normal|(null)|Priority\n")
    slurm.says("sacct", f"77|{state}|1795264000|1795264751|aa100|gpu-normal|c1|0:9\n")


@pytest.mark.parametrize(
    ("state", "leads_to"),
    [("NODE_FAIL", "slurm-b"), ("FAILED", "slurm-b"), ("CANCELLED", ""), ("RUNNING", "")],
)
def test_its_name_leads_to_the_one_that_waits_unless_it_runs_or_was_cancelled(
    slurm: FakeSlurm, handing_over: SessionPaths, state: str, leads_to: str
) -> None:
    say(slurm, state)
    named, wanted = load_session(handing_over.root), leads_to or handing_over.root.name
    assert named is not None
    assert follow_session(named).session_id == wanted
    assert LocalSource(handing_over).record().session_id == wanted
    assert len(list_line(handing_over.root)) == (2 if leads_to else 1)  # what `stop` ends


def test_while_slurm_is_silent_nothing_is_believed_lost(slurm: FakeSlurm, handing_over: SessionPaths) -> None:
    slurm.is_silent()
    assert len(list_line(handing_over.root)) == 1
