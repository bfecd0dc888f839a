"""JSON schemas that people write: checked before anything is sent, and put into a request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from curc_llm.errors import SchemaError

MAX_NAME = 64  # the API's limit
# Grammars of larger ones take seconds to compile, during which the engine's other answers wait.
MAX_SCHEMA_CHARS = 100_000
# Keywords whose values are schemas by names, and those whose values are no schemas.
_BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_DATA = ("const", "enum", "default", "examples")
SEE_SPECIFICATION = "See https://json-schema.org/understanding-json-schema"


def parse_schema(text: str) -> dict[str, Any]:
    """The JSON schema of a text.

    Args:
        text: as a person wrote it.

    Raises:
        SchemaError: it is too long, no JSON, no object, or no JSON schema; one sentence says which and where.

    Example:
        >>> parse_schema('{"type": "array", "items": {"type": "integer"}}')["items"]
        {'type': 'integer'}
    """
    if len(text) > MAX_SCHEMA_CHARS:
        raise SchemaError(
            f"The JSON schema has {len(text):,} characters; it may have up to {MAX_SCHEMA_CHARS:,}.",
            "Shorten it; descriptions take the most room.",
        )
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise SchemaError(
            f"The JSON schema is no JSON: line {error.lineno}, column {error.colno}: {error.msg}.", "Mend it."
        ) from None
    except (ValueError, RecursionError):
        raise SchemaError(
            "The JSON schema is nested too deeply or holds a number that is too long.", "Simplify it."
        ) from None
    if not isinstance(given, dict):
        raise SchemaError(
            f"The JSON schema is {text.strip()[:20]!r}, but it must be an object: {{...}}.", SEE_SPECIFICATION
        )
    return check_schema(given)


def check_schema(given: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the mapping, once it is known to be a JSON schema (draft 2020-12).

    Raises:
        SchemaError: it isn't.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError as NoSchemaError

    try:
        definition: dict[str, Any] = json.loads(json.dumps(given, allow_nan=False))
        Draft202012Validator.check_schema(definition)
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(f"The schema is no JSON: {error}.", "Use only JSON's own types in it.") from None
    except NoSchemaError as error:
        where = error.json_path.removeprefix("$").lstrip(".") or "the top"
        raise SchemaError(
            f"The schema is no JSON schema: at {where}, {error.message}.", SEE_SPECIFICATION
        ) from None
    _refuse_remote(definition)
    return definition


def _refuse_remote(definition: dict[str, Any]) -> None:
    """The engine fetches nothing: what an address would say, it would let pass unchecked."""
    remote = next((ref for ref in _list_refs(definition) if not ref.startswith("#")), None)
    if remote is not None:
        raise SchemaError(
            f"The schema refers to {remote[:80]!r}, but nothing is fetched: "
            "a $ref is to a place in the schema itself, such as '#/$defs/name'.",
            "Copy what it refers to into the schema's $defs.",
        )


def _list_refs(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for one in schema:
            yield from _list_refs(one)
    for word, value in schema.items() if isinstance(schema, dict) else ():
        if word in ("$ref", "$dynamicRef") and isinstance(value, str):
            yield value
        elif word in _BY_NAME and isinstance(value, dict):
            yield from _list_refs(list(value.values()))
        elif word not in _DATA:
            yield from _list_refs(value)


def make_response_format(definition: Mapping[str, Any]) -> dict[str, Any]:
    """What makes vLLM write nothing else: the API's `response_format`.

    Example:
        >>> make_response_format({"title": "My answer", "type": "array"})["json_schema"]["name"]
        'My_answer'
    """
    name = re.sub(r"[^A-Za-z0-9_-]", "_", str(definition.get("title") or "answer"))[:MAX_NAME]
    return {"type": "json_schema", "json_schema": {"name": name, "schema": definition, "strict": True}}
