"""`curc-llm batch` as a process, which tests kill and start again until the batch is whole."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

CLI = [sys.executable, "-m", "curc_llm.cli.main"]


def write_rows(path: Path, prompts: list[str], **fields: object) -> None:
    """Rows in OpenAI's batch format."""
    with path.open("w") as file:
        for number, prompt in enumerate(prompts):
            body = {"messages": [{"role": "user", "content": prompt}], **fields}
            row = {"custom_id": f"id-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
            file.write(json.dumps(row) + "\n")


def start_batch(
    source: Path, target: Path, environment: Mapping[str, str], *flags: str
) -> subprocess.Popen[str]:
    """Starts `curc-llm batch`; what it says goes into a pipe."""
    command = [*CLI, "batch", str(source), str(target), *flags]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def run_batch(source: Path, target: Path, environment: Mapping[str, str], *flags: str) -> str:
    """Runs it to its end and returns what it said."""
    process = start_batch(source, target, environment, *flags)
    said, talk = process.communicate(timeout=1800)
    assert process.returncode == 0, said + talk
    return said + talk


def wait_for_rows(path: Path, count: int, process: subprocess.Popen[str], timeout_s: float = 600) -> None:
    """Awaits that the results have so many lines while the batch runs."""
    deadline = time.monotonic() + timeout_s
    while count_lines(path) < count:
        assert process.poll() is None, f"it ended: {process.communicate()}"
        assert time.monotonic() < deadline, f"only {count_lines(path)} of {count} lines came"
        time.sleep(0.02)


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill(process: subprocess.Popen[str]) -> None:
    """As a kernel dies: without a chance to tidy up."""
    process.kill()
    process.communicate()


def draw_moments(seed: int, total: int, names: list[str]) -> list[tuple[int, str]]:
    """When, in rows done, each of these is killed: at random, in a random order."""
    dice = random.Random(seed)
    order = dice.sample(names, len(names))
    return list(zip(sorted(dice.sample(range(total // 20, total * 9 // 10), len(names))), order, strict=True))


def read_answers(path: Path) -> dict[str, str | None]:
    """The text of each row; fails where a row is there twice."""
    answers: dict[str, str | None] = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        assert row["custom_id"] not in answers, f"{row['custom_id']} is there twice"
        assert row["error"] is None, row
        answers[row["custom_id"]] = row["response"]["body"]["choices"][0]["message"]["content"]
    return answers
