"""Whether anybody else uses the machine while something is measured, and waiting until nobody does."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from processes import measure_cpu_s

# Cores that others may use before a measurement counts as disturbed.
DISTURBED_CORES = 0.3
LOOK_S = 1.0
_BUSY_FIELDS = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal of /proc/stat (proc(5))


class Bystanders:
    """Counts the CPU time that is neither this process's nor its children's, from its making on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before_s = _others_s()

    def cores(self) -> float:
        """Cores that others have used since, on average."""
        return max(0.0, _others_s() - self._before_s) / (time.monotonic() - self._began)


class Patience:
    """Waits for quiet, but not for ever.

    Args:
        seconds: how long to wait in all.
    """

    def __init__(self, seconds: float) -> None:
        self.left_s = seconds

    def wait(self) -> None:
        """Waits until others use next to nothing, or until the patience is used up."""
        while self.left_s > 0:
            others, began = Bystanders(), time.monotonic()
            time.sleep(LOOK_S)
            if others.cores() < DISTURBED_CORES:
                return
            self.left_s -= time.monotonic() - began


def _others_s() -> float:
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    busy_s = sum(int(fields[index]) for index in _BUSY_FIELDS) / os.sysconf("SC_CLK_TCK")
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return busy_s - measure_cpu_s(os.getpid()) - ended.ru_utime - ended.ru_stime
