"""The magics and the portal's cell in a real kernel, as a notebook without a browser has them."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.fakes.fake_session import FakeSession

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
RENDER = """
require 'curc_llm/card/card_snippets'
puts CurcLlm::CardSnippets.new(session_id: ARGV[0], base_url: 'http://h:1/v1', model: 'm', key_file: ARGV[1],
                               host: 'h', port: 1, owner: 'ada').notebook
"""


def make_client(*cells: str) -> NotebookClient:
    """A notebook that is about to be run."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    return NotebookClient(made, timeout=60, kernel_name="python3")


def text_of(cell: nbformat.NotebookNode) -> str:
    """What a cell shows where there are no widgets."""
    return "".join(o.get("text", "") + str(o.get("data", {}).get("text/plain", "")) for o in cell.outputs)


def test_the_saved_output_is_the_answer_as_text_beside_the_widget(fake: FakeSession) -> None:
    notebook = make_client("%load_ext curc_llm", "%%llm\nHello <script>", "print(len(_llm))").execute()
    card, shown = notebook.cells[1].outputs  # the first question connects, and says to whom
    assert "local-fake01" in card.data["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in shown.data
    assert shown.data["text/plain"] == "You said: Hello <script>"
    assert "text/html" not in shown.data
    assert "text/markdown" not in shown.data
    assert text_of(notebook.cells[2]) == "24\n"
    assert fake.key not in nbformat.writes(notebook)


def test_an_error_is_a_sentence_in_the_notebook_and_ends_the_run(fake: FakeSession) -> None:
    client = make_client("%load_ext curc_llm", "%%llm\n{missing}", "print('not reached')")
    with pytest.raises(CellExecutionError):
        client.execute()
    shown = nbformat.writes(client.nb)
    assert "There is no variable missing." in shown
    assert "interpolation.py" not in shown
    assert client.nb.cells[2].outputs == []


def test_an_error_in_the_middle_of_an_answer_keeps_what_came(fake: FakeSession) -> None:
    client = make_client("%load_ext curc_llm", "%%llm\n[error] so far")
    with pytest.raises(CellExecutionError, match="engine"):
        client.execute()
    assert "You said: [error] so far" in text_of(client.nb.cells[1])


def test_interrupting_the_kernel_ends_the_generation(fake: FakeSession) -> None:
    asking = "get_ipython().run_cell_magic('llm', '', '[slow]')"
    client = make_client(
        "%load_ext curc_llm",
        f"try:\n    {asking}\nexcept Exception as error:\n    print(error)",
        "print(len(_llm.split()) < 300)",
    )

    def interrupt() -> None:
        while not any(request["body"] for request in fake.requests):
            time.sleep(0.02)
        time.sleep(1)
        kernel = client.km
        os.kill(kernel.provisioner.pid, 2)

    thread = threading.Thread(target=interrupt)
    thread.start()
    notebook = client.execute()
    thread.join()
    assert fake.aborted.wait(2)
    assert "You stopped the answer." in text_of(notebook.cells[1])
    assert text_of(notebook.cells[2]) == "True\n"


@pytest.mark.skipif(shutil.which("ruby") is None, reason="needs ruby, as the portal has it")
def test_the_cell_on_the_portals_card_connects_a_kernel_that_knows_no_settings(
    fake: FakeSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arguments = ["-I", str(ROOT / "ood_app/lib"), "-e", RENDER, fake.paths.root.name, str(fake.paths.api_key)]
    cell = subprocess.run(["ruby", *arguments], capture_output=True, text=True, check=True).stdout
    monkeypatch.delenv("CURC_LLM_STATE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path / "another home"))
    (tmp_path / "another home").mkdir()
    notebook = make_client(cell).execute()
    assert "You said: Hello\n" in text_of(notebook.cells[0])
    assert fake.key not in nbformat.writes(notebook)
