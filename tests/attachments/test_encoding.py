from __future__ import annotations

import codecs

import pytest

from curc_llm.attachments.encoding import decode, name_encoding


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("Größe".encode(), "utf-8"),
        ("Größe".encode("utf-8-sig"), "utf-8"),
        ("Größe".encode("cp1252"), "cp1252"),
        (codecs.BOM_UTF16_LE + "Größe".encode("utf-16-le"), "utf-16-le"),
        (codecs.BOM_UTF32_LE + "Größe".encode("utf-32-le"), "utf-32-le"),
        (("Größe " * 10).encode("utf-16-le"), "utf-16-le"),
        (("Größe " * 10).encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_encodings_are_found(data: bytes, encoding: str) -> None:
    found = decode(data)
    assert found is not None
    assert found.text.strip().split()[0] == "Größe"
    assert found.encoding == encoding
    assert found.note == ("" if encoding == "utf-8" else f"Read as {name_encoding(encoding)}.")


def test_a_letter_cut_at_the_end_is_left_out() -> None:
    assert decode("Größe ü".encode()[:-1]).text == "Größe "  # type: ignore[union-attr]


def test_a_piece_from_the_middle_begins_with_a_whole_letter() -> None:
    assert decode("üGröße".encode()[1:], "utf-8").text == "Größe"  # type: ignore[union-attr]


def test_a_few_broken_bytes_do_not_change_the_encoding() -> None:
    found = decode("Größe ".encode() * 1000 + b"\xff end")
    assert found is not None
    assert found.text.endswith("\ufffd end")
    assert found.note == "Some bytes are no UTF-8; a mark stands for each."


def test_colours_and_progress_lines_of_logs_become_plain() -> None:
    found = decode(b"\x1b[31mred\x1b[0m\n10%\r20%\r100%\nend\r\n\x1b]0;title\x07x\x08")
    assert found is not None
    assert found.text == "red\n100%\nend\nx"
    assert found.note == "Of progress lines the last state is given."


def test_line_ends_of_old_macintoshes_are_line_ends() -> None:
    assert decode(b"a\rb\rc").text == "a\nb\nc"  # type: ignore[union-attr]


@pytest.mark.parametrize("data", [b"\0\1\2" * 50, bytes(range(1, 256)) * 2, b"text\0text\0text"])
def test_what_is_no_text_is_seen(data: bytes) -> None:
    assert decode(data) is None
