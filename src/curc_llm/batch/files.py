"""`curc-llm batch`: a file of rows in, a file of results out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curc_llm.batch.fields import check_names, make_columns
from curc_llm.batch.mapping import ENDPOINTS, find_endpoint, make_file_prompts
from curc_llm.batch.openai_lines import OpenAiLines, is_openai_file
from curc_llm.batch.recipe import PromptRows, Recipe, check_params
from curc_llm.batch.results import read_outcomes
from curc_llm.batch.row import CHAT, EMBEDDINGS, Request
from curc_llm.batch.run import Run, RunOptions
from curc_llm.batch.shape import Shape
from curc_llm.batch.survey import Survey, make_survey
from curc_llm.batch.table_in import DELIMITERS, TableFile
from curc_llm.batch.table_out import TableOut, is_table, rows_path
from curc_llm.batch.template import parse_template
from curc_llm.batch.trouble import BatchFileError, BatchInputError
from curc_llm.client.schema import Schema, make_schema

if TYPE_CHECKING:
    from curc_llm.client.session import Session

KINDS = {*DELIMITERS, ".parquet", ".jsonl", ".ndjson"}


@dataclass(frozen=True)
class FileJob:
    """What is to be done.

    Args:
        source: the file of rows.
        target: the file of results.
        template, prompt_column: how a row becomes a prompt; not for OpenAI's batch format.
        schema: what shape answers must have.
        model: asked by all rows; None: what a row names, else the session's first.
        system: instructions for the model.
        endpoint: of `mapping.ENDPOINTS`; not for OpenAI's batch format.
        params: fields of requests.
    """

    source: Path
    target: Path
    template: str | None = None
    prompt_column: str | None = None
    schema: Any = None
    model: str | None = None
    system: str | None = None
    endpoint: str = "chat"
    params: Mapping[str, Any] = field(default_factory=dict)


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
    rows: Any


def _read_openai(session: Session, job: FileJob) -> _Parts:
    for name in ("template", "prompt_column", "schema", "system"):
        if getattr(job, name) is not None:
            raise BatchInputError(
                f"{job.source} holds whole requests (OpenAI's batch format), which take no {name}.",
                "Leave it out, or give rows with columns.",
            )
    default = job.model or _first_model(session)
    lines = OpenAiLines(job.source, default, job.model, check_params(job.params))
    url = next(iter(lines)).url if job.source.stat().st_size else CHAT
    shape = Shape(url)
    table = None
    if is_table(job.target):
        table = TableOut(job.target, make_columns(None, is_vector=shape.is_vector))
    return _Parts(lines, shape, table, lambda: ({"custom_id": request.custom_id} for request in lines))


def _read_table(session: Session, job: FileJob) -> _Parts:
    url = find_endpoint(job.endpoint)
    schema = _read_schema(job, url)
    columns = make_columns(schema.definition if schema else None, is_vector=url == EMBEDDINGS)
    file = TableFile(job.source)
    template = None if job.template is None else parse_template(job.template)
    prompts = make_file_prompts(file, job.prompt_column, template)
    fields = check_params(job.params)
    if schema is not None:
        fields["response_format"] = schema.response_format
    model = job.model or (session.default_embedder if url == EMBEDDINGS else session.default_model)
    recipe = Recipe(url, model, job.system if url == CHAT else None, fields)
    table = None
    if is_table(job.target):
        check_names(columns, file.columns())
        hints = file.types() if job.target.suffix.lower() == ".parquet" else None
        table = TableOut(job.target, columns, hints)
    shape = Shape(url, schema.parse if schema else None)
    return _Parts(PromptRows(recipe, prompts), shape, table, file.rows)


def _read_schema(job: FileJob, url: str) -> Schema | None:
    if job.schema is None:
        return None
    if url != CHAT:
        raise BatchInputError("A schema is for chats.", f"Endpoints are {', '.join(ENDPOINTS)}.")
    return make_schema(job.schema)


def _first_model(session: Session) -> str:
    engines = session.status().engines
    return engines[0].served_model_name if engines else session.default_model


def _check_models(session: Session, survey: Survey) -> None:
    """Makes sure that the session serves all models that rows name."""
    served = [engine.served_model_name for engine in session.status().engines]
    for model, index in survey.models.items():
        if served and model not in served:
            raise BatchInputError(
                f"Row {index} (counted from 0) asks for the model {model!r}, and the session has none.",
                f"It serves {', '.join(map(repr, served))}; --model NAME asks that one for all rows.",
            )
