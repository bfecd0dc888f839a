from __future__ import annotations

import json
from typing import Any

import pytest

from curc_llm.attachments import AttachmentError


def make(*cells: dict[str, Any], **metadata: Any) -> str:
    return json.dumps({"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def code(source: str | list[str], *outputs: Any, number: int | None = 1) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "execution_count": number, "outputs": list(outputs)}


def test_cells_are_given_in_their_order(read) -> None:
    cells = (
        {"cell_type": "markdown", "source": ["# Title\n", "text"]},
        code("1 + 1", number=3),
        code("x", number=None),
    )
    found = read("a.ipynb", make(*cells))
    assert found.text == "# %% [markdown]\n# Title\ntext\n\n# %% In [3]\n1 + 1\n\n# %%\nx"
    assert (found.kind, found.language, found.note) == ("notebook", "python", "3 cells.")


def test_outputs_are_short_and_images_left_out(read) -> None:
    picture = {"output_type": "display_data", "data": {"image/png": "iVBORw0", "text/plain": "<Figure>"}}
    stream = {"output_type": "stream", "name": "stdout", "text": ["x" * 99 + "\n"] * 100}
    result = {"output_type": "execute_result", "data": {"text/plain": ["4\n", "5"], "text/html": "<b>4</b>"}}
    error = {"output_type": "error", "ename": "E", "evalue": "no", "traceback": ["\x1b[31mE: no\x1b[0m"]}
    bare = {"output_type": "error", "ename": "E", "evalue": "bare", "traceback": []}
    found = read("a.ipynb", make(code("x", picture, stream, result, error, bare, "odd", {"data": 7})))
    assert "# Output:\n#   <Figure>\n#   [an image, left out here]" in found.text
    assert "# Output:\n#   4\n#   5\n# Output:\n#   E: no\n# Output:\n#   E: bare" in found.text
    assert "<b>" not in found.text
    assert "iVBOR" not in found.text
    assert len(found.text) < 3000
    assert found.note == "1 cell. Left out: 1 image and the middle of 1 long output."


def test_notebooks_of_other_languages_and_older_formats_are_read(read) -> None:
    assert read("a.ipynb", make(code("x <- 1"), kernelspec={"language": "R"})).language == "r"
    assert read("a.ipynb", make(code("x"), language_info={"name": "julia"})).language == "julia"
    assert read("a.ipynb", make(code("x"), language_info={"name": "`` evil"})).language == "python"
    old = {
        "worksheets": [
            {"cells": [{"cell_type": "code", "input": "1", "prompt_number": 2, "outputs": [{"text": "1"}]}]}
        ]
    }
    assert read("a.ipynb", json.dumps(old)).text == "# %% In [2]\n1\n# Output:\n#   1"


def test_images_in_markdown_cells_count_as_left_out(read) -> None:
    cell = {"cell_type": "markdown", "source": "x", "attachments": {"a.png": {}}}
    assert "1 image" in read("a.ipynb", make(cell)).note
    assert (
        read("a.ipynb", make({"cell_type": "odd", "source": "x", "outputs": 7})).text == "# %% [markdown]\nx"
    )
    assert read("a.ipynb", make({**code("x"), "outputs": 7})).text == "# %% In [1]\nx"


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"cells": 7}', "[" * 100_000, '{"a": 1}'],
    ids=["torn", "list", "odd", "deep", "other"],
)
def test_what_is_no_notebook_is_told(read, content: str) -> None:
    with pytest.raises(AttachmentError, match="is no Jupyter notebook that can be read"):
        read("a.ipynb", content)


def test_a_long_notebook_loses_its_middle(read) -> None:
    found = read("a.ipynb", make(*(code(f"step_{i}()") for i in range(500))), max_text_chars=1000)
    assert "step_0()" in found.text
    assert "step_499()" in found.text
    assert found.note.startswith("500 cells. Left out: the middle, ")
