"""What nodes tell comes whole through srun, which breaks lines of 1,024 bytes and more."""

from __future__ import annotations

import sys

from curc_llm.engine.preflight import render_lines
from curc_llm.job.node_step import NodeStep

# Four GPUs, a model's path and three folders are more than that.
LONG = {"facts": "x" * 3000}
SRUN_BREAKS_AT = 1024


def test_no_line_is_so_long_that_srun_would_break_it() -> None:
    lines = render_lines("facts", LONG)
    assert len(lines) == 4
    assert max(map(len, lines)) < SRUN_BREAKS_AT


async def test_what_two_nodes_tell_at_once_is_put_together_again_and_a_broken_line_is_passed_over() -> None:
    told = render_lines("facts", LONG)
    broken = told[-1][:-5]
    lines = [f"{task}: {line}" for line in told for task in (0, 1)]
    text = "\n".join([f"0: {broken}", "1: a word of srun's", *lines]) + "\n"
    step = await NodeStep.start([sys.executable, "-c", f"print({text!r}, end='', flush=True)"], 2)
    heard = await step.hear("facts", within_s=30)
    await step.end()
    assert {task: (said.kind, said.value) for task, said in heard.items()} == {
        0: ("facts", LONG),
        1: ("facts", LONG),
    }
