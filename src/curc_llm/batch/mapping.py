"""`session.map` and `session.embed_map`: rows from Python in, answers in the same order out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curc_llm.batch.cells import CellPrompts, choose_column
from curc_llm.batch.fields import Columns, check_names, make_columns
from curc_llm.batch.frame import is_frame, is_series, make_frame_prompts
from curc_llm.batch.frame_out import make_frame
from curc_llm.batch.recipe import PromptRows, Recipe, check_params
from curc_llm.batch.results import collect, read_outcomes
from curc_llm.batch.row import CHAT, COMPLETIONS, EMBEDDINGS, Request
from curc_llm.batch.run import Run, RunOptions
from curc_llm.batch.shape import Shape
from curc_llm.batch.shelf import make_default_path
from curc_llm.batch.survey import make_survey
from curc_llm.batch.table_in import TableFile
from curc_llm.batch.table_out import TableOut, is_table, rows_path
from curc_llm.batch.template import Template, parse_template
from curc_llm.batch.trouble import BatchInputError
from curc_llm.batch.watching import describe_end, watch
from curc_llm.client.schema import make_schema

if TYPE_CHECKING:
    from curc_llm.client.session import Session

ENDPOINTS = {"chat": CHAT, "completions": COMPLETIONS, "embeddings": EMBEDDINGS}


@dataclass(frozen=True)
class Asked:
    """What `map_rows` was given, checked.

    Args:
        frame: the rows as a frame; None for a list.
        prompts: begins with the prompts anew.
        recipe: how a prompt becomes a request.
        shape: what is made of answers.
        columns: what answers become in a frame or table.
    """

    frame: Any
    prompts: Callable[[], Iterable[Any]]
    recipe: Recipe
    shape: Shape
    columns: Columns

    @property
    def requests(self) -> Iterable[Request]:
        """The requests; can be gone through as often as one likes."""
        return PromptRows(self.recipe, self.prompts)


def map_rows(
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
    """Asks the model once for each row and returns the answers in the rows' order.

    Whatever stops it (the kernel, the session, the node), the same call goes on where it stopped: what was
    answered is in a file, and no row is asked twice. A row that fails doesn't stop the others.

    Args:
        session: whom to ask.
        rows: prompts (texts or conversations), or a DataFrame or Series, or a file (.jsonl, .csv, .parquet).
        template: makes a prompt of each row's columns: "Summarise: {text}".
        prompt_column: the column that holds the prompts, where there is no template.
        schema: what shape answers must have: a JSON schema, a pydantic model, or a Python type. The fields
            of an object become typed columns of a DataFrame.
        model: served model name; the session's first when not given.
        system: instructions for the model.
        endpoint: `chat`, `completions` or `embeddings`.
        concurrency: rows under way at once; not given: as many as keep the engine full.
        output: the file for the results (.jsonl: OpenAI's batch format; .csv, .tsv, .parquet: a table);
            not given: one in your state folder, which a later call with the same rows finds.
        progress: show how it is getting on.
        wait: False to return the `Run` at once instead of the answers.
        resume: False to forget earlier results and ask all rows anew.
        retry_failed: ask rows again that failed in an earlier run.
        timeout_s: seconds until a row's answer must be whole.
        params: OpenAI's parameters (`temperature`, `max_tokens` …) and vLLM's (`top_k` …).

    Returns:
        For a DataFrame its copy with the columns `answer` (or the schema's fields), `error` and
        `finish_reason`; else a list of answers, None for rows that failed, with their reasons in `.errors`.

    Raises:
        BatchInputError: something is wrong with rows, template, schema or parameters. Nothing was sent.
        BatchFileError: the file of the results can't be used.
        BatchStoppedError: it stopped before its end; what was done is kept.

    Example:
        >>> session.map(["What is a node?", "What is a core?"], max_tokens=50)    # doctest: +SKIP
        >>> frame = session.map(frame, template="Is this about heat? {text}", schema=bool)  # doctest: +SKIP
    """
    url = find_endpoint(endpoint)
    asked = _check(session, rows, url, model, template, prompt_column, schema, system, params)
    requests = asked.requests
    survey = make_survey(requests)
    path, table = _find_output(session, output, survey.fingerprint, asked)
    options = RunOptions(
        concurrency=_check_concurrency(concurrency),
        timeout_s=timeout_s,
        restart=not resume,
        retry_failed=retry_failed,
        private=output is None,
    )

    def make_result(run: Run) -> Any:
        return _make_result(run, asked, table)

    source = session._source  # noqa: SLF001 - a batch is the session's own upper half
    run = Run(
        source, requests, path, options, check=asked.shape.check, survey=survey, make_result=make_result
    )
    if not wait:
        return run.start()
    try:
        watch(run, show=progress)
        result = run.result()
        if progress and (said := describe_end(run.progress, run.path)):
            print(said, file=sys.stderr)
        return result
    finally:
        run.close()


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


def find_endpoint(endpoint: str) -> str:
    """The route of an endpoint that was named as people do.

    Raises:
        BatchInputError: there is none of that name.
    """
    if endpoint not in ENDPOINTS:
        raise BatchInputError(f"There is no endpoint {endpoint!r}.", f"Known are {', '.join(ENDPOINTS)}.")
    return ENDPOINTS[endpoint]


def _check_concurrency(given: int | None) -> int | None:
    if given is not None and (not isinstance(given, int) or given < 1):
        raise BatchInputError(f"concurrency is {given!r}.", "It is a number from 1, or None.")
    return given


def _check(
    session: Session,
    rows: Any,
    url: str,
    model: str | None,
    template: str | None,
    prompt_column: str | None,
    schema: Any,
    system: str | None,
    params: Mapping[str, Any],
) -> Asked:
    read_template = None if template is None else parse_template(template)
    fields = check_params(params)
    parsed = None if schema is None else make_schema(schema)
    if parsed is not None and url != CHAT:
        raise BatchInputError("A schema is for chats.", 'Leave out schema=, or use endpoint="chat".')
    if parsed is not None:
        fields["response_format"] = parsed.response_format
    if url == EMBEDDINGS:
        fields["encoding_format"] = "base64"  # a quarter of what numbers take, and exact
    columns = make_columns(parsed.definition if parsed else None, is_vector=url == EMBEDDINGS)
    frame, prompts = find_prompts(rows, prompt_column, read_template, columns)
    model = model or (session.default_embedder if url == EMBEDDINGS else session.default_model)
    shape = Shape(url, parsed.parse if parsed else None)
    return Asked(frame, prompts, Recipe(url, model, system if url == CHAT else None, fields), shape, columns)


def find_prompts(
    rows: Any, column: str | None, template: Template | None, columns: Columns
) -> tuple[Any, Callable[[], Iterable[Any]]]:
    """The frame that answers go beside (None for lists), and what begins with the prompts anew."""
    if is_series(rows) and template is None:
        rows = rows.to_frame(rows.name if rows.name is not None else "prompt")
    if is_frame(rows):
        check_names(columns, [str(name) for name in rows.columns])
        return rows, make_frame_prompts(rows, column, template)
    if isinstance(rows, os.PathLike):
        file = TableFile(Path(rows))
        return None, make_file_prompts(file, column, template)
    if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Iterable):
        raise BatchInputError(
            f"The rows are {type(rows).__name__}, not a list of prompts or a DataFrame.",
            'One question alone is session.chat("...").',
        )
    kept = list(rows)
    if template is None:
        return None, lambda: kept
    return None, _make_dict_prompts(kept, template)


def make_file_prompts(file: TableFile, column: str | None, template: Template | None) -> CellPrompts:
    """The prompts of a file's rows."""
    chosen = choose_column(file.columns(), column, template)
    remedy = "Fill it, or leave such rows out of the file."
    return CellPrompts(file.rows, chosen, template, file.place, remedy)


def _make_dict_prompts(rows: list[Any], template: Template) -> CellPrompts:
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise BatchInputError(
                f"Row {index} (counted from 0) is {type(row).__name__}, and a template needs named columns.",
                "Give a DataFrame or a list of dicts, or leave the template out.",
            )
        template.check_columns([str(name) for name in row])
    return CellPrompts(lambda: rows, None, template, lambda i: f"row {i}", "Leave such rows out.")


def _find_output(
    session: Session, output: str | os.PathLike[str] | None, fingerprint: str, asked: Asked
) -> tuple[Path, TableOut | None]:
    """The file of the results, and the table that is made of it at the end."""
    if output is None:
        return make_default_path(session._source, fingerprint), None  # noqa: SLF001
    path = Path(output).expanduser()
    return (rows_path(path), TableOut(path, asked.columns)) if is_table(path) else (path, None)


def _make_result(run: Run, asked: Asked, table: TableOut | None) -> Any:
    total = run.survey.total
    if table is not None:
        table.write(_rows_of(asked), read_outcomes(run.journal, asked.shape, total))
    if asked.frame is None:
        return collect(run.journal, asked.shape, total)
    facts = {"path": str(run.path), "model": asked.recipe.model, "failed": run.progress.failed}
    outcomes = list(read_outcomes(run.journal, asked.shape, total))
    return make_frame(asked.frame, asked.columns, outcomes, facts)


def _rows_of(asked: Asked) -> Iterable[dict[str, Any]]:
    if asked.frame is not None:
        names = [str(name) for name in asked.frame.columns]
        return (dict(zip(names, row, strict=True)) for row in asked.frame.itertuples(index=False, name=None))
    return ({"prompt": prompt} for prompt in asked.prompts())
