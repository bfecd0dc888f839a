"""Sizes of files and functions, as docs/architecture.md promises: small enough to be read in one go."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "curc_llm"
SCRIPTS = Path(__file__).parents[1] / "scripts"


def count_lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def list_function_lengths() -> list[tuple[int, str]]:
    lengths = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = node.end_lineno - body[0].lineno + 1 if body else 0
                lengths.append((length, f"{path.relative_to(SOURCE)}:{node.name}"))
    return sorted(lengths, reverse=True)


def percentile(values: list[int], share: float) -> int:
    return sorted(values)[int(share * (len(values) - 1))]


def test_files_are_small() -> None:
    lengths = [count_lines(path) for path in SOURCE.rglob("*.py") if count_lines(path)]
    assert statistics.median(lengths) <= 160
    assert percentile(lengths, 0.9) <= 350
    assert max(lengths) <= 500


def test_functions_are_short() -> None:
    lengths = list_function_lengths()
    numbers = [length for length, _ in lengths]
    assert statistics.median(numbers) < 10
    assert percentile(numbers, 0.9) < 30
    assert lengths[0][0] <= 60, f"too long: {lengths[:3]}"


def test_shell_scripts_are_short() -> None:
    assert [path.name for path in SCRIPTS.glob("*.sh") if count_lines(path) > 60] == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    nameless = {"utils", "helpers", "common", "misc", "manager"}
    assert [p for p in SOURCE.rglob("*.py") if p.stem in nameless] == []


def test_the_version_is_the_newest_entry_of_the_changelog() -> None:
    root = SOURCE.parents[1]
    version = (root / "VERSION").read_text().strip()
    newest = next(line for line in (root / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    assert newest.startswith(f"## {version} ")
