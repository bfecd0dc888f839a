"""The real chat process in front of a fake gateway, for tests in a browser."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from tests.fakes.fake_gateway import FakeGateway

REPOSITORY = Path(__file__).parents[2]
QUESTIONS = REPOSITORY / "src/curc_llm/data/demo_model/questions.yml"
START_S = 120.0  # it takes 5 s alone; beside three starting vLLMs, a minute


class ChatProcess:
    """`python -m curc_llm.chat`, ready once `with` is entered.

    Args:
        gateway: where its socket is and whom it asks.
    """

    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)

    @property
    def saved(self) -> Path:
        """The folder of the owner's saved chats."""
        return self.gateway.folder / "chats"

    def start(self) -> None:
        """Starts the process and waits until its page answers."""
        folder = self.gateway.folder
        options = ["--socket", str(folder / "chat.sock"), "--gateway-socket", str(self.gateway.socket)]
        options += ["--state-dir", str(folder), "--examples", str(QUESTIONS)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "curc_llm.chat", *options],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
            cwd=REPOSITORY,
        )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self.process.poll() is None, "the chat process ended"
            assert time.monotonic() < deadline, "the chat process doesn't answer"
            time.sleep(0.05)

    def kill(self) -> None:
        """Ends the process as a crash would."""
        self.process.kill()
        self.process.wait(20)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.gateway.url(""), timeout=5) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError, http.client.HTTPException):
            return False
