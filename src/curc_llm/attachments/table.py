"""CSV and TSV: small ones as they are, large ones described, with their first and last rows."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from curc_llm.attachments.columns import describe_column, has_header
from curc_llm.attachments.encoding import decode, name_encoding
from curc_llm.attachments.excerpt import Excerpt, read_text
from curc_llm.attachments.kinds import refuse_unknown
from curc_llm.attachments.limits import MIB, AttachmentLimits
from curc_llm.attachments.sizes import render_size
from curc_llm.attachments.source import Source

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SNIFFED_LINES = 50
_TYPED_ROWS = 10_000
_MOST_COLUMNS = 100
_CELL_CHARS = 200
_END_BYTES = 64 * 1024


@dataclass(frozen=True)
class _Table:
    rows: list[list[str]]
    delimiter: str
    encoding: str
    note: str
    is_whole: bool
    num_chars: int
    num_bytes: int


def read_table(source: Source, limits: AttachmentLimits) -> Excerpt:
    """A table as a model is given it.

    Raises:
        AttachmentError: it is no text, or can't be read.
    """
    scanned_bytes = int(limits.max_table_scan_mib * MIB)
    data = source.read(scanned_bytes)
    decoded = decode(data)
    if decoded is None:
        raise refuse_unknown(source.name)
    is_whole = len(data) >= source.num_bytes
    text = decoded.text if is_whole else decoded.text[: decoded.text.rfind("\n") + 1]
    try:
        delimiter = find_delimiter(text)
        rows = list(_parse(text, delimiter))
    except csv.Error:  # one cell of 128 KiB: not a table as people mean it
        return read_text(source, limits.max_text_chars)
    table = _Table(rows, delimiter, decoded.encoding, decoded.note, is_whole, len(text), len(data))
    if is_whole and len(text) <= limits.max_table_chars:
        return Excerpt(text, " ".join(filter(None, (f"{_shape(table, source)}.", table.note))))
    return _describe(table, source, limits)


def find_delimiter(text: str) -> str:
    r"""What stands between the cells: what cuts most of the first lines into equally many, and many.

    Example:
        >>> find_delimiter("a;b\n1,5;2\n2,5;3\n")
        ';'
    """
    lines = text[: 64 * 1024].splitlines()[:_SNIFFED_LINES]

    def rate(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        width, num = widths.most_common(1)[0] if widths else (1, 0)
        return (num / len(lines), width) if width > 1 else (0.0, 1)

    return max(_DELIMITERS, key=rate)


def _parse(text: str, delimiter: str) -> Iterable[list[str]]:
    return (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row)


def _describe(table: _Table, source: Source, limits: AttachmentLimits) -> Excerpt:
    names, body = _split(table.rows)
    typed = body[:_TYPED_ROWS]
    lines = [f"Table: {_shape(table, source)}, separated by {_DELIMITERS[table.delimiter]}, "]
    lines[0] += f"{name_encoding(table.encoding)}, {render_size(source.num_bytes)}."
    of = f" (from the first {len(typed):,} rows)" if len(typed) < len(body) or not table.is_whole else ""
    lines += ["", f"Columns{of}:", *_list_columns(names, typed, limits.max_table_chars // 3)]
    first, last = _choose_rows(names, body, table, source, limits.max_table_chars - sum(map(len, lines)))
    gap = f"[... left out here: the rows between, {_left_out(table, source, len(first) + len(last))} ...]"
    lines += ["", f"First {len(first):,} rows:", _render(table, [*([names] if names else []), *first])]
    lines += [gap, "", f"Last {len(last):,} rows:", _render(table, last)]
    note = (
        f"{_shape(table, source)}; given are its columns with their types, the first {len(first):,} and the "
    )
    note += f"last {len(last):,} rows."
    return Excerpt("\n".join(lines), " ".join(filter(None, (note, table.note))))


def _split(rows: Sequence[list[str]]) -> tuple[list[str], Sequence[list[str]]]:
    """The columns' names, empty without a header, and the other rows."""
    return (rows[0], rows[1:]) if has_header(rows) else ([], rows)


def _shape(table: _Table, source: Source) -> str:
    body = _split(table.rows)[1]
    width = max(map(len, table.rows[:_TYPED_ROWS]), default=0)
    columns = f"{width:,} column{'' if width == 1 else 's'}"
    if table.is_whole:
        return f"{len(body):,} row{'' if len(body) == 1 else 's'} and {columns}"
    scanned = render_size(table.num_bytes)
    return f"about {_estimate_rows(table, source):,} rows (by the first {scanned}) and {columns}"


def _estimate_rows(table: _Table, source: Source) -> int:
    exact = len(table.rows) * source.num_bytes / max(1, table.num_bytes)
    step = 10 ** max(0, len(str(int(exact))) - 2)
    return int(round(exact / step) * step)


def _left_out(table: _Table, source: Source, num_given: int) -> str:
    if table.is_whole:
        return f"{len(_split(table.rows)[1]) - num_given:,} of them"
    return f"about {max(0, _estimate_rows(table, source) - num_given):,} of them"


def _list_columns(names: Sequence[str], rows: Sequence[Sequence[str]], most_chars: int) -> list[str]:
    width = max([len(names), *map(len, rows)])
    lines: list[str] = []
    for number in range(min(width, _MOST_COLUMNS)):
        name = names[number] if number < len(names) else f"column {number + 1}"
        cells = (row[number] for row in rows if number < len(row))
        lines.append(describe_column(" ".join(name.split())[:_CELL_CHARS], cells).text)
        if sum(map(len, lines)) > most_chars:
            break
    more = width - len(lines)
    return [*lines, f"- {more:,} more columns, left out here"] if more else lines


def _choose_rows(
    names: Sequence[str], body: Sequence[list[str]], table: _Table, source: Source, most_chars: int
) -> tuple[list[list[str]], list[list[str]]]:
    """The first and last rows that there is room for: two of three for the first."""
    room = max(0, most_chars - len(_render(table, [names])))
    last_rows = body if table.is_whole else _read_last(table, source)
    last = list(_take(table, reversed(last_rows), room // 3))[::-1]
    first = list(_take(table, body, room - room // 3))
    if table.is_whole:
        last = last[max(0, len(first) + len(last) - len(body)) :]
    return first, last


def _read_last(table: _Table, source: Source) -> list[list[str]]:
    """The rows at the file's end; what was cut, or isn't as wide as the others, is left out."""
    data = source.read_end(_END_BYTES + (source.num_bytes - _END_BYTES) % 4)
    found = decode(data, table.encoding)
    text = found.text.partition("\n")[2] if found else ""
    try:
        rows = list(_parse(text, table.delimiter))
    except csv.Error:
        return []
    widths = {len(row) for row in table.rows}
    return [row for row in rows if len(row) in widths]


def _take(table: _Table, rows: Iterable[list[str]], most_chars: int) -> Iterable[list[str]]:
    for row in rows:
        most_chars -= len(_render(table, [row])) + 1
        if most_chars < 0:
            return
        yield row


def _render(table: _Table, rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=table.delimiter, lineterminator="\n")
    for row in rows:
        cells = [cell if len(cell) <= _CELL_CHARS else f"{cell[:_CELL_CHARS]}[...]" for cell in row]
        cut = cells[:_MOST_COLUMNS]
        writer.writerow(cut + (["[...]"] if len(cells) > len(cut) else []))
    return out.getvalue().rstrip("\n")
