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


class Batch(subprocess.Popen[str]):
    """`curc-llm batch` while it runs; what it says goes into pipes.

    Args:
        source, target: the files of the rows and of the results.
        environment: whose batch it is.
        flags: further flags.
    """

    def __init__(self, source: Path, target: Path, environment: Mapping[str, str], *flags: str) -> None:
        self.target = target
        self._lines_before = count_lines(target)
        command = [*CLI, "batch", str(source), str(target), *flags]
        super().__init__(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def wait_for_rows(self, count: int, timeout_s: float = 600) -> None:
        """Awaits that the results have so many lines, one of them at least from this very process."""
        count = max(count, self._lines_before + 1)
        deadline = time.monotonic() + timeout_s
        while count_lines(self.target) < count:
            assert self.poll() is None, f"it ended: {self.communicate()}"
            assert time.monotonic() < deadline, f"only {count_lines(self.target)} of {count} lines came"
            time.sleep(0.02)

    def die(self) -> None:
        """Ends it as a kernel dies: without a chance to tidy up."""
        self.kill()
        self.communicate()


def run_batch(source: Path, target: Path, environment: Mapping[str, str], *flags: str) -> str:
    """Runs it to its end and returns what it said."""
    process = Batch(source, target, environment, *flags)
    said, talk = process.communicate(timeout=1800)
    assert process.returncode == 0, said + talk
    return said + talk


def count_lines(path: Path) -> int:
    """Whole rows in the results so far; a batch also tries, with empty lines, whether there is room."""
    return path.read_bytes().count(b"}\n") if path.exists() else 0


def draw_moments(seed: int, total: int, names: list[str]) -> list[tuple[int, str]]:
    """When, in rows done, each of these is killed: at random, in a random order.

    All in the first two thirds, so that even on a busy machine the batch hasn't ended before.
    """
    dice = random.Random(seed)
    order = dice.sample(names, len(names))
    return list(zip(sorted(dice.sample(range(total // 20, total * 2 // 3), len(names))), order, strict=True))


def read_answers(path: Path) -> dict[str, str | None]:
    """The text of each row; fails where a row is there twice."""
    answers: dict[str, str | None] = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        assert row["custom_id"] not in answers, f"{row['custom_id']} is there twice"
        assert row["error"] is None, row
        answers[row["custom_id"]] = row["response"]["body"]["choices"][0]["message"]["content"]
    return answers
