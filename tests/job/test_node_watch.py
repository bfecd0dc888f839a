"""Every node is heard; one that falls silent is named."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest

from curc_llm.errors import EngineError
from curc_llm.job import node_watch
from curc_llm.job.node_watch import NodeSilentError, NodeWatch

# Two nodes speak at first; then the second one says nothing any more, and closes nothing.
TWO = """
import sys, time
print("0: alive", flush=True)
print("1: alive", flush=True)
while True:
    time.sleep(0.02)
    print("0: alive", flush=True)
"""


@pytest.mark.slow
async def test_a_node_that_falls_silent_is_named_and_the_others_are_not() -> None:
    watch = NodeWatch(["tn1", "tn2"], silent_s=2.0)  # on a busy machine the first one may be late, too
    await watch.start([sys.executable, "-c", TWO])
    await watch.wait_for_all()
    watch.check()
    with pytest.raises(NodeSilentError) as caught:
        await _look_for_ever(watch)
    assert caught.value.message.startswith("Nothing was heard from tn2 for 2 s")
    assert caught.value.code == "node_silent"
    await watch.close()


async def _look_for_ever(watch: NodeWatch) -> None:
    while True:
        await asyncio.sleep(0.02)
        watch.check()


@pytest.mark.slow
async def test_a_node_that_never_speaks_is_named() -> None:
    watch = NodeWatch(["tn1", "tn2", "tn3"])
    await watch.start([sys.executable, "-c", TWO])
    with pytest.raises(NodeSilentError) as caught:
        await watch.wait_for_all(patience_s=1)
    assert "from tn3 for 1 s" in caught.value.message
    await watch.close()


# Both nodes at first, until it ends; begun anew it does what it is told to.
AGAIN = """
import os, sys, time
again = os.path.exists(sys.argv[1])
open(sys.argv[1], "w").close()
for line in sys.argv[2].split(",") if again else ["0: alive", "1: alive"]:
    print(line, flush=True)
time.sleep(3600 if again else 0)
"""


async def watch_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, said: str, **patience_s: float
) -> NodeWatch:
    """A watch of two nodes whose pulse has ended once."""
    monkeypatch.setattr(node_watch, "AGAIN_S", 0.1)
    watch = NodeWatch(["tn1", "tn2"], **patience_s)
    await watch.start([sys.executable, "-c", AGAIN, str(folder / "begun"), said])
    await watch.wait_for_all()
    assert watch._process is not None
    await watch._process.wait()
    return watch


async def test_a_pulse_that_ended_is_begun_anew_and_a_lost_node_is_named_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = await watch_again(tmp_path, monkeypatch, "0: alive,1: alive", silent_s=0.2)
    with pytest.raises(NodeSilentError, match="from tn1 and tn2 for"):
        await _look_for_ever(watch)
    await watch.close()


async def test_a_node_that_the_pulse_begun_anew_never_reaches_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = await watch_again(tmp_path, monkeypatch, "0: alive", silent_s=3600, join_s=0.2)
    with pytest.raises(NodeSilentError, match="from tn2 for"):
        await _look_for_ever(watch)
    await watch.close()


async def test_a_pulse_that_slurm_cannot_begin_anew_says_nothing_of_the_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "srun: error: Unable to contact slurm controller"
    watch = await watch_again(tmp_path, monkeypatch, said, silent_s=0.0, join_s=0.0)
    async with asyncio.timeout(20):
        while watch._said != said.removeprefix("srun: error: "):
            watch.check()
            await asyncio.sleep(0.02)
    for _ in range(3):
        watch.check()
    await watch.close()


async def test_a_missing_srun_is_told() -> None:
    with pytest.raises(EngineError, match="no-such-srun can't be started"):
        await NodeWatch(["tn1"]).start(["no-such-srun"])


async def test_what_slurm_says_instead_of_starting_it_is_told() -> None:
    watch = NodeWatch(["tn1"])
    said = "srun: error: Unable to create step for job 7: Invalid generic resource (gres) specification"
    code = f"import sys; print('0: a warning'); sys.exit({said!r})"
    await watch.start([sys.executable, "-c", code])
    assert watch._process is not None
    await watch._process.wait()
    with pytest.raises(
        NodeSilentError, match="from tn1 for 0 s: Slurm said: Unable to create step"
    ) as caught:
        await watch.wait_for_all(patience_s=0.3)
    assert "srun" not in caught.value.message
    await watch.close()


async def test_a_node_that_slurm_cannot_reach_yet_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_watch, "AGAIN_S", 0.1)
    code = (
        "import os, sys\n"
        "again = os.path.exists(sys.argv[1])\n"
        "open(sys.argv[1], 'w').close()\n"
        "print('0: alive' if again else 'srun: error: no route', flush=True)\n"
    )
    watch = NodeWatch(["tn1"])
    await watch.start([sys.executable, "-c", code, str(tmp_path / "begun")])
    await watch.wait_for_all()
    await watch.close()


@pytest.mark.slow
async def test_words_that_this_process_was_too_late_to_read_count() -> None:
    watch = NodeWatch(["tn1"], silent_s=0.5)
    await watch.start([sys.executable, "-c", TWO])
    await watch.wait_for_all()
    time.sleep(1)  # noqa: ASYNC251 - the whole process stands still
    watch.check()
    await asyncio.sleep(0.1)
    watch.check()
    await watch.close()
