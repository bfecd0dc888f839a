"""`session.map` and `session.embed_map`: rows from Python in, answers in the same order out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curc_llm.batch.asked import Form, Wish, find_prompts, make_form
from curc_llm.batch.frame_out import make_frame
from curc_llm.batch.recipe import PromptRows
from curc_llm.batch.results import collect, read_outcomes
from curc_llm.batch.run import Run, RunOptions
from curc_llm.batch.shelf import make_default_path
from curc_llm.batch.survey import make_survey
from curc_llm.batch.table_out import TableOut, is_table, rows_path
from curc_llm.batch.trouble import BatchInputError
from curc_llm.batch.watching import describe_end, is_in_notebook, watch

if TYPE_CHECKING:
    from curc_llm.client.session import Session


def map_rows(  # noqa: D417 - said once, where people look: Session.map
    session: Session,
    rows: Any,
    *,
    template: str | None = None,
    prompt_column: str | None = None,
    schema: Any = None,
    model: str | None = None,
    system: str | None = None,
    endpoint: str = "chat",
    concurrency: int | None = None,
    output: str | os.PathLike[str] | None = None,
    progress: bool = True,
    wait: bool = True,
    resume: bool = True,
    retry_failed: bool = False,
    timeout_s: float = 3600.0,
    **params: Any,
) -> Any:
    """Asks the model once for each row: what `Session.map` does, which says what each argument is.

    Args:
        session: whom to ask. All others: as for `Session.map`.

    Raises:
        BatchInputError: something is wrong with rows, template, schema or parameters. Nothing was sent.
        BatchFileError: the file of the results can't be used.
        BatchStoppedError: it stopped before its end; what was done is kept.

    Example:
        >>> map_rows(session, ["What is a node?", "What is a core?"], max_tokens=50)    # doctest: +SKIP
    """
    wish = Wish(template, prompt_column, schema, model, system, endpoint, params)
    options = RunOptions(
        concurrency=_check_concurrency(concurrency),
        timeout_s=timeout_s,
        restart=not resume,
        retry_failed=retry_failed,
        private=output is None,
    )
    run = _make_run(session, rows, wish, None if output is None else Path(output).expanduser(), options)
    if not wait:
        return run.start()
    try:
        watch(run, show=progress)
        result = run.result()
        for said in describe_end(run.progress, run.path) if progress else []:
            print(said, file=sys.stdout if is_in_notebook() else sys.stderr)  # notebooks show errors in red
        return result
    finally:
        run.close()


def _make_run(session: Session, rows: Any, wish: Wish, output: Path | None, options: RunOptions) -> Run:
    """Looks at all rows, and finds the file of the results."""
    form = make_form(session, wish)
    frame, prompts = find_prompts(rows, wish.prompt_column, wish.read_template, form.columns)
    requests = PromptRows(form.recipe, prompts)
    survey = make_survey(requests)
    source = session._source  # noqa: SLF001 - a batch is the session's own upper half
    table = None if output is None or not is_table(output) else TableOut(output, form.columns)
    path = output or make_default_path(source, survey.fingerprint)

    def make_result(run: Run) -> Any:
        return _make_result(run, form, frame, prompts, table)

    path = path if table is None else rows_path(path)
    return Run(
        source, requests, path, options, check=form.shape.check, survey=survey, make_result=make_result
    )


def embed_rows(session: Session, rows: Any, *, as_array: bool = False, **options: Any) -> Any:
    """Embeds each row; takes what `map_rows` takes, but no schema.

    Args:
        session: whom to ask.
        rows: texts, or a DataFrame or Series.
        as_array: return a numpy array of float32 with a row for each text; NaN for rows that failed.
        options: see `map_rows`.

    Returns:
        For a DataFrame its copy with the columns `embedding` and `error`; else a list of vectors.

    Example:
        >>> vectors = session.embed_map(texts, as_array=True)                     # doctest: +SKIP
    """
    result = map_rows(session, rows, endpoint="embeddings", **options)
    return make_matrix(result) if as_array and isinstance(result, list) else result


def make_matrix(vectors: list[Any]) -> Any:
    """Vectors as the rows of a numpy array; NaN where there is none."""
    import numpy as np

    width = next((len(vector) for vector in vectors if vector is not None), 0)
    matrix = np.full((len(vectors), width), np.nan, dtype=np.float32)
    for place, vector in enumerate(vectors):
        if vector is not None:
            matrix[place] = vector
    return matrix


def _check_concurrency(given: int | None) -> int | None:
    if given is not None and (not isinstance(given, int) or given < 1):
        raise BatchInputError(f"concurrency is {given!r}.", "It is a number from 1, or None.")
    return given


def _make_result(
    run: Run, form: Form, frame: Any, prompts: Callable[[], Iterable[Any]], table: TableOut | None
) -> Any:
    total = run.survey.total
    if table is not None:
        table.write(_rows_of(frame, prompts), read_outcomes(run.journal, form.shape, total))
    if frame is None:
        return collect(run.journal, form.shape, total)
    facts = {"path": str(run.path), "model": form.recipe.model, "failed": run.progress.failed}
    outcomes = list(read_outcomes(run.journal, form.shape, total))
    return make_frame(frame, form.columns, outcomes, facts)


def _rows_of(frame: Any, prompts: Callable[[], Iterable[Any]]) -> Iterable[dict[str, Any]]:
    if frame is not None:
        names = [str(name) for name in frame.columns]
        return (dict(zip(names, row, strict=True)) for row in frame.itertuples(index=False, name=None))
    return ({"prompt": prompt} for prompt in prompts())
