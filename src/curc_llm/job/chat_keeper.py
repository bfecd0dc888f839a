"""Keeps the chat program running. Without it the API still works, so its end never ends the session."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from curc_llm.engine.patience import within
from curc_llm.job.board import Board
from curc_llm.job.restart import RestartPolicy
from curc_llm.job.run import make_plain_environment
from curc_llm.session.paths import SessionPaths
from curc_llm.spec import DEMO_MODEL_DIR, LaunchSpec

POLL_S = 0.2
START_TIMEOUT_S = 180.0
STOP_S = 5.0
# Loading the chat page's program must not slow down the loading of the model beside it.
NICE = ["nice", "-n", "5"]
GAVE_UP = "The chat page could not be kept running; the API still works."


class ChatKeeper:
    """Runs the chat on a unix socket and tells when it answers.

    Args:
        spec: the session's spec.
        paths: the session's files.
        runtime_dir: folder of the sockets.
        guard_prefix: command in front of the program that ends its whole tree when the supervisor is gone.
        liveness_fd: descriptor that the guard inherits.
        board: where a failure is told.
        on_socket: called with the socket's path when the chat answers, and None when it no longer does.
    """

    def __init__(
        self,
        spec: LaunchSpec,
        paths: SessionPaths,
        runtime_dir: Path,
        *,
        guard_prefix: list[str],
        liveness_fd: int,
        board: Board,
        on_socket: Callable[[Path | None], None],
    ) -> None:
        self._socket = runtime_dir / "chat.sock"
        self._command = [
            *NICE,
            *guard_prefix,
            *render_chat_command(spec, self._socket, runtime_dir / "gateway.sock"),
        ]
        self._environment = make_plain_environment(os.environ) | {
            "GRADIO_TEMP_DIR": str(runtime_dir / "gradio")
        }
        self._log = paths.log("chat")
        self._liveness_fd = liveness_fd
        self._board = board
        self._on_socket = on_socket
        self._policy = RestartPolicy()

    async def run(self) -> None:
        """Runs the chat until cancelled, starting it anew when it dies."""
        while True:
            started = time.monotonic()
            await self._run_once()
            self._on_socket(None)
            delay_s = self._policy.next_delay_s(time.monotonic() - started)
            if delay_s is None:
                self._board.warn(GAVE_UP)
                return
            await asyncio.sleep(delay_s)

    async def _run_once(self) -> None:
        self._socket.unlink(missing_ok=True)
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                pass_fds=(self._liveness_fd,),
                start_new_session=True,
            )
        finally:
            os.close(log)
        try:
            if await self._wait_until_answering(process):
                self._on_socket(self._socket)
            await process.wait()
        finally:
            await _end(process)

    async def _wait_until_answering(self, process: asyncio.subprocess.Process) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_S
        while process.returncode is None and time.monotonic() < deadline:
            if await answers(self._socket):
                return True
            await asyncio.sleep(POLL_S)
        if process.returncode is None:
            process.terminate()
        return False


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await within(STOP_S, process.wait())
        except TimeoutError:
            process.kill()
            await process.wait()


async def answers(path: Path) -> bool:
    """True when something accepts connections on a unix socket."""
    try:
        _, writer = await asyncio.open_unix_connection(str(path))
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def render_chat_command(spec: LaunchSpec, socket_path: Path, gateway_socket: Path) -> list[str]:
    """The chat program's command line; it holds no secret."""
    command = [sys.executable, "-m", "curc_llm.chat", "--socket", str(socket_path)]
    command += ["--gateway-socket", str(gateway_socket), "--state-dir", str(spec.state_dir)]
    if any(engine.model == str(DEMO_MODEL_DIR) for engine in spec.engines):
        command += ["--examples", str(DEMO_MODEL_DIR / "questions.yml")]
    command += ["--hf-home", str(spec.hf_home)]
    return [*command, "--title", spec.engines[0].served_model_name]
