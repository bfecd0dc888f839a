"""One question for all jobs; Slurm being silent is not a job being gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from curc_llm.errors import SlurmError, SlurmSilentError
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll, ask
from curc_llm.slurm.reasons import explain_reason
from curc_llm.slurm.state import JobState
from tests.slurm.login import log_in
from tests.slurm.requests import SCRIPT, ask_for
from tests.testbed.bed import Bed
from tests.testbed.daemon import wait_until
from tests.testbed.faults import dead, frozen, lost

NEVER_THERE = "987654321"


@dataclass(frozen=True)
class Counting(Slurm):
    """Slurm's commands, and which were run."""

    asked: list[str] = field(default_factory=list)

    def query(self, *command: str) -> str:
        self.asked.append(command[0])
        return super().query(*command)


@dataclass(frozen=True)
class Scripted(Slurm):
    """Answers or errors, by command."""

    answers: dict[str, str | SlurmError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def query(self, *command: str) -> str:
        self.asked.append(command[0])
        answer = self.answers[command[0]]
        if isinstance(answer, SlurmError):
            raise answer
        return answer


def counting(bed: Bed) -> Counting:
    return Counting(bed.user_environment(None), query_s=15)


def states(slurm: Slurm, *job_ids: str) -> list[str]:
    found = ask(slurm, list(job_ids))
    return [found[job_id].state.value for job_id in job_ids]


def wait_for(slurm: Slurm, job_id: str, *expected: JobState, seconds: float = 25) -> None:
    assert wait_until(lambda: ask(slurm, [job_id])[job_id].state in expected, seconds, 0.2), ask(
        slurm, [job_id]
    )


RUNNING = "1|RUNNING|1|2|al40|gpu-normal|tn1|None\n"
ENDED = "2|COMPLETED|1|2|al40|gpu-normal|tn1|0:0\n"


def test_the_queue_is_asked_first_and_accounting_only_for_the_rest() -> None:
    slurm = Scripted(answers={"squeue": RUNNING, "sacct": ENDED})
    assert states(slurm, "1") == ["RUNNING"]
    assert slurm.asked == ["squeue"]
    assert states(slurm, "1", "2", "3") == ["RUNNING", "COMPLETED", "GONE"]
    assert slurm.asked[1:] == ["squeue", "sacct"]


def test_a_silent_controller_makes_all_unknown_and_accounting_is_not_asked() -> None:
    slurm = Scripted(answers={"squeue": SlurmSilentError("silent"), "sacct": ENDED})
    assert states(slurm, "1", "2") == ["UNKNOWN", "UNKNOWN"]
    assert slurm.asked == ["squeue"]


@pytest.mark.parametrize("error", [SlurmSilentError("silent"), SlurmError("refused")])
def test_without_accounting_no_job_is_called_gone(error: SlurmError) -> None:
    slurm = Scripted(answers={"squeue": RUNNING, "sacct": error})
    assert states(slurm, "1", "2") == ["RUNNING", "UNKNOWN"]


def test_a_site_that_keeps_no_accounts_knows_only_the_queue() -> None:
    error = SlurmError("Slurm refused it and said: Slurm accounting storage is disabled.")
    assert states(Scripted(answers={"squeue": "", "sacct": error}), "2") == ["GONE"]


def test_an_answer_is_good_for_some_seconds_whoever_asks() -> None:
    now = [100.0]
    slurm = Scripted(answers={"squeue": RUNNING, "sacct": ENDED})
    poll = SlurmPoll(slurm, min_gap_s=5, clock=lambda: now[0])
    assert poll.jobs(["1"])["1"].state is JobState.RUNNING
    now[0] = 104.9
    assert poll.jobs(["1"])["1"].state is JobState.RUNNING
    assert poll.jobs(["2"])["2"].state is JobState.UNKNOWN
    assert slurm.asked == ["squeue"]
    now[0] = 105.0
    assert poll.jobs(["2"])["2"].state is JobState.COMPLETED
    assert poll.jobs(["1"])["1"].state is JobState.RUNNING
    assert slurm.asked == ["squeue", "squeue", "sacct"]
    assert poll.jobs([]) == {}


def test_a_hostile_id_is_refused_before_anything_is_asked() -> None:
    slurm = Scripted()
    with pytest.raises(SlurmError, match="isn't a job id"):
        SlurmPoll(slurm).jobs(["1", "2;id"])
    assert slurm.asked == []


@pytest.mark.slurm
def test_sixty_jobs_take_one_question_to_the_queue_and_at_most_one_to_accounting(free_bed: Bed) -> None:
    slurm = counting(free_bed)
    ids = [slurm.submit(ask_for(), SCRIPT) for _ in range(60)]
    found = ask(slurm, [*ids, NEVER_THERE])
    assert slurm.asked == ["squeue", "sacct"]
    assert found[NEVER_THERE].state is JobState.GONE
    wait_for(slurm, ids[0], JobState.RUNNING)
    waiting = [job for job in ask(slurm, ids).values() if job.state is JobState.PENDING]
    assert len(waiting) >= 50
    assert wait_until(
        lambda: all(j.why_waiting for j in ask(slurm, [w.job_id for w in waiting]).values()), 10
    )
    assert not any(job.why_waiting.startswith("Slurm says") for job in ask(slurm, ids).values())


@pytest.mark.slurm
def test_how_a_job_is_doing_is_told_from_its_beginning_to_long_after_its_end(free_bed: Bed) -> None:
    slurm = counting(free_bed)
    held = slurm.submit(ask_for(), "#!/bin/sh\nexit 3\n")
    runs = slurm.submit(ask_for(), SCRIPT)
    wait_for(slurm, held, JobState.FAILED)
    wait_for(slurm, runs, JobState.RUNNING)
    job = ask(slurm, [runs])[runs]
    assert (job.partition, job.qos, job.nodes in {"tn1", "tn2"}) == ("al40", "gpu-normal", True)
    assert job.start_at is not None
    assert job.end_at is not None
    assert abs(job.end_at - job.start_at - 3600) < 2
    assert abs(job.start_at - time.time()) < 60
    slurm.cancel(runs)
    wait_for(slurm, runs, JobState.CANCELLED)


@pytest.mark.slurm
def test_accounting_knows_what_has_left_the_queue(free_bed: Bed, tmp_path: Path) -> None:
    """An empty queue is what a controller answers some minutes after the end (MinJobAge)."""
    slurm = log_in(free_bed)
    job_id = slurm.submit(ask_for(), "#!/bin/sh\nexit 3\n")
    wait_for(slurm, job_id, JobState.FAILED)
    (tmp_path / "squeue").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "squeue").chmod(0o755)
    later = Slurm(slurm.environment | {"PATH": f"{tmp_path}:{slurm.environment['PATH']}"})  # type: ignore[operator]
    assert wait_until(lambda: states(later, job_id) == ["FAILED"], 10, 0.3)
    job = ask(later, [job_id, NEVER_THERE])
    assert job[job_id].exit_code == "3:0"
    assert job[job_id].end_at is not None
    assert abs(job[job_id].end_at - time.time()) < 60
    assert job[NEVER_THERE].state is JobState.GONE


@pytest.mark.slurm
def test_reasons_of_the_real_slurm_are_told(free_bed: Bed) -> None:
    slurm = log_in(free_bed, free_bed.ground.user)
    mine = log_in(free_bed)
    for _ in range(3):
        slurm.submit(ask_for(), SCRIPT, free_bed.home())
    held = mine.submit(ask_for(), SCRIPT)
    free_bed.run("scontrol", "hold", held)
    wait_for(mine, held, JobState.PENDING)
    told = "the centre's staff holds it: ask them"
    assert wait_until(lambda: ask(mine, [held])[held].why_waiting == told, 5)
    fourth = slurm.submit(ask_for(), SCRIPT, free_bed.home())
    told = "you hold all the GPUs that one person may at once with its QoS"
    assert wait_until(lambda: explain(free_bed, fourth) == told, 15, 0.3), explain(free_bed, fourth)


def explain(bed: Bed, job_id: str) -> str:
    return explain_reason(bed.run("squeue", "-h", "-j", job_id, "-o", "%r").stdout)


@pytest.mark.slurm
def test_a_job_that_cannot_ever_start_is_said_to_wait_in_vain(free_bed: Bed) -> None:
    slurm = log_in(free_bed)
    first = slurm.submit(ask_for(), "#!/bin/sh\nexit 1\n")
    text = slurm.query(
        "sbatch", "--parsable", "--partition=al40", "--qos=gpu-normal", "--nodes=1", "--ntasks=1",
        "--time=60", "--gres=gpu:l40:1", f"--dependency=afterok:{first}", "--output=/dev/null", "--wrap=true",
    )  # fmt: skip
    second = text.strip()
    assert wait_until(lambda: ask(slurm, [second])[second].waits_in_vain, 20, 0.3)


@pytest.mark.slurm
def test_a_requeued_job_waits_again_under_its_id_and_then_runs(free_bed: Bed) -> None:
    slurm = log_in(free_bed)
    job_id = slurm.submit(ask_for(requeue=True), SCRIPT)
    wait_for(slurm, job_id, JobState.RUNNING)
    free_bed.run("scontrol", "requeue", job_id)
    seen: set[JobState] = set()

    def has_waited() -> bool:
        seen.add(ask(slurm, [job_id])[job_id].state)
        return any(state.is_waiting for state in seen)

    assert wait_until(has_waited, 30, 0.1), seen
    assert not any(state.is_over for state in seen)
    time.sleep(2)  # Slurm takes a job's credential back for that long
    free_bed.run("scontrol", "update", f"jobid={job_id}", "starttime=now")
    wait_for(slurm, job_id, JobState.RUNNING, seconds=30)


@pytest.mark.slurm
def test_a_job_that_may_not_be_requeued_is_preempted_and_over(free_bed: Bed) -> None:
    slurm = log_in(free_bed)
    victim = slurm.submit(ask_for(requeue=False), SCRIPT)
    wait_for(slurm, victim, JobState.RUNNING)
    free_bed.run(
        "sbatch",
        "--partition=urgent",
        "--nodes=2",
        "--ntasks=2",
        "--exclusive",
        "--output=/dev/null",
        "--wrap=sleep 60",
    )
    wait_for(slurm, victim, JobState.PREEMPTED, seconds=30)
    assert JobState.PREEMPTED.is_over


@pytest.mark.slurm
def test_the_job_of_a_lost_node_has_failed_with_the_node(free_bed: Bed) -> None:
    slurm = log_in(free_bed)
    job_id = slurm.submit(ask_for(), SCRIPT)
    wait_for(slurm, job_id, JobState.RUNNING)
    node = next(n for n in free_bed.ground.nodes if n.name == ask(slurm, [job_id])[job_id].nodes)
    with lost(free_bed, node):
        wait_for(slurm, job_id, JobState.NODE_FAIL)


@pytest.mark.slurm
def test_a_job_of_a_lost_node_that_may_start_again_waits_for_another(free_bed: Bed) -> None:
    slurm = log_in(free_bed)
    job_id = slurm.submit(ask_for(requeue=True), SCRIPT)
    wait_for(slurm, job_id, JobState.RUNNING)
    place = ask(slurm, [job_id])[job_id].nodes
    node = next(n for n in free_bed.ground.nodes if n.name == place)
    with lost(free_bed, node):
        assert not ask(slurm, [job_id])[job_id].state.is_over
        wait_for(slurm, job_id, JobState.PENDING)
        assert ask(slurm, [job_id])[job_id].why_waiting


@pytest.mark.slurm
def test_while_a_nodes_daemon_is_dead_its_job_still_runs(free_bed: Bed) -> None:
    slurm = log_in(free_bed)
    job_id = slurm.submit(ask_for(), SCRIPT)
    wait_for(slurm, job_id, JobState.RUNNING)
    with dead(free_bed, f"slurmd.{ask(slurm, [job_id])[job_id].nodes}"):
        assert states(slurm, job_id) == ["RUNNING"]
    assert states(slurm, job_id) == ["RUNNING"]


@pytest.mark.slurm
@pytest.mark.parametrize("fault", [frozen, dead])
def test_while_slurm_is_silent_nothing_is_known_and_afterwards_all_is(
    free_bed: Bed, fault: Callable[[Bed, str], object]
) -> None:
    slurm = Counting(free_bed.user_environment(None), query_s=2)
    runs = slurm.submit(ask_for(), SCRIPT)
    wait_for(slurm, runs, JobState.RUNNING)
    with fault(free_bed, "slurmctld"):  # type: ignore[attr-defined]
        assert states(slurm, runs, NEVER_THERE) == ["UNKNOWN", "UNKNOWN"]
    known, gone = states(slurm, runs, NEVER_THERE)
    assert gone == "GONE"
    assert known in {"RUNNING", "PENDING"}  # a killed controller has forgotten the last seconds


@pytest.mark.slurm
def test_while_accounting_is_silent_only_the_queue_is_known(free_bed: Bed) -> None:
    slurm = log_in(free_bed)
    runs = slurm.submit(ask_for(), SCRIPT)
    wait_for(slurm, runs, JobState.RUNNING)
    with dead(free_bed, "slurmdbd"):
        assert states(slurm, runs, NEVER_THERE) == ["RUNNING", "UNKNOWN"]
    assert wait_until(lambda: states(slurm, NEVER_THERE) == ["GONE"], 10, 0.3)
