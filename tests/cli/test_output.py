from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.cli.chat_screen import find_block_end
from curc_llm.cli.output import choose_fitting, fold, make_printable, render_table
from tests.fakes.fake_session import FakeSession
from tests.fakes.terminal import Terminal


@given(st.text())
def test_nothing_printable_can_control_a_terminal(text: str) -> None:
    shown = make_printable(text)
    assert all(c in "\n\t" or (ord(c) >= 0x20 and not 0x7F <= ord(c) < 0xA0) for c in shown)
    assert make_printable(shown) == shown


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_a_table_has_one_line_per_row_whatever_is_in_it(rows: list[list[str]]) -> None:
    assert len(render_table(["A", "B"], rows).split("\n")) == len(rows) + 1


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [(None, "as long as it gets"), (18, "as long as it gets"), (17, "short\nlines"), (2, "x y")],
)
def test_the_first_text_that_fits_is_shown_else_the_last(columns: int | None, chosen: str) -> None:
    assert choose_fitting(["as long as it gets", "short\nlines", "x y"], columns) == chosen


def test_later_texts_are_not_made_when_an_earlier_one_fits() -> None:
    texts = iter(["short", "never looked at"])
    assert choose_fitting(texts, 80) == "short"
    assert list(texts) == ["never looked at"]
    assert choose_fitting([], 80) == ""


def test_folded_lines_fit_and_all_but_the_first_are_indented() -> None:
    assert fold("one two three four", 9, "  ") == "one two\n  three\n  four"
    assert fold("one two three four", None, "  ") == "one two three four"


def test_addresses_and_names_are_never_cut() -> None:
    url = "https://example.org/a-long-address-with-hyphens"
    assert fold(f"see {url} there", 20).split("\n") == ["see", url, "there"]


@given(st.text(alphabet="ab -", max_size=80), st.integers(min_value=4, max_value=30))
def test_folding_loses_no_word(text: str, columns: int) -> None:
    assert fold(text, columns, " ").split() == text.split()


@given(st.text(alphabet="ab`~\n "))
def test_a_block_ends_only_outside_of_fences(text: str) -> None:
    end = find_block_end(text)
    assert 0 <= end <= len(text)
    assert end == 0 or text[:end].endswith("\n")
    assert find_block_end(text[:end]) == end


@pytest.mark.slow
@pytest.mark.parametrize("verb", [("ask", "[escape]"), ("ask", "--no-stream", "[escape]")])
def test_an_answer_can_not_control_the_terminal(fake: FakeSession, verb: tuple[str, ...]) -> None:
    with Terminal("-m", "curc_llm.cli.main", *verb) as terminal:
        assert terminal.wait_for_end() == 0
    assert "text" in terminal.text
    assert "\x1b" not in terminal.raw


@pytest.mark.slow
def test_a_pipe_gets_the_answer_as_it_is(fake: FakeSession, spawn: object) -> None:
    done = spawn("ask", "[escape]")  # type: ignore[operator]
    assert done.stdout == "safe\x1b]0;owned\x07\x1b[2Jtext\n"
