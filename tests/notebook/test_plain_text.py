from __future__ import annotations

from curc_llm.notebook.plain_text import render_plain


def test_a_terminal_is_given_nothing_to_obey() -> None:
    assert render_plain("a\x1b]0;owned\x07\x9b2Jb\r\n\tc") == "a]0;owned2Jb\n\tc"


def test_a_giant_text_is_cut() -> None:
    assert len(render_plain("a" * 10_000_000)) < 21_000
