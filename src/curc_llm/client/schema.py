"""Answers of a given shape: a schema goes into the request, the text that comes back is read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from curc_llm.errors import SchemaError
from curc_llm.json_schema import check_schema, make_response_format

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SEE_TEXT = "The whole answer is in the error's .text."


@dataclass(frozen=True)
class Schema:
    """The shape of an answer. Make one with `make_schema`.

    Args:
        definition: JSON schema.
        adapter: pydantic's reader, when the schema was given as a type or model; else None.
    """

    definition: dict[str, Any]
    adapter: TypeAdapter[Any] | None = None

    @property
    def response_format(self) -> dict[str, Any]:
        """What makes vLLM write nothing else: the API's `response_format`."""
        return make_response_format(self.definition)

    def parse(self, text: str, finish_reason: str | None = None) -> Any:
        """The answer as Python: an instance of the model or type, else what the JSON says.

        Args:
            text: what the model answered.
            finish_reason: why it ended; an answer that was cut off is told as such.

        Raises:
            SchemaError: it doesn't fit; the text is in its `text`.
        """
        try:
            value = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise _explain_no_json(text, finish_reason) from None
        return self._check(value, text)

    def _check(self, value: Any, text: str) -> Any:
        if self.adapter is None:
            if problem := _find_problem(self.definition, value):
                raise _explain_misfit(problem, text)
            return value
        from pydantic import ValidationError

        try:
            return self.adapter.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise _explain_misfit(f"{where}: {first['msg']}" if where else first["msg"], text) from None


def make_schema(given: Any) -> Schema:
    """A schema from what people write.

    Args:
        given: a JSON schema as a dict, a pydantic model, or a Python type such as `list[str]`, a dataclass,
            a TypedDict, an Enum or `Literal["yes", "no"]`.

    Raises:
        SchemaError: it is none of these.

    Example:
        >>> make_schema(list[int]).definition
        {'items': {'type': 'integer'}, 'type': 'array'}
        >>> make_schema(list[int]).parse("[1, 2]")
        [1, 2]
    """
    if isinstance(given, Schema):
        return given
    if isinstance(given, Mapping):
        return Schema(check_schema(given))
    if isinstance(given, str):  # pydantic would run it as code
        raise _explain_no_schema(given, "it is a text")
    return _make_from_type(given)


def _make_from_type(given: Any) -> Schema:
    from pydantic import PydanticUserError, TypeAdapter
    from pydantic.errors import PydanticSchemaGenerationError

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(given)
        return Schema(adapter.json_schema(), adapter)
    except (PydanticUserError, PydanticSchemaGenerationError, NameError, TypeError) as error:
        raise _explain_no_schema(given, str(error).splitlines()[0]) from None


def _explain_no_schema(given: Any, why: str) -> SchemaError:
    return SchemaError(
        f"{given!r} is no schema: {why}",
        "Give a JSON schema (dict), a pydantic model, or a Python type such as list[str].",
    )


def _find_problem(definition: dict[str, Any], value: Any) -> str:
    """What doesn't fit, in a few words; empty when all does. No reference is fetched from anywhere."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        error = best_match(Draft202012Validator(definition, registry=Registry()).iter_errors(value))
    except Unresolvable as missing:
        raise SchemaError(
            f"The schema refers to {missing.ref!r}, which isn't in it.", "Put it under $defs."
        ) from None
    if error is None:
        return ""
    return f"{error.json_path.removeprefix('$').lstrip('.') or 'it'}: {error.message}"


def _explain_no_json(text: str, finish_reason: str | None) -> SchemaError:
    if finish_reason == "length":
        return SchemaError(
            f"The answer was cut off after {len(text)} characters, so it is no JSON.",
            "Raise max_tokens, or ask for less at once.",
            text=text,
        )
    return SchemaError(f"The answer is no JSON: {_shorten(text)}", SEE_TEXT, text=text)


def _explain_misfit(problem: str, text: str) -> SchemaError:
    return SchemaError(f"The answer doesn't fit the schema: {_shorten(problem)}", SEE_TEXT, text=text)


def _shorten(text: str, limit: int = 200) -> str:
    return repr(text) if len(text) <= limit else f"{text[:limit]!r} …"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
