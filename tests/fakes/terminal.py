"""A terminal with a program in it, for tests of what people see and type."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from typing import Self

# Makes the pty the program's controlling terminal, so that Ctrl-C becomes SIGINT as in a real one.
_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
_CONTROL = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()=>].?)")
CTRL_C, CTRL_D, ENTER, ALT_ENTER, UP = "\x03", "\x04", "\r", "\x1b\r", "\x1b[A"


class Terminal:
    """Runs `python ARGS...` in a terminal of 80 columns and 24 lines.

    `raw` is all that was written, `text` the same without colours and cursor movements.
    """

    def __init__(self, *args: str, environ: Mapping[str, str] | None = None) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.raw = ""
        self._seen = 0
        command = [sys.executable, "-c", _TAKE_TERMINAL, sys.executable, *args]
        more = {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", **(environ or {})}
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, **more},
        )
        os.close(slave)

    @property
    def text(self) -> str:
        return _CONTROL.sub("", self.raw)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, text: str, timeout_s: float = 30) -> str:
        """Reads until `text` has appeared since the last wait, and returns what came until then."""
        deadline = time.monotonic() + timeout_s
        start = self._seen
        while (found := self.text.find(text, start)) < 0:
            if time.monotonic() > deadline or not self._read(deadline):
                raise AssertionError(f"{text!r} did not appear after: {self.text[start:]!r}")
        self._seen = found + len(text)
        return self.text[start : self._seen]

    def wait_for_end(self, timeout_s: float = 30) -> int:
        """Reads to the end and returns the exit status."""
        deadline = time.monotonic() + timeout_s
        while self._read(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux: the program's side was closed
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
