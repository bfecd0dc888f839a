"""`connect()` and a first question, in a fresh process or a fresh kernel; each cell times itself."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel

Times = dict[str, float]
# Between the cell that connects and the cell that asks: less than a person takes to write a question.
PAUSE_S = 3.0
LIMIT_S = 120.0
BEGIN = "import time, json; began, cpu = time.perf_counter(), time.process_time()"
END = "print(json.dumps({{'{name}': time.perf_counter() - began, '{name}_cpu': time.process_time() - cpu}}))"
IMPORT = "import curc_llm\nimported = time.perf_counter() - began"
CONNECT = "session = curc_llm.connect(state_dir={folder!r})"
ASK = (
    "stream = session.stream('How do I start a session?', max_tokens=16)\n"
    "next(iter(stream))\n{end}\nstream.close()"
)
TELL_IMPORT = "print(json.dumps({'import_s': imported}))"


def run_script(folder: Path) -> Times:
    """A fresh Python, as in a script; its own start isn't counted."""
    code = "\n".join([BEGIN, IMPORT, _connect(folder), _ask("total_s"), TELL_IMPORT])
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=LIMIT_S
    )
    return _read(done.stdout)


def run_kernel(folder: Path, *, is_one_cell: bool) -> Times:
    """A fresh kernel. Its start isn't counted, nor is the pause between two cells.

    Args:
        folder: where the session is looked for.
        is_one_cell: ask in the very cell that connects, as "Run all" nearly does.
    """
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        if is_one_cell:
            cell = "\n".join([BEGIN, IMPORT, _connect(folder), _ask("total_s"), TELL_IMPORT])
            return _run_cell(client, cell)
        first = [BEGIN, IMPORT, _connect(folder), END.format(name="connect_s"), TELL_IMPORT]
        connected = _run_cell(client, "\n".join(first))
        time.sleep(PAUSE_S)
        asked = _run_cell(client, "\n".join([BEGIN, _ask("ask_s")]))
        times = {**connected, **asked}
        return {**times, "total_s": times["connect_s"] + times["ask_s"]}
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _connect(folder: Path) -> str:
    return CONNECT.format(folder=str(folder))


def _ask(name: str) -> str:
    return ASK.format(end=END.format(name=name))


def _run_cell(client: Any, code: str) -> Times:
    printed: list[str] = []

    def take(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            printed.append(message["content"]["text"])

    reply = client.execute_interactive(code, output_hook=take, timeout=LIMIT_S)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"{reply['content'].get('ename')}: {reply['content'].get('evalue')}")
    return _read("".join(printed))


def _read(text: str) -> Times:
    times: Times = {}
    for line in text.splitlines():
        if line.startswith("{"):
            times |= json.loads(line)
    return times
