"""Rows are asked until they are settled, whatever the session does meanwhile."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curc_llm.batch.progress import RunState
from curc_llm.batch.run import Run
from curc_llm.batch.trouble import BatchStoppedError
from curc_llm.session.record import SessionStatus, Trouble
from tests.batch.batch_server import BatchServer
from tests.batch.conftest import ServerSource

Make = Callable[..., Run]


def read_texts(path: Path) -> list[str | None]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        None if line["error"] else line["response"]["body"]["choices"][0]["message"]["content"]
        for line in lines
    ]


def wait_until(condition: Callable[[], object], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it didn't come about"
        time.sleep(0.01)


def make_waits_short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("asking", "gate"):
        monkeypatch.setattr(f"curc_llm.batch.{module}.FIRST_WAIT_S", 0.01)
        monkeypatch.setattr(f"curc_llm.batch.{module}.MAX_WAIT_S", 0.05)


def test_all_rows_are_answered_in_the_order_of_the_input(make_run: Make, server: BatchServer) -> None:
    prompts = [f"q{i}" + (" [slow]" if i % 7 == 0 else "") for i in range(50)]
    run = make_run(prompts).start()
    run.wait()
    assert read_texts(run.path) == [f"You said: {prompt}" for prompt in prompts]
    assert set(server.asked.values()) == {1}
    assert (run.progress.done, run.progress.failed, run.progress.state) == (50, 0, RunState.DONE)
    assert (run.progress.prompt_tokens, run.progress.completion_tokens) == (250, 150)


@pytest.mark.slow
@pytest.mark.parametrize("word", ["[busy]", "[away]", "[broken]", "[cut]"])
def test_a_passing_failure_is_tried_again(make_run: Make, server: BatchServer, word: str) -> None:
    prompts = ["before", f"now {word}", "after"]
    run = make_run(prompts).start()
    run.wait()
    assert read_texts(run.path) == [f"You said: {prompt}" for prompt in prompts]
    assert server.asked[f"now {word}"] == 2


def test_a_row_that_is_refused_keeps_its_reason_and_stops_no_other(
    make_run: Make, server: BatchServer
) -> None:
    run = make_run(["one", "two [bad]", "three"]).start()
    run.wait()
    line = json.loads(run.path.read_text().splitlines()[1])
    assert line["custom_id"] == "row-1"
    assert line["error"] == {"code": "BadRequestError", "message": "The prompt is too long."}
    assert line["response"]["status_code"] == 400
    assert server.asked["two [bad]"] == 1
    assert run.progress.failed == 1
    assert run.progress.reasons == (("The prompt is too long.", 1),)


def test_a_row_that_always_breaks_the_connection_is_asked_alone_and_given_up(
    make_run: Make, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_waits_short(monkeypatch)
    run = make_run(["good", "[poison]", *(f"q{i}" for i in range(20))], concurrency=4).start()
    run.wait()
    assert run.progress.done == 21
    assert server.asked["[poison]"] == 5
    line = json.loads(run.path.read_text().splitlines()[1])
    assert line["error"]["code"] == "connection_lost"
    assert line["response"] is None


def test_as_many_rows_are_under_way_as_was_said_and_no_more(make_run: Make, server: BatchServer) -> None:
    server.delay_s = 0.02
    make_run([f"q{i}" for i in range(60)], concurrency=7).start().wait()
    assert server.most_running == 7


@pytest.mark.slow
def test_without_a_number_more_are_sent_while_none_waits_at_the_engine(
    make_run: Make, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curc_llm.batch.asking.LOAD_EVERY_S", 0.1)
    server.delay_s = 0.1
    server.metrics = (
        'vllm:num_requests_running{model_name="m"} 32.0\nvllm:num_requests_waiting{model_name="m"} 0.0\n'
    )
    make_run([f"q{i}" for i in range(600)]).start().wait()
    assert server.most_running > 48


@pytest.mark.slow
def test_a_session_that_still_loads_is_waited_for(make_run: Make, server: BatchServer) -> None:
    server.is_ready = False
    run = make_run(["one"]).start()
    wait_until(lambda: run.progress.state is RunState.WAITING)
    assert "loading" in run.progress.note
    server.is_ready = True
    run.wait()
    assert run.progress.done == 1


@pytest.mark.slow
def test_a_session_that_goes_away_and_comes_back_is_waited_for(make_run: Make, server: BatchServer) -> None:
    server.delay_s = 0.05
    prompts = [f"q{i}" for i in range(100)]
    run = make_run(prompts, concurrency=5).start()
    wait_until(lambda: run.progress.done > 20)
    server.die()
    wait_until(lambda: run.progress.state is RunState.WAITING)
    server.come_back()
    run.wait()
    assert read_texts(run.path) == [f"You said: {prompt}" for prompt in prompts]
    assert run.progress.failed == 0


@pytest.mark.slow
def test_a_session_that_ended_stops_the_batch_and_says_what_is_kept(
    make_run: Make, server: BatchServer, source: ServerSource
) -> None:
    server.delay_s = 0.05
    run = make_run([f"q{i}" for i in range(100)], concurrency=5).start()
    wait_until(lambda: run.progress.done > 10)
    reason = Trouble(code="wall_time", message="Its wall time was over.")
    source.changes = {"status": SessionStatus.ENDED, "reason": reason}
    server.die()
    with pytest.raises(BatchStoppedError, match="Its wall time was over") as stopped:
        run.wait()
    assert "of 100 rows are done and kept in" in stopped.value.message
    assert "Run the same again" in stopped.value.remedy
    assert run.progress.state is RunState.STOPPED


def test_a_key_that_is_refused_stops_the_batch_and_a_new_one_goes_on(
    make_run: Make, server: BatchServer, source: ServerSource
) -> None:
    server.key = "curc-another"
    with pytest.raises(BatchStoppedError, match="refuses the key"):
        make_run(["one"]).start().wait()
    source.key = "curc-another"
    run = make_run(["one"]).start()
    run.wait()
    assert run.progress.done == 1


@pytest.mark.slow
def test_a_key_that_changes_meanwhile_is_read_anew(
    make_run: Make, server: BatchServer, source: ServerSource
) -> None:
    server.delay_s = 0.02
    run = make_run([f"q{i}" for i in range(100)], concurrency=2).start()
    wait_until(lambda: run.progress.done > 5)
    source.key = server.key = "curc-another"
    run.wait()
    assert run.progress.done == 100


def test_a_model_that_is_not_served_stops_the_batch(make_run: Make) -> None:
    with pytest.raises(BatchStoppedError, match=r"serves no model 'gpt-9'.*'m'"):
        make_run(["one"], model="gpt-9").start().wait()


@pytest.mark.slow
def test_a_row_that_its_key_may_not_ask_fails_alone(make_run: Make, server: BatchServer) -> None:
    run = make_run(["one", "two [forbidden]", "three"]).start()
    run.wait()
    assert (run.progress.done, run.progress.failed) == (2, 1)
    assert server.asked["two [forbidden]"] == 2
    assert run.progress.reasons[0][0] == "This key may not ask that."


def test_a_batch_that_is_refused_as_a_whole_is_stopped_early(make_run: Make, server: BatchServer) -> None:
    run = make_run([f"[bad] {i}" for i in range(500)], concurrency=4).start()
    with pytest.raises(BatchStoppedError, match=r"None of the first 20 rows was answered.*too long"):
        run.wait()
    assert server.num_asked < 40
    assert run.path.read_bytes() == b""  # so that nothing keeps them from being asked again


def test_rows_that_are_refused_each_for_a_reason_of_its_own_stop_nothing(make_run: Make) -> None:
    prompts = [*(f"[bad] [own] {i}" for i in range(60)), "good"]
    run = make_run(prompts, concurrency=4).start()
    run.wait()
    assert (run.progress.done, run.progress.failed) == (1, 60)


def test_a_few_rows_that_are_all_refused_are_kept(make_run: Make) -> None:
    run = make_run(["[bad] 1", "[bad] 2"]).start()
    run.wait()
    assert run.progress.failed == 2
    assert read_texts(run.path) == [None, None]


def test_cancel_ends_what_is_under_way_at_once(make_run: Make, server: BatchServer) -> None:
    run = make_run(["one", "[hang]", "[hang] too"]).start()
    wait_until(lambda: server.running == 2 and run.progress.done == 1)
    began = time.monotonic()
    run.cancel()
    with pytest.raises(BatchStoppedError, match="1 of 3 rows are done") as stopped:
        run.wait()
    assert time.monotonic() - began < 1
    assert stopped.value.interrupted
    wait_until(lambda: server.running == 0)


@pytest.mark.slow
def test_an_answer_that_does_not_come_is_given_up_in_time(
    make_run: Make, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curc_llm.batch.asking.SYNC_EVERY_S", 0.05)
    make_waits_short(monkeypatch)
    run = make_run(["one", "[hang]"], timeout_s=0.2).start()
    run.wait()
    assert server.asked["[hang]"] == 5
    assert run.progress.failed == 1


def test_answers_in_chunks_are_read_too(make_run: Make, server: BatchServer) -> None:
    server.chunked = True
    run = make_run([f"q{i}" for i in range(30)]).start()
    run.wait()
    assert read_texts(run.path) == [f"You said: q{i}" for i in range(30)]


@pytest.mark.slow
def test_progress_is_told_at_most_ten_times_a_second_and_at_the_end(
    make_run: Make, server: BatchServer
) -> None:
    server.delay_s = 0.1
    told = []
    run = make_run([f"q{i}" for i in range(20)], concurrency=2)
    run.on_progress(told.append)
    run.start().wait()
    wait_until(lambda: told[-1].state is RunState.DONE)
    assert len(told) <= 10 * run.progress.elapsed_s + 2
    assert [p.done for p in told] == sorted(p.done for p in told)
    assert told[-1].done == 20


def test_who_watches_badly_does_not_end_the_batch(make_run: Make) -> None:
    run = make_run(["one"])
    run.on_progress(lambda _: 1 / 0)
    run.start().wait()
    assert run.progress.done == 1


def test_the_kernel_stays_free_while_a_batch_runs(make_run: Make, server: BatchServer) -> None:
    server.delay_s = 0.2
    run = make_run(["one"]).start()
    assert not run.is_over
    assert threading.current_thread() is threading.main_thread()
    assert run.wait(0.01) is False
    run.wait()
