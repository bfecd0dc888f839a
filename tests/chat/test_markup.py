from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.chat.markup import (
    ASIDE,
    MARK,
    parse_markdown,
    render_json_block,
    render_markdown,
    render_own_markdown,
)


def shown(text: str) -> str:
    """What Gradio is given, with the invisible mark made visible."""
    return render_markdown(text).replace(MARK, "·")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\(x^2\)", "·$x^2$·"),
        (r"\[ x^2 \]", "·$$ x^2 $$·"),
        ("$x_1$, and $y$.", "·$x_1$·, and ·$y$·."),
        ("$$\na\n\nb\n$$", "·$$\na\n\nb\n$$·"),
        (r"\begin{align}a &= b\end{align}", r"·$$\begin{align}a &= b\end{align}$$·"),
        ("$a<b$", r"·$a\lt b$·"),
        (r"$a&b$", "·$a& b$·"),
    ],
)
def test_formulas_get_delimiters_that_nothing_else_has(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 or $10.",
        "US$ 5 and US$ 6",
        r"\$x\$",
        "$ x $",
        "`$x$` and ``\\(a`b\\)``",
        "```bash\necho $HOME $PATH\nkill $$; sed 's/\\(a\\)/\\1/' <b>\n```",
        "~~~\n\\[ x \\]\n~~~",
        "1. Do:\n   ```sh\n   echo $a$\n   ```",
        "```\nnot closed $x$ <b>",
    ],
)
def test_money_and_code_are_left_alone(text: str) -> None:
    assert shown(text) == text


def test_a_formula_is_not_made_of_a_dollar_in_code_and_one_outside() -> None:
    assert shown("`$x` and y$") == "`$x` and y$"


def test_prose_after_a_fence_is_prose_again() -> None:
    assert shown("```\n$a$\n```\n$b$") == "```\n$a$\n```\n·$b$·"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>x</script>", "&lt;·script>x&lt;·/script>"),
        ("a list<int>", "a list&lt;·int>"),
        ("<javascript:alert(1)>", "&lt;·javascript:alert(1)>"),
        ("<br onclick=x>", "&lt;·br onclick=x>"),
        ("<!-- x -->", "&lt;·!-- x -->"),
        ("![a](https://evil.example/x.png)", "!·\\[a·\\]·(https://evil.example/x.png)"),
        ("![a][logo]", "!·\\[a·\\]·\\[logo]"),
        ("[![a](x.png)](y.html)", "[!·\\[a·\\]·(x.png)](y.html)"),
        ("![logo] ![a [b] c](x.png)", "!·\\[logo] !·\\[a [b] c](x.png)"),
    ],
)
def test_tags_and_images_become_text(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_the_address_of_an_image_by_name_is_shown_and_that_of_a_link_stays_one() -> None:
    text = "![a][Logo] ![plot] [b][c]\n\n[logo]: x.png\n[plot]: <y.png> 'P'\n[c]: z.html\n\n`[logo]: x`"
    markdown = render_markdown(text)
    assert "··\\[logo]: x.png\n··\\[plot]: &lt;·y.png> 'P'\n[c]: z.html" in markdown.replace(MARK, "·")
    assert "`[logo]: x`" in markdown
    assert parse_markdown(markdown) == text


@pytest.mark.parametrize("text", ["a<br>b", "H<sub>2</sub>O", "<https://example.org>", "a < b", "a <3"])
def test_harmless_tags_and_plain_signs_stay(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize("start", ["", "> > ", "1. "])
def test_diagrams_stay_code(start: str) -> None:
    text = f"{start}```mermaid\ngraph TD\n```"
    assert f"mermaid{MARK}\n" in render_markdown(text)
    assert parse_markdown(render_markdown(text)) == text


@pytest.mark.parametrize(
    "piece",
    [r"\(a ", r"\[a ", "$a ", "$$a ", r"\begin{align} ", " ", "`a ", "`a``b", "``` x\n", "~~~\n", "<a ", "1"],
)
def test_a_long_hostile_text_takes_no_time(piece: str) -> None:
    text = piece * (20_000 // len(piece)) + "x"
    started = time.process_time()
    render_markdown(text)
    assert time.process_time() - started < 0.5


def test_marks_in_the_models_own_text_are_dropped() -> None:
    assert render_markdown(f"a{MARK}b{ASIDE}c") == "abc"


def test_what_a_person_wrote_reads_well_when_edited() -> None:
    assert render_own_markdown("vector<int> $x$").replace(MARK, "") == r"vector\<int> $x$"


@given(st.text(alphabet="ab<>/![]():`~ \n*&;", max_size=60))
def test_the_text_comes_back_as_it_was(text: str) -> None:
    assert parse_markdown(render_markdown(text)) == text
    assert parse_markdown(render_own_markdown(text)) == text


@given(st.text(alphabet="a<$`\\()[] \n", max_size=60))
def test_no_tag_survives_outside_code(text: str) -> None:
    if "`" not in text:
        assert "<a" not in render_markdown(text)


def test_json_is_code_with_a_fence_that_it_cannot_close() -> None:
    text = '{"a": "```"}'
    assert render_json_block(text) == f"````json {MARK}\n{text}\n````"
