"""Step: a program that runs once on each node of a job. Pure."""

from __future__ import annotations

from collections.abc import Sequence

# Once one task has ended well, the others may take so long until they are ended: none goes on alone.
WAIT_S = 30


def render_step(
    command: Sequence[str],
    *,
    name: str,
    num_nodes: int,
    nodelist: str = "",
    cpus_per_task: int = 1,
    gres: str = "",
    has_input: bool = False,
) -> list[str]:
    """The srun that runs a command once on each of a job's nodes, beside whatever runs there already.

    A task that fails ends the others (`--kill-on-bad-exit`); each line of output begins with its task's
    number, which is the node's place in the job's list (`--label`). All memory of the job is shared
    (`--mem=0`). Since Slurm 22.05 srun doesn't take `--cpus-per-task` from the job, so it is given. Options:
    https://slurm.schedmd.com/srun.html.

    Args:
        command: the program and its arguments.
        name: of the step, as `squeue --steps` shows it.
        num_nodes: on how many nodes.
        nodelist: on which, when not on the job's first ones.
        cpus_per_task: cores on each node.
        gres: what it has of the nodes' GPUs, such as `gpu:a100:2`; empty: none.
        has_input: whether srun's standard input goes to all tasks; else they have none.

    Example:
        >>> render_step(["hostname"], name="who", num_nodes=2)[:3]
        ['srun', '--job-name=who', '--nodes=2']
    """
    where = [f"--nodelist={nodelist}"] if nodelist else []
    return [
        "srun",
        f"--job-name={name}",
        f"--nodes={num_nodes}",
        f"--ntasks={num_nodes}",
        "--ntasks-per-node=1",
        *where,
        f"--cpus-per-task={cpus_per_task}",
        f"--gres={gres or 'none'}",
        "--mem=0",
        "--overlap",
        "--kill-on-bad-exit=1",
        f"--wait={WAIT_S}",
        "--label",
        f"--input={'all' if has_input else 'none'}",
        "--export=ALL",
        *command,
    ]
