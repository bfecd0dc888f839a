from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest

from curc_llm.attachments.columns import describe_column
from curc_llm.attachments.table import find_delimiter


def make_rows(num: int, delimiter: str = ",") -> str:
    header = delimiter.join(("id", "name", "score", "day", "sex"))
    rows = (
        delimiter.join((str(i), f"name {i}", f"{i / 7:.3f}", f"2026-01-{i % 28 + 1:02}", "fm"[i % 2]))
        for i in range(num)
    )
    return "\n".join([header, *rows]) + "\n"


@pytest.fixture(autouse=True)
def usual_limit() -> Iterator[None]:
    """The csv module's own limit, which a batch in the same process raises."""
    before = csv.field_size_limit(128 * 1024)
    yield
    csv.field_size_limit(before)


def test_a_small_table_is_given_whole(read) -> None:
    found = read("a.csv", make_rows(10))
    assert found.text == make_rows(10)
    assert found.note == "10 rows and 5 columns."


def test_a_large_table_is_described_with_its_first_and_last_rows(read) -> None:
    found = read("a.csv", make_rows(5000, ";"), max_table_chars=3000)
    assert found.text.startswith("Table: 5,000 rows and 5 columns, separated by semicolons, UTF-8, ")
    assert (
        "- id: integer, 0 to 4999\n- name: text\n- score: number, 0.000 to 714.143\n- day: date\n"
        in found.text
    )
    assert "- sex: text, one of 'f', 'm'\n" in found.text
    assert "rows:\nid;name;score;day;sex\n0;name 0;0.000;2026-01-01;f\n1;" in found.text
    assert found.text.endswith("\n4999;name 4999;714.143;2026-01-16;m")
    assert len(found.text) < 3200
    assert found.note.startswith(
        "5,000 rows and 5 columns; given are its columns with their types, the first "
    )
    first, last = (int(w) for w in found.note.replace(".", "").split() if w.isdigit() and w != "5")
    assert f"left out here: the rows between, {5000 - first - last:,} of them ...]" in found.text


def test_of_a_huge_table_the_rows_are_estimated_and_the_last_are_real(read) -> None:
    found = read("a.csv", make_rows(20_000), max_table_chars=3000, max_table_scan_mib=0.1)
    assert found.text.startswith("Table: about 2")
    assert "rows (by the first 102 KiB) and 5 columns" in found.note
    assert "Columns (from the first " in found.text
    assert found.text.endswith("\n19999,name 19999,2857.000,2026-01-08,m")


def test_cells_with_line_ends_and_quotes_stay_cells(read) -> None:
    text = "a,b\n" + '"x\ny","say ""hi"""\n' * 1000
    found = read("a.csv", text, max_table_chars=1000)
    assert "1,000 rows and 2 columns" in found.note
    assert '"x\ny","say ""hi"""' in found.text


def test_a_table_without_header_has_numbered_columns(read) -> None:
    found = read("a.csv", "1,2\n" * 1000, max_table_chars=500)
    assert "- column 1: integer, 1 to 1\n- column 2: integer, 2 to 2" in found.text
    assert "1,000 rows" in found.note


def test_a_table_of_very_many_columns_is_bounded(read) -> None:
    header = ",".join(f"column{i}" for i in range(5000))
    found = read("a.csv", header + "\n" + (",".join(["7"] * 5000) + "\n") * 20, max_table_chars=5000)
    assert "more columns, left out here" in found.text
    assert "[...]" in found.text
    assert len(found.text) < 7000


def test_a_long_cell_is_cut(read) -> None:
    found = read("a.csv", "a,b\n" + ("x" * 5000 + ",1\n") * 30, max_table_chars=2000)
    assert "x[...],1" in found.text


def test_one_endless_cell_is_read_as_text(read) -> None:
    found = read("a.csv", 'a,b\n"' + "x" * 200_000, max_text_chars=1000)
    assert "left out here: the middle" in found.text
    assert found.kind == "table"


def test_an_endless_last_cell_is_left_out(read, monkeypatch: pytest.MonkeyPatch) -> None:
    old = csv.field_size_limit(2000)
    try:
        found = read(
            "a.csv", make_rows(5000) + '1,"' + "x" * 50_000, max_table_chars=3000, max_table_scan_mib=0.1
        )
    finally:
        csv.field_size_limit(old)
    assert "Last 0 rows" in found.text


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2", ","),
        ("a;b\n1,5;2,5\n1,5;2,5", ";"),
        ("a\tb\n1\t2", "\t"),
        ("a|b\n1|2", "|"),
        ("alone\n1", ","),
        ("", ","),
    ],
)
def test_delimiters_are_found(text: str, delimiter: str) -> None:
    assert find_delimiter(text) == delimiter


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["", "NA"], "- x: empty"),
        (["yes", "No"], "- x: true/false"),
        (["1e5", "-2.5"], "- x: number, -2.5 to 1e5"),
        (["2026-01-02T03:04:05", "1/2/2026"], "- x: date"),
        (["a", "b"], "- x: text"),
    ],
)
def test_columns_are_described(values: list[str], text: str) -> None:
    assert describe_column("x", values).text == text
