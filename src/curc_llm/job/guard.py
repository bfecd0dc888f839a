"""The guard: a tiny parent that outlives what it runs, and leaves no process behind.

It becomes the subreaper of its whole tree, so that nothing can escape it by losing its own parent. When the
command ends, for whatever reason, or when whoever keeps the other end of the liveness pipe is gone, the guard
ends every descendant and then itself, with the command's own exit status.

Run as `python -m curc_llm.job.guard [--liveness-fd N] -- COMMAND …`; only the standard library is imported.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from curc_llm.job.descendants import adopt_orphans, end_descendants, reap_orphans

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
GRACE_S = 5.0


class Guard:
    """Runs one command and answers for all that descends from it.

    Args:
        command: the program and its arguments.
        liveness_fd: read end of a pipe; its closing means that nobody waits for the command any more.
        pass_fds: descriptors that the command inherits.
        grace_s: seconds that what is left gets between TERM and KILL.
        patience_s: seconds that the command itself gets once a signal was handed on; None for all it wants.

    `was_told` tells whether a signal was handed on.
    """

    def __init__(
        self,
        command: Sequence[str],
        liveness_fd: int | None,
        pass_fds: Sequence[int] = (),
        grace_s: float = GRACE_S,
        patience_s: float | None = None,
    ) -> None:
        self._command = list(command)
        self._liveness_fd = liveness_fd
        self._pass_fds = tuple(pass_fds)
        self._grace_s = grace_s
        self._patience_s = patience_s
        self.was_told = False

    def run(self) -> int:
        """Runs the command to its end; returns its exit status, negative for a signal."""
        adopt_orphans()
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in (*FORWARDED, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        process = subprocess.Popen(self._command, pass_fds=self._pass_fds, start_new_session=True)
        status = self._wait(process, wake_read)
        end_descendants(self._grace_s)
        return status if status is not None else -signal.SIGTERM

    def _wait(self, process: subprocess.Popen[bytes], wake_fd: int) -> int | None:
        """The command's exit status, or None when the liveness pipe closed first, or its time was over."""
        waiting = [wake_fd] if self._liveness_fd is None else [wake_fd, self._liveness_fd]
        ends_s: float | None = None
        while True:
            left_s = None if ends_s is None else max(0.0, ends_s - time.monotonic())
            ready, _, _ = select.select(waiting, [], [], left_s)
            if wake_fd in ready:
                for number in set(os.read(wake_fd, 512)) & set(FORWARDED):
                    process.send_signal(number)
                    self.was_told = True
                    if ends_s is None and self._patience_s is not None:
                        ends_s = time.monotonic() + self._patience_s
                reap_orphans(process.pid)
            if (status := process.poll()) is not None:
                return status
            is_over = ends_s is not None and time.monotonic() >= ends_s
            if self._liveness_fd in ready or is_over:
                return None


def exit_like(status: int) -> int:
    """The exit status; a death by signal is repeated here, so that the parent sees the same."""
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status not in {signal.SIGKILL, signal.SIGSTOP} else None
        os.kill(os.getpid(), -status)
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="curc_llm.job.guard")
    parser.add_argument("--liveness-fd", type=int)
    parser.add_argument("--grace-s", type=float, default=GRACE_S)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("no command to run")
    return exit_like(Guard(command, options.liveness_fd, grace_s=options.grace_s).run())


if __name__ == "__main__":
    sys.exit(main())
