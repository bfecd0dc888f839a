"""The ssh process of a tunnel: its words are passed on and kept, its questions go to the terminal."""

from __future__ import annotations

import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from curc_llm.errors import TunnelError

STOP_GRACE_S = 3.0
KEPT_LINES = 60


class SshProcess:
    """A running ssh, ended at the latest when its `with` block is left.

    ssh asks for passwords, Duo's approval and host keys on the terminal itself, not on standard error; what
    it says besides (the host's banner, Duo's text, errors) comes here line by line.

    Args:
        command: the whole command.
        say: is given each line until `quieten` is called.
    """

    def __init__(self, command: Sequence[str], say: Callable[[str], None]) -> None:
        self._say: Callable[[str], None] | None = say
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        try:
            # Standard input stays the terminal's: without one ssh would look for a window to ask in.
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        except OSError as error:
            raise TunnelError(
                f"ssh can't be started: {error.strerror}.",
                "Install OpenSSH's client (on Windows: Settings, Optional features).",
            ) from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def has_ended(self) -> bool:
        """Whether ssh is gone."""
        return self._process.poll() is not None

    @property
    def text(self) -> str:
        """What it has said, its last words included once it has ended."""
        if self.has_ended:
            self._reader.join(STOP_GRACE_S)
        return "\n".join(self._lines)

    def quieten(self) -> None:
        """From now on its words are kept, but not passed on."""
        self._say = None

    def stop(self) -> None:
        """Ends it and waits until it is gone."""
        if not self.has_ended:
            self._process.terminate()
            try:
                self._process.wait(STOP_GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(STOP_GRACE_S)

    def _read(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        with self._process.stderr as stream:
            for line in stream:
                text = line.decode("utf-8", "replace").rstrip()
                self._lines.append(text)
                if self._say is not None:
                    self._say(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
