"""`curc-llm batch`: a file of rows in, a file of results out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curc_llm.batch.asked import Wish, make_file_prompts, make_form
from curc_llm.batch.fields import check_names, make_columns
from curc_llm.batch.openai_lines import OpenAiLines, is_openai_file
from curc_llm.batch.recipe import PromptRows, check_params
from curc_llm.batch.results import read_outcomes
from curc_llm.batch.row import CHAT, Request
from curc_llm.batch.run import Run, RunOptions
from curc_llm.batch.shape import Shape
from curc_llm.batch.survey import Survey, make_survey
from curc_llm.batch.table_in import DELIMITERS, TableFile
from curc_llm.batch.table_out import TableOut, is_table, rows_path
from curc_llm.batch.trouble import BatchFileError, BatchInputError

if TYPE_CHECKING:
    from curc_llm.client.session import Session

KINDS = {*DELIMITERS, ".parquet", ".jsonl", ".ndjson"}


@dataclass(frozen=True)
class FileJob:
    """What is to be done.

    Args:
        source: the file of rows.
        target: the file of results.
        wish: what is asked of each row; for OpenAI's batch format model and params alone.
    """

    source: Path
    target: Path
    wish: Wish = field(default_factory=Wish)


def make_file_run(session: Session, job: FileJob, options: RunOptions) -> Run:
    """Checks rows and files, and makes the run; its result is the path of the results.

    Raises:
        BatchInputError: something is wrong with the rows, or with what is to be made of them.
        BatchFileError: the file of the results can't be used.
    """
    if job.source.suffix.lower() not in KINDS:
        raise BatchInputError(
            f"{job.source} can't be read as rows.", f"Its ending is one of {', '.join(sorted(KINDS))}."
        )
    if job.source.resolve() == job.target.resolve():
        raise BatchFileError("Rows and results are the same file.", "Name another one for the results.")
    makes_table = is_table(job.target)
    parts = _read_openai(session, job) if is_openai_file(job.source) else _read_table(session, job)
    survey = make_survey(parts.requests)
    _check_models(session, survey)

    def make_result(run: Run) -> Path:
        if parts.table is not None:
            outcomes = read_outcomes(run.journal, parts.shape, run.survey.total)
            parts.table.write(parts.rows(), outcomes)
        return job.target

    path = rows_path(job.target) if makes_table else job.target
    source = session._source  # noqa: SLF001 - a batch is the session's own upper half
    return Run(
        source, parts.requests, path, options, check=parts.shape.check, survey=survey, make_result=make_result
    )


@dataclass(frozen=True)
class _Parts:
    requests: Iterable[Request]
    shape: Shape
    table: TableOut | None
    rows: Callable[[], Iterable[dict[str, Any]]]


def _read_openai(session: Session, job: FileJob) -> _Parts:
    wish = job.wish
    for name in ("template", "prompt_column", "schema", "system"):
        if getattr(wish, name) is not None:
            raise BatchInputError(
                f"{job.source} holds whole requests (OpenAI's batch format), which take no {name}.",
                "Leave it out, or give rows with columns.",
            )
    default = wish.model or _first_model(session)
    lines = OpenAiLines(job.source, default, wish.model, check_params(wish.params))
    first = next(iter(lines), None)
    shape = Shape(first.url if first is not None else CHAT)
    table = None
    if is_table(job.target):
        table = TableOut(job.target, make_columns(None, is_vector=shape.is_vector))
    return _Parts(lines, shape, table, lambda: ({"custom_id": request.custom_id} for request in lines))


def _read_table(session: Session, job: FileJob) -> _Parts:
    form, file = make_form(session, job.wish), TableFile(job.source)
    prompts = make_file_prompts(file, job.wish.prompt_column, job.wish.read_template)
    table = None
    if is_table(job.target):
        check_names(form.columns, file.columns())
        hints = file.types() if job.target.suffix.lower() == ".parquet" else None
        table = TableOut(job.target, form.columns, hints)
    return _Parts(PromptRows(form.recipe, prompts), form.shape, table, file.rows)


def _first_model(session: Session) -> str:
    engines = session.status().engines
    return engines[0].served_model_name if engines else session.default_model


def _check_models(session: Session, survey: Survey) -> None:
    """Makes sure that the session serves all models that rows name."""
    served = [engine.served_model_name for engine in session.status().models]
    for model, index in survey.models.items():
        if served and model not in served:
            raise BatchInputError(
                f"Row {index} (counted from 0) asks for the model {model!r}, and the session has none.",
                f"It serves {', '.join(map(repr, served))}; --model NAME asks that one for all rows.",
            )
