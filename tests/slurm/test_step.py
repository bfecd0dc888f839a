"""The srun line; that a real srun takes it is shown where it is used."""

from __future__ import annotations

from curc_llm.slurm.step import render_step


def test_a_step_runs_once_on_each_node_and_ends_whole() -> None:
    line = render_step(["prog", "--x"], name="engine-0", num_nodes=2, cpus_per_task=8, gres="gpu:a100:2")
    assert line[0] == "srun"
    assert line[-2:] == ["prog", "--x"]
    options = {
        "--nodes=2",
        "--ntasks=2",
        "--ntasks-per-node=1",
        "--kill-on-bad-exit=1",
        "--overlap",
        "--label",
    }
    assert options <= set(line)
    assert {"--cpus-per-task=8", "--gres=gpu:a100:2", "--mem=0"} <= set(line)


def test_a_step_without_gpus_takes_none_and_may_name_its_nodes() -> None:
    line = render_step(["prog"], name="look", num_nodes=1, nodelist="n2")
    assert {"--gres=none", "--nodelist=n2"} <= set(line)
