"""NodeWatch: hears from every node of a job, and so knows of one that was lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

from curc_llm.engine.patience import within
from curc_llm.engine.rank_log import LABEL
from curc_llm.errors import EngineError
from curc_llm.job.pulse import WORD

# Several times what a pulse needs: a busy node or a short stumble of the network is no loss.
SILENT_S = 20.0
JOIN_S = 120.0
END_S = 5.0
# A pulse that ended before every node was heard is started anew so often.
AGAIN_S = 5.0


class NodeSilentError(EngineError):
    """A node of the job can't be reached.

    Args:
        nodes: the names of those that say nothing.
        silent_s: for how long they haven't been heard.
        said: what Slurm said instead; empty when it said nothing.
    """

    code = "node_silent"

    def __init__(self, nodes: Sequence[str], silent_s: float, said: str = "") -> None:
        names = " and ".join(nodes)
        why = f"Slurm said: {said}" if said else "the node or its network is down."
        super().__init__(
            f"Nothing was heard from {names} for {silent_s:.0f} s: {why}",
            "Launch it again; if it happens twice, tell your centre which node it was.",
        )


class NodeWatch:
    """Listens to a pulse that runs on each node.

    Args:
        nodes: the job's, in order.
        silent_s: seconds without a word after which a node counts as lost.
    """

    def __init__(self, nodes: Sequence[str], silent_s: float = SILENT_S) -> None:
        self._nodes = tuple(nodes)
        self._silent_s = silent_s
        self._heard_at: dict[int, float] = {}
        self._said = ""
        self._command: Sequence[str] = ()
        self._began_s = 0.0
        self._is_suspect = False
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None

    async def start(self, command: Sequence[str]) -> None:
        """Starts the pulse.

        Args:
            command: srun with the pulse; each line begins with the node's place.

        Raises:
            EngineError: there is no such program.
        """
        self._command = command
        await self._begin()

    async def _begin(self) -> None:
        command, self._began_s = self._command, time.monotonic()
        self._heard_at.clear()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as error:
            raise EngineError(
                f"{command[0]} can't be started: {error.strerror}.",
                "A model over several nodes needs Slurm's commands on the job's PATH (an Apptainer image has "
                "none); tell your centre's staff.",
            ) from error
        self._listening = asyncio.create_task(self._listen(self._process))

    async def wait_for_all(self, patience_s: float = JOIN_S) -> None:
        """Waits until every node was heard; where Slurm can't reach one yet, it is asked again.

        Raises:
            NodeSilentError: one wasn't in time.
        """
        deadline = time.monotonic() + patience_s
        while missing := self._missing():
            now = time.monotonic()
            has_ended = self._listening is not None and self._listening.done()
            if now > deadline:
                raise NodeSilentError(missing, patience_s, self._said if has_ended else "")
            if has_ended and now - self._began_s > AGAIN_S:
                await self._begin()
            await asyncio.sleep(0.1)

    def check(self) -> None:
        """Looks whether all nodes still speak; call it again and again.

        Raises:
            NodeSilentError: one doesn't, and didn't at the last look either.
        """
        if self._process is None or self._process.returncode is not None:
            return  # it is the pulse that ended, not the nodes
        now = time.monotonic()
        silent = [
            self._nodes[place] for place, at in sorted(self._heard_at.items()) if now - at > self._silent_s
        ]
        if silent and self._is_suspect:
            raise NodeSilentError(silent, self._silent_s)
        # At first it may be this process that stood still (a hung file system), and their words wait for it.
        self._is_suspect = bool(silent)

    async def close(self) -> None:
        """Ends the pulse."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await within(END_S, self._process.wait())
            if self._process.returncode is None:
                self._process.kill()
        if self._listening is not None:
            self._listening.cancel()
        self._heard_at.clear()

    def _missing(self) -> list[str]:
        return [name for place, name in enumerate(self._nodes) if place not in self._heard_at]

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        async for line in process.stdout:
            text = line.decode(errors="replace").rstrip()
            found = LABEL.match(text)
            if found is not None and text.endswith(WORD) and int(found[1]) < len(self._nodes):
                self._heard_at[int(found[1])] = time.monotonic()
            elif text:
                self._said = text.removeprefix("srun: error: ")
