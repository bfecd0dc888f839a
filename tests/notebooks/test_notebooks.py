"""Every notebook, from top to bottom, against real vLLM with the bundled models."""

from __future__ import annotations

import re
import time
from pathlib import Path

import click
import nbformat
import pytest
from nbclient import NotebookClient

from curc_llm.cli.main import cli
from tests.notebooks.conftest import NOTEBOOKS, Reader

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
LONGEST_S = 180  # what the issue promises


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def text_of(cell: nbformat.NotebookNode) -> str:
    """All text that a cell's outputs show."""
    shown = [o.get("text", "") + str(o.get("data", {}).get("text/plain", "")) for o in cell.outputs]
    return "".join(shown)


def test_there_are_seven() -> None:
    assert [path.name[:2] for path in PATHS] == [f"{number:02}" for number in range(1, 8)]


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_a_notebook_is_kept_without_outputs_and_opens_with_what_one_will_have(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    first, *others = notebook.cells
    assert re.match(r"# \d\. ", first.source)
    assert "**At the end** you" in first.source
    assert "minute" in first.source
    code = [cell for cell in others if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert "curc_llm.connect()" in code[0].source
    assert "outputs" not in first


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_links_and_commands_in_a_notebook_exist(path: Path) -> None:
    text = "\n".join(cell.source for cell in read(path).cells)
    links = re.findall(r"\]\(([^):]+)\)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []
    for verb, rest in re.findall(r"(?m)(?:^|`)curc-llm ([a-z]+)([^`\n]*)", text):
        command = cli.get_command(click.Context(cli), verb)
        assert command is not None, verb
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= known


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_a_notebook_runs_from_top_to_bottom(path: Path, person: Reader, tmp_path: Path) -> None:
    notebook = read(path)
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    started_s = time.monotonic()
    client.execute()
    assert time.monotonic() - started_s < LONGEST_S
    assert person.key not in nbformat.writes(notebook)
    warned = [
        text for cell in notebook.cells if cell.cell_type == "code" if "Warning" in (text := text_of(cell))
    ]
    assert warned == []
