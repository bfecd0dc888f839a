from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curc_llm.chats import ChatStore, ChatWriter

REPOSITORY = Path(__file__).parents[2]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def store(tmp_path: Path) -> ChatStore:
    return ChatStore(tmp_path / "chats")


@pytest.fixture
def writer(store: ChatStore) -> ChatWriter:
    """A chat with one question and its answer."""
    writer = store.create(system="Be brief.")
    writer.append_question("What is an SU?")
    writer.append_answer("A service unit.", model="llama")
    return writer


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python code in a process of its own; what is left of it ends with the test."""
    running: list[subprocess.Popen[str]] = []

    def call(code: str, *args: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, args)]
        environ = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environ)
        running.append(process)
        return process

    yield call
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def kill_9(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def wait_until(is_so: Callable[[], bool], most_s: float = 20.0) -> None:
    until = time.monotonic() + most_s
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.005)
