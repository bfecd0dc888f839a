"""Our errors below a cell: two lines, and the traceback only for who asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from curc_llm.notebook.brief_errors import cell_number, show_errors_briefly

RAISE = (
    "from curc_llm.errors import SessionEndedError\nraise SessionEndedError('It is over.', 'Launch another.')"
)


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}), colors="nocolor")
    InteractiveShell.clear_instance()


def test_sentence_and_remedy_and_no_wall(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    show_errors_briefly(shell)
    result = shell.run_cell(RAISE)
    said = capsys.readouterr().out.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert said.strip().splitlines() == [
        "SessionEndedError: It is over.",
        "Launch another.",
        "The full traceback: %tb",
    ]
    assert not result.success


def test_the_traceback_is_there_for_who_asks(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    show_errors_briefly(shell)
    shell.run_cell(RAISE)
    capsys.readouterr()
    shell.run_cell("%tb")
    said = capsys.readouterr().out
    assert "Traceback" in said
    assert "raise SessionEndedError" in said


def test_other_errors_keep_their_traceback(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    show_errors_briefly(shell)
    shell.run_cell("1 / 0")
    assert "Traceback" in capsys.readouterr().out


def test_a_handler_that_somebody_else_set_goes_on(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []
    shell.set_custom_exc((ZeroDivisionError,), lambda _s, _k, error, _t, **_: seen.append(error))
    show_errors_briefly(shell)
    show_errors_briefly(shell)
    shell.run_cell("1 / 0")
    assert len(seen) == 1
    shell.run_cell(RAISE)
    assert "Launch another." in capsys.readouterr().out


def test_the_number_of_the_cell_is_known(shell: InteractiveShell) -> None:
    before = cell_number()
    shell.run_cell("1", store_history=True)
    assert cell_number() == before + 1


def test_outside_ipython_nothing_happens() -> None:
    InteractiveShell.clear_instance()
    show_errors_briefly()
    assert cell_number() == 0
