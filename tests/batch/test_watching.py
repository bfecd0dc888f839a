"""A batch before somebody's eyes: a line in a script, the widget in a notebook."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Callable

import pytest

from curc_llm.batch.run import Run
from curc_llm.batch.watching import watch
from tests.batch.batch_server import BatchServer

Make = Callable[..., Run]


@pytest.mark.slow
def test_where_lines_cannot_be_overwritten_there_is_one_for_each_tenth(
    make_run: Make, server: BatchServer
) -> None:
    server.delay_s = 0.05
    stream = io.StringIO()
    watch(make_run([f"q{i}" for i in range(40)], concurrency=2), stream=stream)
    lines = stream.getvalue().splitlines()
    assert lines[-1].startswith("40 of 40 rows, ")
    assert "took" in lines[-1]
    assert 3 < len(lines) <= 14


def test_it_can_be_silent(make_run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    watch(make_run(["one"]), show=False)
    assert capsys.readouterr() == ("", "")


def pretend_notebook(monkeypatch: pytest.MonkeyPatch, show: Callable[[Run], None] | None) -> None:
    shell = types.SimpleNamespace(kernel=object())
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)  # type: ignore[arg-type]
    widgets = None if show is None else types.SimpleNamespace(show_batch=show)
    monkeypatch.setitem(sys.modules, "curc_llm.notebook.batch", widgets)  # type: ignore[arg-type]


def test_in_a_notebook_the_widget_shows_it(
    make_run: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[Run] = []
    pretend_notebook(monkeypatch, shown.append)
    run = make_run(["one"])
    watch(run)
    assert shown == [run]
    assert capsys.readouterr().err == ""


def test_a_run_alone_in_a_cell_is_shown_and_not_waited_for(
    make_run: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(["one"])
    run._ipython_display_()  # in a terminal
    assert capsys.readouterr().out == "<curc_llm.batch.Run starting: 0 of 1 rows, 0 failed>\n"
    shown: list[Run] = []
    pretend_notebook(monkeypatch, shown.append)
    run._ipython_display_()
    assert shown == [run]
    assert not run.progress.settled


def test_in_a_notebook_without_widgets_lines_do(
    make_run: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_notebook(monkeypatch, None)
    watch(make_run(["one"]))
    assert "1 of 1 rows" in capsys.readouterr().err
