"""A widget's text, for those who read the notebook later: it says how things ended."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from curc_llm.batch.progress import Progress, RunState
from curc_llm.client.metrics import Metrics
from curc_llm.client.session import Session
from curc_llm.client.source import LocalSource
from curc_llm.notebook.batch import BatchWidget
from curc_llm.notebook.metrics import MetricsWidget
from tests.fakes.fake_session import FakeSession

VIEW = "application/vnd.jupyter.widget-view+json"


class Outputs:
    """A notebook's outputs: one that has a name is replaced by what is sent under that name."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.views: list[str] = []
        self.changed = threading.Condition()

    def publish(self, data: dict[str, Any], _: Any, *, transient: dict[str, str], update: bool) -> None:
        name = transient["display_id"]
        assert update == (name in self.texts)
        with self.changed:
            self.texts[name] = data["text/plain"]
            self.views.append(data[VIEW]["model_id"])
            self.changed.notify_all()

    @property
    def text(self) -> str:
        (text,) = self.texts.values()
        return text


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> Outputs:
    made = Outputs()
    monkeypatch.setattr("IPython.display.publish_display_data", made.publish)
    return made


class FakeRun:
    """A batch that is told how it gets on."""

    path = Path("/results.jsonl")
    progress = Progress(total=8)
    tell: Any = None

    def on_progress(self, listener: Any) -> None:
        self.tell = listener


@pytest.mark.parametrize("end", [RunState.DONE, RunState.STOPPED])
def test_a_batch_s_text_is_that_of_its_end(outputs: Outputs, end: RunState) -> None:
    run = FakeRun()
    widget = BatchWidget(run)  # type: ignore[arg-type]
    widget._ipython_display_()
    assert outputs.text.startswith("Batch, starting: rows 0 of 8")
    run.tell(Progress(done=3, total=8, state=RunState.ASKING))
    assert len(outputs.views) == 1, "it flickers while it runs"
    run.tell(Progress(done=8, total=8, state=end, elapsed_s=2))
    assert outputs.text.startswith(f"Batch, {end}: rows 8 of 8; took 2 s")
    assert outputs.views == [widget.model_id] * 2
    widget.close()


def test_all_places_of_one_widget_have_one_name(outputs: Outputs) -> None:
    widget = BatchWidget(FakeRun())  # type: ignore[arg-type]
    widget.renew_text()
    assert not outputs.texts, "it was shown nowhere"
    widget._ipython_display_()
    widget.renew_text()
    (name,) = outputs.texts
    assert widget._display_id == name
    widget.close()
    widget.renew_text()
    assert len(outputs.views) == 2, "a closed widget is left alone"


def test_a_kernel_that_ends_is_no_trouble(monkeypatch: pytest.MonkeyPatch, outputs: Outputs) -> None:
    widget = BatchWidget(FakeRun())  # type: ignore[arg-type]
    widget._ipython_display_()

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no channel")

    monkeypatch.setattr("IPython.display.publish_display_data", fail)
    widget.renew_text()
    widget.close()


@pytest.mark.slow
def test_the_figures_text_agrees_with_itself_and_is_that_of_the_end(
    fake: FakeSession, outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "metrics", lambda _: Metrics(taken_at=1_700_000_000.0, running=3))
    widget = MetricsWidget(Session(LocalSource(fake.paths)))
    widget._ipython_display_()
    first = outputs.text
    assert "3 running" in first
    assert "As of 2023-11-1" in first
    assert "once the session has started" not in first
    fake.end()
    with outputs.changed:
        assert outputs.changed.wait_for(lambda: "has ended; these are its last figures" in outputs.text, 20)
    assert "running" not in outputs.text, "what has ended runs nothing"
    widget.close()


@pytest.mark.slow
def test_a_notebook_that_was_run_keeps_the_text_of_the_end(fake: FakeSession, tmp_path: Path) -> None:
    map_all = "import curc_llm\nsession = curc_llm.connect()\nout = session.map(['a', 'b', 'c'])"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in (map_all, "1 + 1")]
    )
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute(cwd=str(tmp_path))
    texts = [output["data"]["text/plain"] for output in notebook.cells[0].outputs if "data" in output]
    (batch,) = [text for text in texts if text.startswith("Batch, ")]
    assert batch.startswith("Batch, done: rows 3 of 3; ")
