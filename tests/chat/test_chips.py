from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from curc_llm.attachments import Attachment
from curc_llm.chat.chips import render_chips


class Seen(HTMLParser):
    """The tags of some HTML, its attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


CHIP = Attachment("data.csv", "table", "x,y", "12 rows and 2 columns.", num_bytes=2048, key="k1")
KNOWN_TAGS = {"div", "ul", "li", "span", "bdi", "button", "wbr"}


def test_a_chip_says_what_how_large_and_how_many_tokens() -> None:
    seen = Seen(render_chips([CHIP]))
    assert re.sub(r"\s+", " ", seen.text) == "CSVTable: data.csv 2 KiB, about 3 tokens×"
    assert ("title", "data.csv: 12 rows and 2 columns.") in seen.attributes
    assert ("class", "curc-chip curc-kind-table") in seen.attributes


def test_a_chip_is_removed_by_its_button() -> None:
    seen = Seen(render_chips([CHIP]))
    for wanted in (("data-curc-do", "detach"), ("data-curc-value", "k1"), ("aria-label", "Remove data.csv")):
        assert wanted in seen.attributes


def test_what_was_sent_has_no_button() -> None:
    html = render_chips([CHIP], is_removable=False)
    assert "button" not in html
    assert 'aria-label="Attached files"' in html


def test_nothing_attached_is_nothing_to_see() -> None:
    assert render_chips([]) == ""


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>",
        '"><script>alert(1)</script>',
        "' onmouseover='alert(1)",
        "![x](https://evil.example/x.png)",
        "**bold** `code` [a](javascript:alert(1))",
        "$$\\href{javascript:alert(1)}{x}$$",
        "\\(x\\) \\[y\\]",
        "a\n\n# heading\n\n<b>",
        "\u202egpj.exe\u2066",
        "a" * 400,
        "&lt;b&gt;",
        "שלום.csv",
    ],
)
def test_hostile_names_are_text_alone(name: str) -> None:
    html = render_chips([Attachment(name, "text", "x", name)])
    seen = Seen(html)
    assert set(seen.tags) <= KNOWN_TAGS
    assert {attribute for attribute, _ in seen.attributes} <= {
        "class", "aria-label", "aria-hidden", "title", "type", "data-curc-do", "data-curc-value",
    }  # fmt: skip
    assert "\n" not in html
    assert html.isprintable()
    # Nothing is left for Markdown or formulas to take for their own.
    bare = re.sub(r"&#?\w+;|<[^>]*>", "", html)
    assert not set(bare) & set("*_`[]$\\!()~|")


def test_the_words_of_a_name_are_all_there() -> None:
    name = "<b>*x*</b> $5.csv"
    assert name in Seen(render_chips([Attachment(name, "text", "x")])).text
