"""Whose line is whose in the log of an engine over several nodes, and who failed first."""

from __future__ import annotations

from curc_llm.engine.rank_log import RankEnd, diagnose_ranks, lines_of, parse_ends

# As srun --label writes them: the second node's worker was killed, the first node only followed.
KILLED = """\
0: (EngineCore pid=11) INFO 11-22 14:57:18 [core.py:1] started
1: (Worker_TP1 pid=22) ERROR 11-22 15:00:00 [multiproc_executor.py:1] Worker proc VllmWorker-1 \
died unexpectedly (exit code: -9), shutting down executor.
1: curc-llm: rank 1 on tn2 ended with 1 at 100.000
srun: error: tn2: task 1: Exited with exit code 1
0: (EngineCore pid=11) ERROR 11-22 15:00:01 [core.py:1] RuntimeError: Connection closed by peer
0: curc-llm: rank 0 on tn1 ended with -15, as it was told at 100.200
"""


def test_an_end_is_read_back_as_it_was_written() -> None:
    end = RankEnd(3, "node-7.cluster", -9, was_told=True, at=12.5)
    assert parse_ends(f" 3: {end.render()}\n") == [end]


def test_a_node_s_lines_are_its_own_whatever_their_order() -> None:
    assert lines_of("0: a\n10: b\n 0: c\nno label\n", 0) == "a\nc"


def test_the_first_node_that_failed_of_itself_is_named_and_not_those_that_followed() -> None:
    trouble = diagnose_ranks(KILLED, 1)
    assert trouble.code == "killed"
    assert trouble.message.startswith("On tn2, GPU 1 of the engine: The engine was killed")
    assert trouble.remedy


def test_a_worker_whose_end_vllm_could_not_tell_is_told_as_killed_too() -> None:
    trouble = diagnose_ranks(
        KILLED.replace("exit code: -9", "exit code: None").replace("with 1 at", "with 0 at"), 1
    )
    assert trouble.code == "killed"
    assert "was killed or crashed without a word" in trouble.message
    assert trouble.message.startswith("On tn2")


def test_of_two_that_failed_of_themselves_the_earlier_counts() -> None:
    one = RankEnd(0, "tn1", 1, was_told=False, at=5.0).render()
    two = RankEnd(1, "tn2", -11, was_told=False, at=4.0).render()
    trouble = diagnose_ranks(f"0: {one}\n1: {two}\n", 1)
    assert (trouble.code, trouble.message.split(":")[0]) == ("crashed", "On tn2")


def test_a_task_that_could_not_say_how_it_ended_is_told_in_srun_s_words() -> None:
    trouble = diagnose_ranks("srun: error: tn2: task 1: Killed\n", 1)
    assert trouble.code == "rank_lost"
    assert trouble.message == "On tn2: what ran there was ended from outside (Killed)."
    assert trouble.remedy


def test_a_step_that_slurm_refuses_is_told_with_the_nodes() -> None:
    log = "srun: error: Unable to create step for job 7: Requested nodes are busy\n"
    trouble = diagnose_ranks(log, 1, nodes=("tn1", "tn2"))
    assert trouble.code == "step_refused"
    assert trouble.message.startswith("Slurm didn't start the engine on tn1, tn2: Unable to create step")


def test_a_node_that_could_not_read_its_plan_says_so() -> None:
    log = (
        "1: Error: /s/ranks-0.json can't be read on this node: No such file. Set state_dir elsewhere.\n"
        "1: curc-llm: rank 1 on tn2 ended with 3 at 9.000\n"
    )
    trouble = diagnose_ranks(log, 1)
    assert trouble.code == "node_setup"
    assert trouble.message.startswith("On tn2: /s/ranks-0.json can't be read on this node")
