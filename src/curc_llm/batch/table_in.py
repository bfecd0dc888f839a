"""Files of rows with columns: CSV, TSV, Parquet, JSONL. Read row by row, as often as one likes."""

from __future__ import annotations

import csv
import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from curc_llm.batch.trouble import BatchInputError
from curc_llm.errors import MissingPackageError

ROWS_AT_ONCE = 1000
DELIMITERS = {".csv": ",", ".tsv": "\t"}
KINDS = ".jsonl, .csv, .tsv or .parquet"


@dataclass(frozen=True)
class TableFile:
    """A file of rows.

    Args:
        path: the file; its ending says what it is.
    """

    path: Path

    @property
    def kind(self) -> str:
        """The ending, in lower case."""
        return self.path.suffix.lower()

    def columns(self) -> list[str]:
        """The names of its columns; of a JSONL file those of its first row.

        Raises:
            BatchInputError: it can't be read.
        """
        if self.kind == ".parquet":
            return list(self.types().names)
        first = next(self.rows(), None)
        if first is None:
            raise BatchInputError(f"There are no rows in {self.path}.", "Give at least one prompt.")
        return list(first)

    def types(self) -> Any:
        """The columns' types as a pyarrow schema; None for files that have none."""
        if self.kind != ".parquet":
            return None
        parquet = import_parquet()
        try:
            return parquet.read_schema(self.path)
        except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
            raise explain_unreadable(self.path, error) from None

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows; an empty cell of a CSV file has no value.

        Raises:
            BatchInputError: it can't be read; the text says which line is at fault.
        """
        try:
            if self.kind in DELIMITERS:
                yield from self._read_csv(DELIMITERS[self.kind])
            elif self.kind == ".parquet":
                yield from self._read_parquet()
            else:
                yield from read_objects(self.path)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise explain_unreadable(self.path, error) from None

    def place(self, index: int) -> str:
        """Where a row is, in words."""
        if self.kind == ".parquet":
            return f"row {index} of {self.path.name}"
        return f"line {next(islice(self._line_numbers(), index, None), 0)} of {self.path.name}"

    def _line_numbers(self) -> Iterator[int]:
        """On which line each row ends: empty lines count, and a cell of a CSV file may hold several."""
        if self.kind in DELIMITERS:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file, delimiter=DELIMITERS[self.kind])
                for _ in reader:
                    yield reader.line_num
        else:
            with self.path.open("rb") as file:
                yield from (number for number, line in enumerate(file, start=1) if line.strip())

    def _read_csv(self, delimiter: str) -> Iterator[dict[str, Any]]:
        csv.field_size_limit(sys.maxsize)  # a cell may hold a whole document
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            names = list(reader.fieldnames or ())
            if len(set(names)) < len(names):
                raise BatchInputError(f"{self.path} has two columns of the same name.", "Rename one of them.")
            for row in reader:
                if None in row:
                    raise BatchInputError(
                        f"Line {reader.line_num} of {self.path} has more cells than the header has names.",
                        "Cells with commas need quotes around them.",
                    )
                yield {name: value or None for name, value in row.items()}

    def _read_parquet(self) -> Iterator[dict[str, Any]]:
        with import_parquet().ParquetFile(self.path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE):
                yield from batch.to_pylist()


def read_objects(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, one on each line; empty lines are left out.

    Raises:
        BatchInputError: a line isn't one.
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BatchInputError(
                    f"Line {number} of {path} isn't JSON: {error}.", "Mend that line."
                ) from None
            if not isinstance(value, dict):
                raise BatchInputError(
                    f"Line {number} of {path} is no JSON object.", 'Each line looks like {"prompt": "..."}.'
                )
            yield value


def explain_unreadable(path: Path, error: Exception) -> BatchInputError:
    """Why a file of rows can't be read."""
    if isinstance(error, FileNotFoundError):
        return BatchInputError(f"There is no file {path}.", "Check its name.")
    if isinstance(error, OSError):
        return BatchInputError(f"{path} can't be read: {str(error.strerror or error).rstrip('.')}.", "")
    if isinstance(error, UnicodeDecodeError):
        return BatchInputError(f"{path} isn't UTF-8 text (byte {error.start}).", "Save it as UTF-8.")
    return BatchInputError(f"{path} can't be read: {str(error).rstrip('.')}.", "")


def import_parquet() -> Any:
    """What reads and writes Parquet files.

    Raises:
        MissingPackageError: it isn't installed.
    """
    try:
        return importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise MissingPackageError(
            "Parquet files need the package pyarrow, which isn't installed.",
            "Install it with: pip install 'curc-llm[jupyter]'; or use CSV or JSONL.",
        ) from None
