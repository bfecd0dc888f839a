"""How many rows are asked at once: the engine full, the others served."""

from __future__ import annotations

from curc_llm.batch.pace import BLIND_ROWS, MAX_ROWS, START, Pace, parse_load, parse_written


def test_a_number_that_was_given_is_kept_to() -> None:
    pace = Pace(7)
    pace.note_load(100, 0, 7)
    pace.note_blind()
    assert pace.limit == 7


def test_it_grows_while_nobody_waits_and_all_rows_are_under_way() -> None:
    pace = Pace()
    pace.note_done()
    for _ in range(20):
        pace.note_load(pace.limit, 0, pace.limit)
    assert pace.limit == MAX_ROWS


def test_it_does_not_grow_when_there_are_not_enough_rows_anyway() -> None:
    pace = Pace()
    pace.note_done()
    pace.note_load(10, 0, 10)
    assert pace.limit == START


def test_it_does_not_grow_before_the_first_row_was_answered() -> None:
    pace = Pace()
    for _ in range(20):
        pace.note_load(pace.limit, 0, pace.limit)
    assert pace.limit == START
    pace.note_done()
    pace.note_load(pace.limit, 0, pace.limit)
    assert pace.limit > START


def test_it_settles_where_few_wait_at_the_engine() -> None:
    pace, most = Pace(), 256
    pace.note_done()
    for _ in range(60):
        ours = pace.limit
        pace.note_load(min(ours, most), max(0, ours - most), ours)
    assert most <= pace.limit <= most * 1.4


def test_many_waiting_make_it_fewer() -> None:
    pace = Pace()
    pace.note_load(32, 500, 32)
    assert pace.limit < START


def test_a_refusal_halves_it_and_it_creeps_back_to_what_was_said() -> None:
    pace = Pace(16)
    pace.note_refused()
    assert pace.limit == 8
    for _ in range(400):
        pace.note_done()
    assert pace.limit == 16


def test_it_never_falls_below_one() -> None:
    pace = Pace(2)
    for _ in range(9):
        pace.note_refused()
    assert pace.limit == 1


def test_without_the_engine_s_figures_it_is_a_fair_number() -> None:
    pace = Pace()
    pace.note_blind()
    assert pace.limit == BLIND_ROWS


def test_engines_of_one_model_are_added_and_others_left_out() -> None:
    text = (
        "# HELP vllm:num_requests_running Running.\n"
        'vllm:num_requests_running{engine="0",model_name="m"} 3.0\n'
        'vllm:num_requests_running{engine="1",model_name="m"} 4.0\n'
        'vllm:num_requests_waiting{engine="0",model_name="m"} 1.0\n'
        'vllm:num_requests_running{engine="0",model_name="other"} 9.0\n'
    )
    assert parse_load(text, "m") == (7.0, 1.0)
    assert parse_load("", "m") is None


def test_what_engines_of_one_model_have_written_is_added() -> None:
    text = (
        'vllm:generation_tokens_total{engine="0",model_name="m"} 100.0\n'
        'vllm:generation_tokens_total{engine="1",model_name="m"} 1.5e+02\n'
        'vllm:generation_tokens_total{engine="0",model_name="other"} 9.0\n'
    )
    assert parse_written(text, "m") == 250.0
    assert parse_written("", "m") is None
