from __future__ import annotations

import io
import resource
import subprocess
import sys
import zlib
from typing import Any

import pypdf
import pytest

from curc_llm.attachments import AttachmentError, pdf_pages
from curc_llm.attachments import pdf as pdf_module
from tests.attachments.conftest import make_pdf

POPEN = subprocess.Popen
TEXT = "Enough text for a page of its own"


def read_here(data: bytes, pages: int = 9, chars: int = 9999) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    pdf_pages.main([str(pages), str(chars), "9", "0"], data, lambda **value: told.append(dict(value)))
    return told


def encrypt(password: str) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(make_pdf(TEXT)))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.slow
def test_pages_are_marked(read) -> None:
    found = read("a.pdf", make_pdf(TEXT, f"Second: {TEXT}"))
    assert found.text == f"[Page 1]\n{TEXT}\n\n[Page 2]\nSecond: {TEXT}"
    assert found.note == "2 pages; text alone, without figures."


@pytest.mark.slow
def test_pages_left_out_are_told(read) -> None:
    found = read("a.pdf", make_pdf(*[TEXT] * 5), max_pdf_pages=2)
    assert found.text.endswith("[... left out here: pages 3 to 5 ...]")
    assert found.note.endswith("Only the first 2 pages are given, because it is long.")


@pytest.mark.slow
def test_a_scan_says_that_it_has_no_text(read) -> None:
    with pytest.raises(
        AttachmentError, match="holds no text on the 2 pages that were read: it is a scan"
    ) as told:
        read("a.pdf", make_pdf("", ""))
    assert "ocrmypdf" in told.value.remedy


@pytest.mark.slow
def test_single_pages_without_text_are_told(read) -> None:
    words = "1 page has next to no text: what is scanned or drawn there isn't seen."
    assert words in read("a.pdf", make_pdf(TEXT, "")).note


@pytest.mark.slow
def test_an_encrypted_file_says_so(read) -> None:
    with pytest.raises(AttachmentError, match=r"a\.pdf is encrypted: it opens with a password only"):
        read("a.pdf", encrypt("secret"))


def test_one_that_only_forbids_printing_is_read() -> None:
    assert {"page": TEXT} in [
        {k: v.strip() for k, v in one.items() if k == "page"} for one in read_here(encrypt(""))
    ]


def test_a_cipher_that_is_not_known_counts_as_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(pypdf.PdfReader, "decrypt", fail)
    assert read_here(encrypt("")) == [{"trouble": "encrypted"}]


@pytest.mark.slow
def test_a_broken_file_says_so(read) -> None:
    with pytest.raises(AttachmentError, match="is no PDF that can be read"):
        read("a.pdf", b"%PDF-1.7\nnothing")


def test_a_broken_page_loses_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    real = pypdf.PageObject.extract_text
    texts = iter([ValueError("broken"), None])

    def extract(page: pypdf.PageObject) -> str:
        if (error := next(texts)) is not None:
            raise error
        return real(page)

    monkeypatch.setattr(pypdf.PageObject, "extract_text", extract)
    pages = [one["page"] for one in read_here(make_pdf("x", TEXT)) if "page" in one]
    assert pages[0] == "[this page can't be read]"
    assert pages[1].strip() == TEXT


def test_no_memory_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def extract(_: pypdf.PageObject) -> str:
        raise MemoryError

    monkeypatch.setattr(pypdf.PageObject, "extract_text", extract)
    assert read_here(make_pdf(TEXT)) == [{"num_pages": 1}, {"trouble": "broken"}]


def test_characters_are_bounded_over_all_pages() -> None:
    told = read_here(make_pdf(TEXT, TEXT, TEXT), chars=40)
    assert sum(len(one.get("page", "")) for one in told) == 40


def test_the_child_limits_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", lambda kind, pair: limits.update({kind: pair}))
    pdf_pages.main(["1", "1", "2.5", "64"], b"", lambda **_: None)
    assert limits == {
        resource.RLIMIT_CPU: (3, 3),
        resource.RLIMIT_AS: (64 * 2**20, 64 * 2**20),
        resource.RLIMIT_CORE: (0, 0),
    }


def test_lines_go_out_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    pdf_pages.print_line(page="ü")
    assert capsys.readouterr().out == '{"page": "\\u00fc"}\n'


@pytest.mark.slow
def test_a_file_that_unpacks_into_gigabytes_ends_at_its_memory(read) -> None:
    packed = zlib.compress(bytes(400 * 2**20), 9)
    body = make_pdf("x")
    length = (
        b"/Length "
        + str(len(packed)).encode()
        + b" /Filter /FlateDecode >>\nstream\n"
        + packed
        + b"\nendstream"
    )
    begin, end = body.index(b"/Length"), body.index(b"endstream") + 9
    with pytest.raises(AttachmentError):
        read("a.pdf", body[:begin] + length + body[end:], pdf_memory_mib=300, pdf_timeout_s=20)


def run_instead(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    real = POPEN
    monkeypatch.setattr(
        pdf_module.subprocess, "Popen", lambda _, **options: real([sys.executable, "-c", code], **options)
    )


def test_a_file_that_takes_for_ever_is_given_up(read, monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(AttachmentError, match=r"can't be read within 0\.3 s and 1,024 MiB of memory"):
        read("a.pdf", make_pdf("x"), pdf_timeout_s=0.3)


@pytest.mark.slow
def test_pages_that_came_before_the_time_was_over_are_kept(read, monkeypatch: pytest.MonkeyPatch) -> None:
    told = f'{{"num_pages": 9}}\n{{"page": "{TEXT}"}}\n{{"pa'
    code = f"import time; print({told!r}, flush=True); time.sleep(60)"
    run_instead(monkeypatch, code)
    found = read("a.pdf", make_pdf("x"), pdf_timeout_s=4.0)
    assert found.text == f"[Page 1]\n{TEXT}\n\n[... left out here: pages 2 to 9 ...]"
    assert "Only the first 1 page are given, because reading takes longer than 4 s" in found.note


def test_unreadable_pages_are_told(read, monkeypatch: pytest.MonkeyPatch) -> None:
    page = '{"page": "[this page can\'t be read]"}'
    run_instead(
        monkeypatch,
        f'print({page!r}); print(\'{{"page": "{TEXT}"}}\'); print(\'{{"num_pages": 2, "done": 1}}\')',
    )
    assert "1 page can't be read." in read("a.pdf", make_pdf("x")).note
    run_instead(monkeypatch, f"print({page!r})")
    with pytest.raises(AttachmentError, match=r"None of the pages of a\.pdf can be read"):
        read("a.pdf", make_pdf("x"))
