from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.chats.lines import join, parse_lines, render_line

A = {"id": "a", "content": "x"}
B = {"id": "b", "content": "y"}


def test_what_is_written_is_read_again() -> None:
    found = parse_lines(join([A, B]))
    assert found.values == [A, B]
    assert found.num_skipped == 0


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_one_line_and_comes_back(text: str) -> None:
    line = render_line({"id": "a", "content": text})
    assert line.count(b"\n") == 1
    assert parse_lines(line).values == [{"id": "a", "content": text}]


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    parse_lines(data)


def test_half_a_character_is_written_as_a_question_mark() -> None:
    assert parse_lines(render_line({"content": "a\ud800b"})).values == [{"content": "a?b"}]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_lacks_become_null(number: float) -> None:
    assert json.loads(render_line({"facts": {"a": [number, 1.5]}})) == {"facts": {"a": [None, 1.5]}}


def test_values_nested_without_end_are_left_out() -> None:
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert parse_lines(render_line({"id": "a", "facts": deep})).values == [{"id": "a"}]


@pytest.mark.parametrize("cut", range(1, len(render_line(A)) - 1))
def test_a_line_behind_a_torn_one_is_found_wherever_it_was_torn(cut: int) -> None:
    found = parse_lines(render_line(A)[:cut] + render_line(B))
    assert found.values[-1] == B
    assert found.num_skipped == 1


def test_a_torn_last_line_is_skipped_and_counted() -> None:
    found = parse_lines(render_line(A) + render_line(B)[:-4])
    assert (found.values, found.num_skipped) == ([A], 1)


def test_the_holes_that_a_network_file_system_leaves_are_no_lines() -> None:
    found = parse_lines(render_line(A) + b"\0" * 4096 + render_line(B))
    assert (found.values, found.num_skipped) == ([A, B], 0)


@pytest.mark.parametrize(
    "odd", [b"[1]", b"7", b'"x"', b"[" * 100_000, b'{"a": ' * 5_000, b"9" * 10_000, b"\xff\xfe"]
)
def test_lines_that_are_no_objects_are_skipped(odd: bytes) -> None:
    found = parse_lines(render_line(A) + odd + b"\n" + render_line(B))
    assert (found.values, found.num_skipped) == ([A, B], 1)


def test_a_long_line_of_beginnings_is_given_up() -> None:
    assert parse_lines(b'{"id": ' * 200_000).values == []
