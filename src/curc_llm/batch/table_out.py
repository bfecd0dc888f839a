"""Files of the rows with their answers: CSV, TSV or Parquet, made from the file of the results."""

from __future__ import annotations

import csv
import importlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from curc_llm.batch.fields import EMBEDDING, Columns, Field
from curc_llm.batch.results import Outcome
from curc_llm.batch.table_in import DELIMITERS, ROWS_AT_ONCE, import_parquet
from curc_llm.batch.trouble import BatchFileError, describe_unwritable

Pair = tuple[dict[str, Any], Outcome]


@dataclass(frozen=True)
class TableOut:
    """What is written.

    Args:
        path: the file; its ending says how.
        columns: what answers become.
        hints: the rows' own types (a pyarrow schema), for Parquet from Parquet; None without any.
    """

    path: Path
    columns: Columns
    hints: Any = None

    def write(self, rows: Iterable[dict[str, Any]], outcomes: Iterable[Outcome]) -> None:
        """Writes all rows with their answers; the file appears when it is whole.

        Args:
            rows: the input's.
            outcomes: in the same order.

        Raises:
            BatchFileError: it can't be written.
        """
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        pairs = zip(rows, outcomes, strict=True)
        try:
            if self.path.suffix.lower() == ".parquet":
                self._write_parquet(beside, pairs)
            else:
                self._write_csv(beside, pairs)
            beside.replace(self.path)
        except OSError as error:
            raise BatchFileError(
                describe_unwritable(self.path, error), "Make room and run the same again."
            ) from None
        finally:
            beside.unlink(missing_ok=True)

    def _write_csv(self, beside: Path, pairs: Iterator[Pair]) -> None:
        with beside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=DELIMITERS[self.path.suffix.lower()])
            names: list[str] | None = None
            for row, outcome in pairs:
                if names is None:
                    names = list(row)
                    writer.writerow([*names, *self.columns.names])
                cells = [row.get(name) for name in names] + self._cells(outcome)
                writer.writerow([_make_cell(cell) for cell in cells])

    def _cells(self, outcome: Outcome) -> list[Any]:
        message = None if outcome.error is None else outcome.error.message
        return [*self.columns.split(outcome.json_value), message, outcome.finish_reason]

    def _write_parquet(self, beside: Path, pairs: Iterator[Pair]) -> None:
        parquet = import_parquet()
        writer: Any = None
        names: list[str] = []
        try:
            while portion := list(islice(pairs, ROWS_AT_ONCE)):
                names = names or list(portion[0][0])
                table = self._make_table(names, portion, None if writer is None else writer.schema)
                writer = writer or parquet.ParquetWriter(beside, table.schema)
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()

    def _make_table(self, names: list[str], portion: Sequence[Pair], schema: Any) -> Any:
        pa = importlib.import_module("pyarrow")
        values: dict[str, Any] = {}
        for name in names:
            known = schema if schema is not None else self.hints
            kind = None if known is None else known.field(name).type
            column = pa.array([row.get(name) for row, _ in portion], type=kind)
            # A column without any value yet is taken as text; later rows may have some.
            values[name] = column.cast(pa.string()) if pa.types.is_null(column.type) else column
        cells = [self._cells(outcome) for _, outcome in portion]
        kinds = [_arrow_type(pa, field) for field in self.columns.fields] + [pa.string()] * 2
        for place, (name, kind) in enumerate(zip(self.columns.names, kinds, strict=True)):
            column = [_make_cell(row[place]) if kind == pa.string() else row[place] for row in cells]
            values[name] = pa.array(column, type=kind)
        return pa.table(values, schema=schema)


def _arrow_type(pa: Any, field: Field) -> Any:
    if field.name == EMBEDDING and not field.json_type:
        return pa.list_(pa.float32())
    kinds = {"integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
    return kinds.get(field.json_type, pa.string())


def _make_cell(value: Any) -> Any:
    """A value as a cell of text takes it: lists and objects as JSON."""
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    if type(value).__name__ == "array":
        return json.dumps([round(number, 8) for number in value])
    return value


def is_table(path: Path) -> bool:
    """Whether results are to be written as a table; else they are JSONL.

    Raises:
        BatchFileError: the ending says neither.
    """
    kind = path.suffix.lower()
    if kind in {*DELIMITERS, ".parquet"}:
        return True
    if kind in {".jsonl", ".ndjson"}:
        return False
    raise BatchFileError(
        f"The results can't be written as {path.name!r}.", "Its ending is .jsonl, .csv, .tsv or .parquet."
    )


def rows_path(path: Path) -> Path:
    """The file of the results that a table is made of.

    Example:
        >>> rows_path(Path("out.csv"))
        PosixPath('out.csv.rows.jsonl')
    """
    return path.with_name(f"{path.name}.rows.jsonl")
