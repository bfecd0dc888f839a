"""An engine as a child process: started apart from everything else, and ended so that nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curc_llm.engine.log import EngineLog
from curc_llm.engine.machine import run_question
from curc_llm.engine.patience import within
from curc_llm.engine.tree import ProcessTree
from curc_llm.errors import EngineError

KILL_WAIT_S = 10.0
POLL_S = 0.05


@dataclass(frozen=True)
class Leftover:
    """A process that could not be ended: its pid, its name, and whether it still holds a GPU."""

    pid: int
    name: str
    holds_gpu: bool = False


class EngineProcess:
    """One running engine.

    Example:
        >>> async def serve(log: EngineLog) -> None:
        ...     engine = await EngineProcess.start(["sleep", "60"], environment={"PATH": "/bin"}, log=log)
        ...     assert await engine.stop(grace_s=5) == ()
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._tree = ProcessTree(process.pid)
        self.started_at = time.time()

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: EngineLog,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> EngineProcess:
        """Starts a command in its own session, with nothing of ours but what is given.

        Args:
            command: the program and its arguments, with a guard in front where there is one.
            environment: its whole environment.
            log: where it writes.
            cwd: its folder.
            pass_fds: descriptors that it inherits (the guard's end of the liveness pipe).

        Raises:
            EngineError: the program doesn't exist or can't be started.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log.fileno(),
                stderr=log.fileno(),
                env=dict(environment),
                cwd=cwd,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
                umask=0o077,  # its sockets and caches are its owner's alone
            )
        except OSError as error:
            raise EngineError(
                f"The engine {command[0]} can't be started: {error.strerror}.",
                "Set engine_python to the Python that has vLLM; curc-llm doctor checks it.",
            ) from error
        with contextlib.suppress(OSError):
            # A core file would hold weights and prompts, and fill the disk.
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
        return cls(process)

    @property
    def pid(self) -> int:
        """The first process's pid, which is its session's id too."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Waits until the first process has ended; returns its exit status, negative for a signal."""
        return await self._process.wait()

    async def look(self) -> int:
        """Counts the processes that live now, and remembers them; call it now and then (say every 5 s).

        A process that breaks away from its parent and its session is found later only if it was seen before.
        """
        return len(await asyncio.to_thread(self._tree.look))

    async def stop(self, grace_s: float, *, kill_wait_s: float = KILL_WAIT_S) -> tuple[Leftover, ...]:
        """Ends the engine and all that belongs to it: TERM, time to finish, then KILL.

        Only the first process gets TERM: vLLM itself drains its workers. Call it after the engine has died as
        well, to end what is left of it.

        Args:
            grace_s: seconds from TERM to KILL; more than the `drain_s` that vLLM was given.
            kill_wait_s: seconds to wait for what was killed; a process in a hung file system may outlive it.

        Returns:
            What could not be ended; empty when nothing is left.
        """
        await self.look()
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            await self._wait(grace_s)
        deadline = time.monotonic() + kill_wait_s
        while await self.look() and time.monotonic() < deadline:
            await asyncio.to_thread(self._tree.kill)
            await asyncio.sleep(POLL_S)
        await self._wait(kill_wait_s)  # until its exit status is known
        return await self._leftovers()

    async def _wait(self, patience_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await within(patience_s, self._process.wait())

    async def _leftovers(self) -> tuple[Leftover, ...]:
        on_gpu = await list_gpu_pids() & self._tree.ever
        left = {facts.pid: facts.name for facts in await asyncio.to_thread(self._tree.look)}
        return tuple(Leftover(pid, left.get(pid, "?"), pid in on_gpu) for pid in sorted(left.keys() | on_gpu))


async def list_gpu_pids() -> set[int]:
    """The processes that hold memory of a GPU, as nvidia-smi lists them; empty without it."""
    text = await run_question(
        ["nvidia-smi", "--query-compute-apps=pid", "--format=csv,noheader"], timeout_s=10
    )
    return {int(line) for line in text.split() if line.isdigit()}
