"""Jupyter notebooks: cells in their order, outputs as short text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from curc_llm.attachments.errors import AttachmentError
from curc_llm.attachments.excerpt import Excerpt, shorten

OUTPUT_CHARS = 2_000
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_PICTURE = ("image/", "application/pdf")


def read_notebook(data: bytes, name: str, most_chars: int) -> tuple[Excerpt, str]:
    """A notebook as text in the percent format, which Jupytext and editors know, and its language.

    Args:
        data: the file.
        name: what it is called in errors.
        most_chars: of the text.

    Raises:
        AttachmentError: it is no notebook.
    """
    book = _load(data, name)
    cells = _list_cells(book)
    counts = _Counts()
    pieces = [_render_cell(cell, counts) for cell in cells]
    found = shorten("\n\n".join(pieces), most_chars)
    note = " ".join(filter(None, (f"{_count(len(cells), 'cell')}.", counts.note, found.note)))
    return Excerpt(found.text, note), _find_language(book)


class _Counts:
    """What was left out."""

    def __init__(self) -> None:
        self.images = 0
        self.shortened = 0

    @property
    def note(self) -> str:
        parts = [_count(self.images, "image")] if self.images else []
        parts += [f"the middle of {_count(self.shortened, 'long output')}"] if self.shortened else []
        return f"Left out: {' and '.join(parts)}." if parts else ""


def _load(data: bytes, name: str) -> Mapping[str, Any]:
    try:
        book = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        book = None
    if not isinstance(book, dict) or not isinstance(book.get("cells", book.get("worksheets")), list):
        raise AttachmentError(
            f"{name} is no Jupyter notebook that can be read: its JSON has no cells.",
            "Open it in Jupyter and save it again, or attach it under another ending.",
        )
    return book


def _list_cells(book: Mapping[str, Any]) -> list[dict[str, Any]]:
    cells = book.get("cells")
    if not isinstance(cells, list):  # the format until 2015
        sheets = (sheet.get("cells") for sheet in book["worksheets"] if isinstance(sheet, dict))
        cells = [cell for sheet in sheets if isinstance(sheet, list) for cell in sheet]
    return [cell for cell in cells if isinstance(cell, dict)]


def _render_cell(cell: Mapping[str, Any], counts: _Counts) -> str:
    kind = str(cell.get("cell_type"))
    source = _join(cell.get("source", cell.get("input")))
    if kind != "code":
        label = kind if kind in {"markdown", "raw"} else "markdown"
        attached = cell.get("attachments")
        counts.images += len(attached) if isinstance(attached, dict) else 0
        return f"# %% [{label}]\n{source}"
    number = cell.get("execution_count", cell.get("prompt_number"))
    head = f"# %% In [{number}]" if isinstance(number, int) else "# %%"
    outputs = cell.get("outputs")
    shown = (
        [_render_output(one, counts) for one in outputs or () if isinstance(one, dict)]
        if isinstance(outputs, list)
        else []
    )
    return "\n".join([head, source, *(text for text in shown if text)])


def _render_output(output: Mapping[str, Any], counts: _Counts) -> str:
    if output.get("output_type") in {"error", "pyerr"}:
        trace = _ANSI.sub("", "\n".join(_lines(output.get("traceback"))))
        text = trace or f"{output.get('ename')}: {output.get('evalue')}"
    elif "text" in output and not isinstance(output.get("data"), dict):
        text = _join(output["text"])
    else:
        data = output.get("data", output)
        data = data if isinstance(data, dict) else {}
        pictures = sum(str(kind).startswith(_PICTURE) or kind in {"png", "jpeg"} for kind in data)
        counts.images += bool(pictures)
        text = _join(data.get("text/plain", data.get("text")))
        text = f"{text}\n[an image, left out here]".strip() if pictures else text
    text = _ANSI.sub("", text).strip("\n")
    found = shorten(text, OUTPUT_CHARS)
    counts.shortened += bool(found.note)
    return (
        "\n".join(["# Output:", *(f"#   {line}".rstrip() for line in found.text.splitlines())])
        if text
        else ""
    )


def _find_language(book: Mapping[str, Any]) -> str:
    metadata = book.get("metadata")
    for key in ("kernelspec", "language_info"):
        inner = metadata.get(key) if isinstance(metadata, dict) else None
        found = inner.get("language" if key == "kernelspec" else "name") if isinstance(inner, dict) else None
        if isinstance(found, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9+#-]{0,19}", found):
            return found.lower()
    return "python"


def _join(value: Any) -> str:
    return value if isinstance(value, str) else "".join(_lines(value))


def _lines(value: Any) -> Iterable[str]:
    return [line for line in value if isinstance(line, str)] if isinstance(value, list) else []


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
