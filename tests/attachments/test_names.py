from __future__ import annotations

import pytest

from curc_llm.attachments.names import NAME_CHARS, make_file_name, make_name

HOSTILE = [
    "<img src=x onerror=alert(1)>.csv",
    "a\nb\r\nc.txt",
    "\u202egpj.exe",
    "a" * 400 + ".csv",
    "![x](https://evil.example)",
    "../../../etc/passwd",
    "$(touch x).py",
    "\ud800.txt",
    "\u200b",
    "",
    "...",
    "\x1b[31m.txt",
    "e\u0301" * 300,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_one_short_line_that_shows_all_it_is(name: str) -> None:
    found = make_name(name)
    assert 0 < len(found) <= NAME_CHARS
    assert found.isprintable()
    assert "/" not in found
    found.encode()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_name_is_plain(name: str) -> None:
    found = make_file_name(name)
    assert 0 < len(found) <= NAME_CHARS
    assert all(char.isalnum() or char in "._-" for char in found)
    assert not found.startswith((".", "-"))


def test_a_long_name_keeps_its_ending() -> None:
    assert make_name("a" * 400 + ".csv").endswith("a….csv")
    assert make_name("a" * 100 + "." + "b" * 300).endswith("b…")


def test_a_name_for_the_disk_fits_by_its_bytes() -> None:
    assert len(make_file_name("\u6f22" * 250).encode()) <= 200
