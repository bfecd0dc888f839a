"""The process that reads one PDF: `python -m curc_llm.attachments.pdf_pages PAGES CHARS SECONDS MIB <FILE`.

Prints JSON, one object a line: `{"num_pages": 3}`, then `{"page": text}` for each page as soon as it is read,
then `{"done": true}`; or `{"trouble": "encrypted"}`, `{"trouble": "broken"}`.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

Tell = Callable[..., None]
UNREADABLE = "[this page can't be read]"


def main(options: Sequence[str], data: bytes, tell: Tell) -> None:
    """Reads a PDF and tells what is in it.

    Args:
        options: most pages, most characters in all, most seconds of CPU, most MiB of memory (0: no limit).
        data: the PDF.
        tell: is called with what was found.
    """
    max_pages, max_chars = int(options[0]), int(options[1])
    if int(options[3]):
        limit_process(float(options[2]), int(options[3]))
    try:
        _read(data, max_pages, max_chars, tell)
    except Exception:  # noqa: BLE001 - a parser meets anything in a file that is made to break it
        tell(trouble="broken")


def limit_process(cpu_s: float, memory_mib: int) -> None:
    """Has the kernel end this process when it takes more."""
    import resource

    for kind, most in (
        (resource.RLIMIT_CPU, math.ceil(cpu_s)),
        (resource.RLIMIT_AS, memory_mib * 2**20),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS has no limit of memory
            resource.setrlimit(kind, (most, most))


def _read(data: bytes, max_pages: int, max_chars: int, tell: Tell) -> None:
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = PdfReader(io.BytesIO(data), strict=False)
    # Many PDFs are encrypted with an empty password, to forbid printing; anybody may read those.
    if reader.is_encrypted and not _open(reader):
        tell(trouble="encrypted")
        return
    tell(num_pages=len(reader.pages))
    for number, page in enumerate(reader.pages):
        if number >= max_pages or max_chars <= 0:
            break
        text = _read_page(page)[:max_chars]
        max_chars -= len(text)
        tell(page=text)
    tell(done=True)


def _open(reader: Any) -> bool:
    try:
        return bool(reader.decrypt(""))
    except Exception:  # noqa: BLE001 - such as a cipher that needs another package
        return False


def _read_page(page: Any) -> str:
    try:
        text = str(page.extract_text())
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - one broken page is no reason to lose the others
        text = UNREADABLE
    return text.encode("utf-8", "replace").decode()


def print_line(**value: Any) -> None:
    """Tells the process that started this one, at once."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdin.buffer.read(), print_line)
