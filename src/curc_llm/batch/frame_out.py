"""The frame of a batch with the answers beside its rows, each column with its type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curc_llm.batch.fields import EMBEDDING, ERROR, FINISH_REASON, Columns, Field
from curc_llm.batch.results import Outcome
from curc_llm.client.pandas_package import import_pandas


def make_frame(frame: Any, columns: Columns, outcomes: Sequence[Outcome], facts: dict[str, Any]) -> Any:
    """A copy of the frame with the answers' columns, in its order and with its index.

    Args:
        frame: the rows that were asked; None for none.
        columns: what answers become.
        outcomes: of all rows.
        facts: kept in the frame's `attrs`, such as where the whole responses are.

    Raises:
        MissingPackageError: pandas isn't installed.
    """
    pandas = import_pandas("A DataFrame")
    index = None if frame is None else frame.index
    result = pandas.DataFrame(index=range(len(outcomes))) if frame is None else frame.copy()
    split = [columns.split(outcome.json_value) for outcome in outcomes]
    for place, field in enumerate(columns.fields):
        values = _make_array(pandas, [row[place] for row in split], field)
        result[field.name] = pandas.Series(values, index=result.index if index is None else index)
    texts = [None if o.error is None else o.error.message for o in outcomes]
    result[ERROR] = pandas.Series(pandas.array(texts, dtype="string"), index=result.index)
    if not _is_vector(columns):
        reasons = [o.finish_reason for o in outcomes]
        result[FINISH_REASON] = pandas.Series(pandas.array(reasons, dtype="string"), index=result.index)
    result.attrs = {**result.attrs, "curc_llm": facts}
    return result


def _is_vector(columns: Columns) -> bool:
    return [f.name for f in columns.fields] == [EMBEDDING] and not columns.is_object


def _make_array(pandas: Any, values: list[Any], field: Field) -> Any:
    if field.choices:
        return pandas.Categorical(values, categories=list(field.choices))
    if field.dtype == "object":
        return _make_objects(values)
    return pandas.array(values, dtype=field.dtype)


def _make_objects(values: list[Any]) -> Any:
    """An array of objects, one for each row; numpy would make a table of lists of equal length."""
    import numpy as np

    made = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        made[place] = np.asarray(value, dtype=np.float32) if type(value).__name__ == "array" else value
    return made
