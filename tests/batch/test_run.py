"""A run's own life: begun, watched, cancelled, closed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from curc_llm.batch.progress import RunState
from curc_llm.batch.run import Run
from curc_llm.batch.trouble import BatchStoppedError
from tests.batch.batch_server import BatchServer

Make = Callable[..., Run]


def test_waiting_begins_a_run_that_nobody_began(make_run: Make) -> None:
    run = make_run(["one"])
    assert run.progress.state is RunState.STARTING
    assert run.result() == run.path
    assert run.progress.state is RunState.DONE


def test_starting_twice_asks_once(make_run: Make, server: BatchServer) -> None:
    run = make_run(["one"]).start().start()
    run.wait()
    assert server.num_asked == 1


def test_a_run_that_was_cancelled_before_it_began_asks_nothing(make_run: Make, server: BatchServer) -> None:
    run = make_run(["one"])
    run.cancel()
    with pytest.raises(BatchStoppedError, match=r"The batch was stopped\. 0 of 1 rows are done"):
        run.wait()
    assert server.num_asked == 0


def test_cancelling_what_is_done_changes_nothing(make_run: Make) -> None:
    run = make_run(["one"])
    run.wait()
    run.cancel()
    assert run.wait()
    assert run.progress.done == 1


def test_closing_stops_what_still_runs(make_run: Make, server: BatchServer) -> None:
    run = make_run(["[hang]"]).start()
    run.close()
    run.close()
    assert run.is_over
    assert isinstance(run.error, BatchStoppedError)


def test_a_run_says_how_far_it_is(make_run: Make) -> None:
    run = make_run(["one", "two [bad]"])
    run.wait()
    assert repr(run) == "<curc_llm.batch.Run done: 2 of 2 rows, 1 failed>"


def test_a_slip_of_ours_is_not_dressed_up(make_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def slip(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("curc_llm.batch.ledger.render_line", slip)
    run = make_run(["one"])
    with pytest.raises(ZeroDivisionError):
        run.wait()
    assert run.progress.state is RunState.STOPPED
