from __future__ import annotations

import gzip
import os
import random
import socket
from pathlib import Path

import pytest

from curc_llm.attachments import Attachment, AttachmentError, AttachmentLimits, read_attachment
from tests.attachments.conftest import Write, make_image, make_pdf

NOISE = random.Random(1).randbytes(2000)


@pytest.mark.parametrize(
    ("name", "content", "kind", "language"),
    [
        ("notes.md", "# Hi", "text", "markdown"),
        ("run.log", "all well", "text", ""),
        ("a.json", "{}", "text", "json"),
        ("a.yml", "a: 1", "text", "yaml"),
        ("fit.py", "x = 1", "code", "python"),
        ("fit.F90", "end", "code", "fortran"),
        ("kernel.cu", "int x;", "code", "cpp"),
        ("Makefile", "all:", "code", "makefile"),
        ("job", "#!/usr/bin/env python3\nx = 1", "code", "python"),
        ("job2", "#!/bin/bash -l\nls", "code", "bash"),
        ("job3", "#!/opt/strange\nls", "text", ""),
        ("a.csv", "x,y\n1,2\n", "table", "csv"),
        ("a.tsv", "x\ty\n1\t2\n", "table", "csv"),
        ("plot", make_image(), "image", ""),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "bytes",
)
def test_a_file_is_read_as_what_it_is(
    write: Write, name: str, content: str | bytes, kind: str, language: str
) -> None:
    found = read_attachment(write(name, content))
    assert (found.name, found.kind, found.language) == (name, kind, language)
    assert found.num_bytes == len(content)
    assert found.num_tokens > 0
    assert found.num_chars == len(found.text)
    assert found.is_image == (kind == "image")


@pytest.mark.slow
def test_a_pdf_is_one_whatever_its_ending(write: Write) -> None:
    found = read_attachment(write("paper.txt", make_pdf("Text that stands there")))
    assert (found.kind, found.language) == ("pdf", "")


def test_a_small_text_is_given_as_it_is(read) -> None:
    found = read("a.txt", "One\ntwo\n")
    assert (found.text, found.note) == ("One\ntwo\n", "")


def test_a_name_may_be_given(write: Write) -> None:
    found = read_attachment(write("0a1b", "x,y\n1,2\n"), "../../my\ndata.csv")
    assert (found.name, found.kind) == ("my data.csv", "table")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.gz", gzip.compress(b"x", mtime=0), "a.gz is a gzip archive, which models can't read. Unpack it"),
        (
            "a.xlsx",
            b"PK\x03\x04" + bytes(50),
            "a.xlsx is an Excel workbook, which models can't read. Save the sheet as CSV",
        ),
        ("a.zip", b"PK\x03\x04" + bytes(50), "a.zip is a ZIP archive"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "a.h5 is an HDF5 file"),
        ("a.tif", b"II*\0", "a.tif is a TIFF image, which models can't read. Convert it"),
        ("a.tar", bytes(257) + b"ustar", "a.tar is a tar archive"),
        (
            "a.dat",
            bytes(range(256)) * 4,
            "a.dat is a binary file (.dat), which models can't read. Text, source",
        ),
        ("core", NOISE, "core is a binary file, which models can't read. Text, source code, CSV"),
        ("b.csv", bytes(range(256)) * 4, "b.csv is a binary file (.csv)"),
        ("empty.txt", b"", "empty.txt is empty: it has 0 bytes."),
        ("blank.txt", b" \n\n", "blank.txt holds no text: only blanks."),
    ],
)
def test_what_models_cannot_read_is_refused_in_a_sentence(
    write: Write, name: str, content: bytes, says: str
) -> None:
    with pytest.raises(AttachmentError) as told:
        read_attachment(write(name, content))
    assert str(told.value).startswith(says)
    assert told.value.remedy


def test_a_folder_a_pipe_a_socket_and_a_device_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        for name, what in (("pipe", "a pipe"), ("s", "a socket"), ("", "a folder")):
            with pytest.raises(AttachmentError, match=f"is {what}, not a file"):
                read_attachment(tmp_path / name, "it")
    with pytest.raises(AttachmentError, match="is a device, not a file"):
        read_attachment("/dev/zero")


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.txt", tmp_path / "none" / "a.txt"):
        with pytest.raises(AttachmentError, match="there is no such file"):
            read_attachment(path)
    with pytest.raises(AttachmentError, match="no file can have such a name"):
        read_attachment("a\0b")
    with pytest.raises(AttachmentError, match="File name too long"):
        read_attachment(tmp_path / ("a" * 300))


def test_what_may_not_be_read_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    path = write("a.txt", "secret")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(AttachmentError, match=r"a\.txt can't be read: you have no permission"):
        read_attachment(path)


def test_a_disk_that_fails_meanwhile_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    path = write("a.txt", "text")
    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(AttachmentError, match="can't be read: Input/output error"):
        read_attachment(path)


def test_links_are_followed(write: Write, tmp_path: Path) -> None:
    (tmp_path / "link.md").symlink_to(write("a.md", "text"))
    assert read_attachment(tmp_path / "link.md").text == "text"


def test_of_a_huge_file_little_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.log"
    with path.open("wb") as file:
        file.write(b"the beginning\n" * 1000)
        file.seek(10 * 2**30)
        file.write(b"\n" + b"the end\n" * 1000)
    found = read_attachment(path, None, AttachmentLimits(max_text_chars=2000))
    assert found.text.startswith("the beginning\n")
    assert found.text.endswith("the end\n")
    assert "[... left out here: the middle, about 10 GiB of 10 GiB ...]" in found.text
    assert found.note == "Left out: the middle, about 10 GiB of 10 GiB."
    assert len(found.text) < 2100


def test_a_long_text_loses_its_middle_at_lines(read) -> None:
    found = read("a.txt", "".join(f"line {i}\n" for i in range(1000)), max_text_chars=600)
    lines = found.text.splitlines()
    assert lines[0] == "line 0"
    assert lines[-1] == "line 999"
    assert all(line.startswith(("line ", "[...")) or not line for line in lines)
    assert found.note == "Left out: the middle, about 8.1 KiB of 8.7 KiB."


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.pdf", make_pdf("x"), "PDF files"),
        ("a.png", make_image(), "images"),
        ("a.ipynb", b"{" * 4000, "notebooks"),
    ],
)
def test_what_must_be_read_whole_may_be_too_large(read, name: str, content: bytes, what: str) -> None:
    with pytest.raises(AttachmentError, match=rf"{what} of up to 100 bytes can be read"):
        read(name, content + bytes(200), max_whole_mib=100 / 2**20)


def test_a_file_that_grows_is_bounded_too(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fstat

    def lie(descriptor: int) -> os.stat_result:
        values = list(real(descriptor))
        values[6] = 1
        return os.stat_result(values)

    path = write("a.png", make_image())
    monkeypatch.setattr(os, "fstat", lie)
    with pytest.raises(AttachmentError, match="images of up to 20 bytes"):
        read_attachment(path, None, AttachmentLimits(max_whole_mib=20 / 2**20))


def test_two_attachments_of_one_file_are_told_apart_and_equal() -> None:
    one, two = Attachment("a", "text", "x"), Attachment("a", "text", "x")
    assert one == two
    assert one.key != two.key
