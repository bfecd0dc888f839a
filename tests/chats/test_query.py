from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.chats.lines import join
from curc_llm.chats.message import Message
from curc_llm.chats.query import Query
from curc_llm.chats.reading import put_together
from curc_llm.chats.search import _find_best


def make_file(*texts: str, title: str = "Title", reasoning: str = "") -> bytes:
    head = {"chat": 2, "chat_id": "c", "title": title, "host": "hosts", "created_at": 1.0}
    facts = {"model": "llama", "prompt_tokens": 5, "finish_reason": "stop"}
    messages = [
        Message(f"id{i}", None, "assistant", text, 1.0, reasoning, facts=facts)
        for i, text in enumerate(texts)
    ]
    return join([head, *(message.to_line() for message in messages)])


def test_words_are_split_and_quoted_ones_stay_together() -> None:
    assert Query.parse('  Node "Login  Node" node').words == ("node", "login node")
    assert Query.parse(' "" ').words == ()
    assert len(Query.parse(" ".join(map(str, range(100)))).words) == 16


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("weibull", "The WEIBULL law"),
        ("law weibull", "Weibull\n\nlaw"),
        ('"weibull law"', "a Weibull\n law"),
        ('"weibull law"', "a Weibull\t\tlaw"),
        ("größe", "Die GRÖSSE, die Größe"),
        ("ΚΑΤΑΝΟΜΉ", "η κατανομή"),
        ("登录", "登录节点"),
        (r"c:\temp", r"in C:\Temp here"),
        ("{x}", r"\frac{X}{2}"),
        ('say"x', 'say"X'),
        ("\\underline", r"$\underline{x}$"),
    ],
)
def test_words_are_found_in_any_case_and_however_json_writes_them(asked: str, text: str) -> None:
    query = Query.parse(asked) if '"' not in asked or asked.startswith('"') else Query((asked,))
    assert query.fits_file(make_file(text))
    assert query.fits_file(make_file("other", reasoning=text))
    assert query.fits_text(text)


@pytest.mark.parametrize(
    "asked",
    [
        "prompt_tokens",
        "llama",
        "stop",
        "hosts",
        "id0",
        "assistant",
        "content",
        '"chat_id"',
        ":",
        ",",
        "nothing",
    ],
)
def test_names_and_figures_of_the_format_are_no_text(asked: str) -> None:
    assert not Query.parse(asked).fits_file(make_file("Some text", "More text", reasoning="Hm"))


def test_a_word_of_the_format_is_found_where_somebody_wrote_it() -> None:
    assert Query.parse("prompt_tokens").fits_file(make_file("Some", "what are prompt_tokens?"))
    assert Query.parse("title").fits_file(make_file("Some"))  # the title is Title
    assert Query.parse("content").fits_file(make_file('a "content": "x" within'))


@pytest.mark.parametrize("asked", ['"alpha beta"', '"alphä beta"'])
def test_no_phrase_goes_from_one_text_to_the_next(asked: str) -> None:
    first = asked.strip('"').split()[0]
    assert Query.parse(asked).fits_file(make_file("x", reasoning=f"{first} beta"))
    assert not Query.parse(asked).fits_file(make_file("beta gamma", reasoning=f"the {first}"))
    assert not Query.parse(asked).fits_file(make_file(first, "beta", title=first))


def test_files_that_others_wrote_with_escapes_are_searched_too() -> None:
    line = json.dumps({"id": "a", "role": "user", "at": 1, "content": "Größe"})
    assert "\\u" in line
    assert Query.parse("größe").fits_file(line.encode() + b"\n")
    assert Query.parse("gr").fits_file(line.encode() + b"\n")
    assert not Query.parse("00f6").fits_file(line.encode() + b"\n")


TEXTS = st.lists(st.text('abn "\\\nÄä{:u,', min_size=1, max_size=12), min_size=1, max_size=3)


@given(TEXTS, st.text('abn "\\Äu:', min_size=1, max_size=4))
def test_the_quick_look_says_what_reading_the_chat_says(texts: list[str], asked: str) -> None:
    query = Query.parse(asked)
    if not query.words:
        return
    data = make_file(*texts, title="t")
    best = _find_best(put_together(Path("c.jsonl"), [("c.jsonl", data)]), query)
    assert query.fits_file(data) == (best is not None)
