"""What a person asks of a batch in Python, checked: rows become prompts, parameters a recipe."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curc_llm.batch.cells import CellPrompts, choose_column
from curc_llm.batch.fields import Columns, check_names, make_columns
from curc_llm.batch.frame import is_frame, is_series, make_frame_prompts
from curc_llm.batch.recipe import Recipe, check_params
from curc_llm.batch.row import CHAT, COMPLETIONS, EMBEDDINGS
from curc_llm.batch.shape import Shape
from curc_llm.batch.table_in import TableFile
from curc_llm.batch.template import Template, parse_template
from curc_llm.batch.trouble import BatchInputError
from curc_llm.client.schema import make_schema

if TYPE_CHECKING:
    from curc_llm.client.session import Session

ENDPOINTS = {"chat": CHAT, "completions": COMPLETIONS, "embeddings": EMBEDDINGS}


@dataclass(frozen=True)
class Wish:
    """What is to be asked of each row; as `map_rows` and `curc-llm batch` are given it.

    Args:
        template, prompt_column: how a row becomes a prompt.
        schema: what shape answers must have.
        model: served model name; None for the session's first.
        system: instructions for the model.
        endpoint: one of ENDPOINTS.
        params: further fields of requests.
    """

    template: str | None = None
    prompt_column: str | None = None
    schema: Any = None
    model: str | None = None
    system: str | None = None
    endpoint: str = "chat"
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def read_template(self) -> Template | None:
        """The template, read; None without one."""
        return None if self.template is None else parse_template(self.template)


@dataclass(frozen=True)
class Form:
    """What all rows share, checked.

    Args:
        recipe: how a prompt becomes a request.
        shape: what is made of answers.
        columns: what answers become in a frame or table.
    """

    recipe: Recipe
    shape: Shape
    columns: Columns


def make_form(session: Session, wish: Wish) -> Form:
    """Checks what is wished, without a look at the rows.

    Raises:
        BatchInputError: it makes no sense.
        SchemaError: the schema is none.
        ModelNotFoundError: the session serves no model of that kind.
    """
    url = find_endpoint(wish.endpoint)
    fields = check_params(wish.params, url)
    schema = None if wish.schema is None else make_schema(wish.schema)
    if schema is not None:
        if url != CHAT:
            raise BatchInputError("A schema is for chats.", 'Leave it out, or use the endpoint "chat".')
        fields["response_format"] = schema.response_format
    if url == EMBEDDINGS:
        fields["encoding_format"] = "base64"  # a quarter of what numbers take, and exact
    columns = make_columns(schema.definition if schema else None, is_vector=url == EMBEDDINGS)
    model = wish.model or (session.default_embedder if url == EMBEDDINGS else session.default_model)
    if wish.model is not None:
        _check_model(session, model, url)
    recipe = Recipe(url, model, wish.system if url == CHAT else None, fields)
    return Form(recipe, Shape(url, schema.parse if schema else None), columns)


def _check_model(session: Session, model: str, url: str) -> None:
    """Makes sure that the session has the model, and that it does what is asked of it.

    Raises:
        BatchInputError: it hasn't, or it doesn't.
    """
    engines = session.status().engines
    engine = next((e for e in engines if e.served_model_name == model), None)
    if engine is None:
        if engines:
            served = ", ".join(repr(e.served_model_name) for e in engines)
            raise BatchInputError(f"The session has no model {model!r}.", f"It has {served}.")
        return
    if (engine.runner == "pooling") != (url == EMBEDDINGS):
        does = "makes embeddings" if engine.runner == "pooling" else "writes text"
        raise BatchInputError(
            f"The model {model!r} {does}, and {url} was asked of it.",
            "Name another model or endpoint; session.embed_map makes embeddings.",
        )


def find_endpoint(endpoint: str) -> str:
    """The route of an endpoint that was named as people do.

    Raises:
        BatchInputError: there is none of that name.
    """
    if endpoint not in ENDPOINTS:
        raise BatchInputError(f"There is no endpoint {endpoint!r}.", f"Known are {', '.join(ENDPOINTS)}.")
    return ENDPOINTS[endpoint]


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
    if rows:
        template.check_columns([str(name) for name in rows[0]])
    return CellPrompts(lambda: rows, None, template, lambda i: f"row {i}", "Leave such rows out.")
