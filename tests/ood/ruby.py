"""Runs the tests' Ruby programs: one process for many cases, since each start costs a tenth of a second."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
VERSIONS = ("3.1", "4.0", "4.1", "4.2")


def _has_ruby() -> bool:
    """Ruby, and the renderer of Markdown that the portal uses (Debian: ruby-redcarpet)."""
    if shutil.which("ruby") is None:
        return False
    return subprocess.run(["ruby", "-rredcarpet", "-e", ""], capture_output=True).returncode == 0


needs_ruby = pytest.mark.skipif(
    not _has_ruby(), reason="needs ruby and ruby-redcarpet, as the portal has them"
)


def run_ruby(program: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One answer for each line."""
    done = subprocess.run(
        ["ruby", "-W", str(FOLDER / program)],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "warning" not in done.stderr, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def submit(cases: list[dict[str, Any]], version: str = "4.2", root: Path = ROOT) -> list[dict[str, Any]]:
    """What the portal makes of forms: `{submit, arguments}`, or `{error, message, lines, remedy}`."""
    answers = run_ruby("submit_cases.rb", [{"version": version, "root": str(root), **case} for case in cases])
    for answer in answers:
        if "message" in answer:
            answer["lines"] = answer["message"].split("\n")
            answer["message"] = " ".join(answer["lines"])
    return answers


def read_table(path: Path = ROOT / "ood_app" / "launch_table.json") -> dict[str, Any]:
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return table


def slug(gpu: str, count: int | str) -> str:
    """The form's word for GPUs, as the contract says; written anew here so that both are checked."""
    out = ""
    for char in gpu.lower():
        out += char if char.isascii() and char.isalnum() else "-" if not out.endswith("-") else ""
    return f"{out}-x{count}"
