"""How full the session's GPUs are, for /metrics. nvidia-smi may take a second, so nobody waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Mapping

FRESH_S = 5.0
TIMEOUT_S = 10.0
MIB = 2**20
QUERY = ("--query-gpu=memory.used,memory.total", "--format=csv,noheader,nounits")
_TEXT = """\
# HELP curc_llm_gpu_memory_used_bytes Memory in use on the session's GPUs.
# TYPE curc_llm_gpu_memory_used_bytes gauge
curc_llm_gpu_memory_used_bytes {used}
# HELP curc_llm_gpu_memory_total_bytes Memory of the session's GPUs.
# TYPE curc_llm_gpu_memory_total_bytes gauge
curc_llm_gpu_memory_total_bytes {total}
"""


class GpuMemory:
    """What nvidia-smi said last; looked up anew in the background when somebody asks.

    Under Slurm nvidia-smi sees the job's own GPUs alone; elsewhere CUDA_VISIBLE_DEVICES says which. Of a
    session on several nodes only the gateway's node is told.

    Args:
        environ: the environment.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._program = shutil.which("nvidia-smi", path=environ.get("PATH"))
        self._devices = environ.get("CUDA_VISIBLE_DEVICES")
        self._used_total: tuple[int, int] | None = None
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    def render(self) -> str:
        """The latest figures as Prometheus reads them; empty without GPUs, and at first."""
        if self._program is not None and self._asking is None and time.monotonic() - self._asked_at > FRESH_S:
            self._asked_at = time.monotonic()
            self._asking = asyncio.ensure_future(self._look())
        if self._used_total is None:
            return ""
        return _TEXT.format(used=self._used_total[0], total=self._used_total[1])

    async def _look(self) -> None:
        try:
            self._used_total = parse_memory(await self._ask())
        finally:
            self._asking = None

    async def _ask(self) -> str:
        command = [
            self._program or "",
            "--query-gpu=memory.used,memory.total",
            "--format=csv,noheader,nounits",
        ]
        devices = [f"--id={self._devices}"] if self._devices else []
        try:
            process = await asyncio.create_subprocess_exec(
                *command, *devices, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
        except OSError:
            return ""
        try:
            output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
        except TimeoutError:
            output = b""
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        return output.decode("utf-8", "replace") if process.returncode == 0 else ""


def parse_memory(text: str) -> tuple[int, int] | None:
    """Bytes in use and in all, of all GPUs together; None when none says it (GPUs that are split don't).

    Example:
        >>> parse_memory("10, 100")
        (10485760, 104857600)
    """
    pairs = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            used, total = (int(part) for part in line.split(","))
            pairs.append((used, total))
    if not pairs:
        return None
    return sum(used for used, _ in pairs) * MIB, sum(total for _, total in pairs) * MIB
