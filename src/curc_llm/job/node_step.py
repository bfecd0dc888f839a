"""A Slurm step that is talked with: one program on each node, lines out, words in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from curc_llm.engine.patience import within
from curc_llm.engine.preflight import LAST, MARK, MORE

# `--label` puts the task's number in front; several digits are padded.
LINE = re.compile(rf"^\s*(\d+): {re.escape(MARK)}([{re.escape(MORE + LAST)}])(.*)$")
LONGEST_LINE = 2**20
LAST_WORDS = 5
END_S = 5.0


class Heard(NamedTuple):
    """What one program said: of what kind, what, and when it came (Unix time)."""

    kind: str
    value: Any
    at_s: float


class NodeStep:
    """The running step.

    Args:
        process: srun.
        num_nodes: how many programs there are.
    """

    def __init__(self, process: asyncio.subprocess.Process, num_nodes: int) -> None:
        self._process = process
        self._num_nodes = num_nodes
        self._complaints: list[str] = []
        self._begun: dict[int, str] = {}
        self._listening = asyncio.create_task(self._keep_complaints())

    @classmethod
    async def start(cls, command: Sequence[str], num_nodes: int) -> NodeStep:
        """Starts a line from `render_step`.

        Raises:
            OSError: there is no srun.
        """
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, limit=LONGEST_LINE, env=dict(os.environ)
        )
        return cls(process, num_nodes)

    @property
    def complaint(self) -> str:
        """What srun said last; empty when it said nothing."""
        told = [line for line in self._complaints if line]
        return told[-1].removeprefix("srun: ").removeprefix("error: ") if told else ""

    def say(self, value: dict[str, Any]) -> None:
        """Tells all programs one thing."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write((json.dumps(value) + "\n").encode())

    async def hear(self, *kinds: str, within_s: float) -> dict[int, Heard]:
        """One thing from each program, by its number; those that say nothing in time are left out.

        Args:
            kinds: what counts; anything else is passed over.
            within_s: seconds.
        """
        heard: dict[int, Heard] = {}
        try:
            async with asyncio.timeout(within_s):
                while len(heard) < self._num_nodes and (line := await self._read_line()) is not None:
                    task, kind, value = line
                    if kind in kinds:
                        heard[task] = Heard(kind, value, time.time())
        except TimeoutError:
            pass
        return heard

    async def _read_line(self) -> tuple[int, str, Any] | None:
        """The next line that is meant for us; None at the end."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        while line := await self._process.stdout.readline():
            found = LINE.match(line.decode(errors="replace"))
            if found is None:
                continue
            task = int(found[1])
            text = self._begun.pop(task, "") + found[3]
            if found[2] == MORE:
                self._begun[task] = text
                continue
            with contextlib.suppress(ValueError):  # a broken line is as good as none
                ((kind, value),) = json.loads(text).items()
                return task, kind, value
        return None

    async def _keep_complaints(self) -> None:
        """What srun and the programs complain of goes into the job's log, the last of it is kept."""
        assert self._process.stderr is not None  # noqa: S101 - it is a pipe
        while line := await self._process.stderr.readline():
            text = line.decode(errors="replace").strip()
            sys.stderr.write(f"preflight: {text}\n")
            self._complaints = [*self._complaints, text][-LAST_WORDS:]

    async def end(self) -> None:
        """Lets the programs end; srun is killed when they don't."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.close()
        for ask in (None, self._process.terminate, self._process.kill):
            if ask is not None:
                with contextlib.suppress(ProcessLookupError):  # it ended just now
                    ask()
            try:
                await within(END_S, self._process.wait())
                break
            except TimeoutError:
                continue
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
