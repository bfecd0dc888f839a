from __future__ import annotations

import time

import pytest

from curc_llm.chat.markup import MARK, render_markdown
from curc_llm.chat.pieces import PIECE_CHARS, render_pieces, split_pieces
from tests.fakes.hostile_outputs import load_hostile_outputs

PROSE = "Some words that say little.\n" * (PIECE_CHARS // 28 + 1)
LONG = "\n\n".join(f"## Part {n}\n\n" + "Words and words.\n" * 60 for n in range(40))


def test_a_short_answer_is_one_piece() -> None:
    assert render_pieces("a\n\nb") == ["a\n\nb"]
    assert render_pieces("") == [""]


def test_a_long_one_is_cut_between_blocks_and_nothing_is_lost() -> None:
    pieces = split_pieces(LONG)
    assert len(pieces) > 4
    assert "".join(pieces) == LONG
    assert all(piece.startswith(("## Part", "Words")) for piece in pieces)
    assert max(map(len, pieces)) < PIECE_CHARS + 2000


def test_while_it_grows_only_the_last_piece_changes() -> None:
    whole = split_pieces(LONG)
    for length in range(0, len(LONG), 97):
        pieces = split_pieces(LONG[:length])
        assert pieces[:-1] == whole[: len(pieces) - 1]


@pytest.mark.parametrize(
    "block",
    [
        "```python\nx = 1\n\ny = 2\n\nz = 3\n```",
        "~~~~\n~~~\n\nx\n\n~~~~",
        "- ```sh\n\n  a\n\nb\n  ```",
        "$$\na\n\nb\n\nc\n$$",
        "\\[\na\n\nb\n\\]",
        "\\begin{align}\na\n\nb\n\\end{align}",
        "1. one\n\n2. two\n\n   still two\n\n3. three",
        "- one\n\n- two\n\n  still two",
    ],
)
def test_a_block_with_blank_lines_stays_whole(block: str) -> None:
    pieces = split_pieces(f"{PROSE}{block}\n\nAfter it.")
    assert any(block in piece for piece in pieces)
    assert pieces[-1].endswith("After it.")


def test_after_a_block_it_is_cut_again() -> None:
    assert split_pieces(f"{PROSE}```\nx\n```\n\nAfter it.")[-1] == "After it."


def test_a_formula_that_never_ends_holds_nothing_up() -> None:
    assert len(split_pieces(f"It costs $$ and\n\n{LONG}")) > 4


def test_definitions_of_links_hold_in_every_piece() -> None:
    text = f"[a][x]\n\n{PROSE}\nThe end: [b][x]\n\n[x]: https://example.org/"
    pieces = render_pieces(text)
    assert len(pieces) == 2
    assert all(piece.endswith("[x]: https://example.org/") for piece in pieces)


def test_an_answer_of_definitions_stays_whole() -> None:
    text = "[a]: b\n" * 3000
    assert render_pieces(text) == [render_markdown(text)]


def test_each_piece_is_rendered_as_an_answer_is() -> None:
    pieces = render_pieces(f"{PROSE}<script>x</script>\n\nThe value $x$")
    assert len(pieces) == 2
    assert f"&lt;{MARK}script>" in pieces[0] + pieces[1]
    assert pieces[-1].endswith(f"{MARK}$x${MARK}")


@pytest.mark.slow
def test_hostile_giants_take_no_time_and_lose_nothing() -> None:
    for entry in load_hostile_outputs("http://127.0.0.1:9"):
        started = time.process_time()
        render_pieces(entry.markdown)
        assert time.process_time() - started < 1, entry.name
        assert "".join(split_pieces(entry.markdown)) == entry.markdown, entry.name
