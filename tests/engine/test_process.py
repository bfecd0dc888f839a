"""Engines are real processes here, with children that don't want to go."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from curc_llm.engine.log import EngineLog
from curc_llm.engine.process import EngineProcess, Leftover, list_gpu_pids
from curc_llm.engine.tree import ProcessTree, read_process
from curc_llm.errors import EngineError

WORKERS = Path(__file__).parents[1] / "fakes" / "fake_workers.py"
ENVIRONMENT = {"PATH": os.environ["PATH"]}


class Engines:
    """Starts processes and sees to it that none is left when the test is over."""

    def __init__(self, folder: Path) -> None:
        self.log = EngineLog(folder / "engine.log")
        self._ready = folder / "ready"
        self.started: list[EngineProcess] = []

    async def start(self, *command: str, **more: object) -> EngineProcess:
        engine = await EngineProcess.start(command, environment=ENVIRONMENT, log=self.log, **more)  # type: ignore[arg-type]
        self.started.append(engine)
        return engine

    async def start_workers(self, mode: str) -> tuple[EngineProcess, dict[str, int]]:
        engine = await self.start(sys.executable, str(WORKERS), str(self._ready), mode)
        while not self._ready.exists():
            await asyncio.sleep(0.01)
        pairs = (line.split() for line in self._ready.read_text().splitlines())
        return engine, {name: int(pid) for name, pid in pairs}


@pytest.fixture
async def engines(tmp_path: Path) -> AsyncIterator[Engines]:
    engines = Engines(tmp_path)
    yield engines
    for engine in engines.started:
        await engine.stop(0)
    engines.log.close()


async def wait_gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while read_process(pid):
            await asyncio.sleep(0.01)


async def test_all_that_it_says_is_in_the_log(engines: Engines) -> None:
    engine = await engines.start("sh", "-c", "echo out; echo err >&2; read line || echo no input; exit 7")
    assert await engine.wait() == 7
    assert engine.exit_code == 7
    assert engines.log.read_new() == "out\nerr\nno input\n"


async def test_it_has_a_session_of_its_own_and_nothing_of_our_environment(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_SECRET", "s3cret")
    engine = await engines.start("sh", "-c", "env; echo all; exec sleep 60")
    assert os.getsid(engine.pid) == engine.pid != os.getsid(0)
    said = ""
    async with asyncio.timeout(30):
        while "all\n" not in said:
            said += engines.log.read_new()
            await asyncio.sleep(0.02)
    assert "PATH=" in said
    assert "s3cret" not in said


async def test_what_it_makes_is_its_owners_alone(engines: Engines, tmp_path: Path) -> None:
    engine = await engines.start("touch", "made", cwd=tmp_path)
    await engine.wait()
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o600


async def test_a_crash_leaves_no_core_file(engines: Engines) -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        engine = await engines.start("sleep", "60")
        assert resource.prlimit(engine.pid, resource.RLIMIT_CORE) == (0, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


async def test_it_inherits_only_the_descriptors_that_are_passed(engines: Engines) -> None:
    read_end, write_end = os.pipe()
    engine = await engines.start("sh", "-c", f"cat /proc/self/fd/{read_end}", pass_fds=[read_end])
    os.close(read_end)
    os.write(write_end, b"hello")
    os.close(write_end)
    assert await engine.wait() == 0
    assert engines.log.read_new() == "hello"


async def test_a_program_that_does_not_exist_is_told(engines: Engines) -> None:
    with pytest.raises(EngineError, match=r"/no/python can't be started: No such file") as caught:
        await engines.start("/no/python")
    assert "engine_python" in caught.value.remedy


async def test_stopping_asks_first_and_leaves_nothing(engines: Engines) -> None:
    engine, pids = await engines.start_workers("plain")
    assert await engine.stop(5) == ()
    assert engine.exit_code == -15
    assert [read_process(pid) for pid in pids.values()] == [None, None]


async def test_one_that_ignores_the_request_is_killed(engines: Engines) -> None:
    engine, pids = await engines.start_workers("stubborn")
    assert await engine.stop(0.1) == ()
    assert engine.exit_code == -9
    assert read_process(pids["child"]) is None


async def test_it_is_killed_by_a_task_that_was_cancelled_too(engines: Engines) -> None:
    """As an engine is when another model takes its place while an answer is being streamed."""
    engine, pids = await engines.start_workers("stubborn")

    async def keep() -> None:
        try:
            await engine.wait()
        finally:
            await engine.stop(0.1)

    keeping = asyncio.create_task(keep())
    await asyncio.sleep(0)
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert engine.exit_code == -9
    assert read_process(pids["child"]) is None


async def test_a_process_that_left_parent_and_session_is_found(engines: Engines, tmp_path: Path) -> None:
    engine, pids = await engines.start_workers("escape")
    await engine.look()  # as the supervisor does every few seconds
    escaped = read_process(pids["escaped"])
    assert escaped is not None
    (tmp_path / "go").touch()
    await wait_gone(escaped.parent)
    assert await engine.stop(5) == ()
    assert read_process(pids["escaped"]) is None


async def test_what_a_dead_engine_left_is_ended_too(engines: Engines) -> None:
    engine, pids = await engines.start_workers("quick")
    assert await engine.wait() == 3
    assert read_process(pids["child"]) is not None
    assert await engine.stop(5) == ()
    assert read_process(pids["child"]) is None


async def test_workers_of_an_engine_that_was_killed_are_ended(engines: Engines) -> None:
    engine, pids = await engines.start_workers("plain")
    os.kill(engine.pid, 9)
    assert await engine.wait() == -9
    assert await engine.stop(5) == ()
    assert read_process(pids["child"]) is None


async def test_other_processes_are_left_alone(engines: Engines) -> None:
    other = await engines.start("sleep", "60")
    engine, _ = await engines.start_workers("plain")
    await engine.stop(5)
    assert other.exit_code is None
    assert read_process(other.pid) is not None


async def test_processes_are_counted_and_stopping_twice_does_no_harm(engines: Engines) -> None:
    engine, _ = await engines.start_workers("plain")
    assert await engine.look() == 2
    await engine.stop(5)
    assert await engine.look() == 0
    assert await engine.stop(5) == ()


async def test_a_process_that_still_holds_the_gpu_is_told(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, pids = await engines.start_workers("plain")
    driver = tmp_path / "nvidia-smi"
    driver.write_text(f"#!/bin/sh\necho {pids['child']}; echo 1; echo '[N/A]'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert await engine.stop(5) == (Leftover(pids["child"], "?", holds_gpu=True),)


async def test_without_a_driver_no_process_holds_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert await list_gpu_pids() == set()


def test_a_pid_that_never_was_has_no_tree() -> None:
    tree = ProcessTree(2**22 + 1)
    assert tree.look() == []
    tree.kill()
    assert tree.ever == {2**22 + 1}


async def test_a_process_with_a_strange_name_is_read(engines: Engines, tmp_path: Path) -> None:
    program = tmp_path / "a) R (b"
    shutil.copy("/bin/sleep", program)
    engine = await engines.start(str(program), "60")
    facts = read_process(engine.pid)
    assert facts is not None
    assert (facts.name, facts.parent, facts.session) == ("a) R (b", os.getpid(), engine.pid)


def test_only_processes_that_live_are_read() -> None:
    assert read_process(2**22 + 1) is None
    facts = read_process(os.getpid())
    assert facts is not None
    assert (facts.pid, facts.parent, facts.session) == (os.getpid(), os.getppid(), os.getsid(0))


async def test_a_pid_that_was_given_to_someone_else_is_left_alone(engines: Engines) -> None:
    other = await engines.start("sleep", "60")
    facts = read_process(other.pid)
    assert facts is not None
    tree = ProcessTree(other.pid)
    tree._members = {other.pid: replace(facts, started=facts.started - 1)}  # what an earlier process was
    tree._leaders = {other.pid: facts.started - 1}
    tree.kill()
    assert tree.look() == []
    assert read_process(other.pid) is not None
