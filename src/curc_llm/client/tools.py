"""Python functions that a model may ask for: their schemas, and calling them with what the model wrote."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from curc_llm.client.tool_call import ToolCall
from curc_llm.errors import ToolError

# Results go into the context: a whole table returned by accident would fill it.
MAX_RESULT_CHARACTERS = 50_000
NAMED = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
_NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}$")  # what the API allows
# `name: text` or `name (type): text` below "Args:", as Google's style has it.
_ARGUMENT = re.compile(r"^(\s+)\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


@dataclass(frozen=True)
class Tool:
    """A function that is offered to a model.

    Args:
        name: what the model calls it.
        definition: the API's description of it.
        function: what is called; None for a description alone, whose calls you answer yourself.
    """

    name: str
    definition: dict[str, Any]
    function: Callable[..., Any] | None = None


def make_tools(given: Iterable[Any]) -> list[Tool]:
    """Tools of Python functions, or of descriptions in the API's form.

    Raises:
        ToolError: one is neither, or two have the same name.
    """
    tools = [_make_tool(one) for one in given]
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ToolError(f"Two tools are called {twice!r}.", "Give each a name of its own.")
    return tools


def run_tool(tools: Iterable[Tool], call: ToolCall) -> str:
    """Calls what a model asked for. What goes wrong becomes the result, so that the model can do better.

    Arguments are checked against the function's types first: they are the model's word.

    Args:
        tools: what was offered; nothing else is ever called.
        call: the model's wish.

    Returns:
        The result as JSON, or as it is when it is a text.
    """
    tool = next((tool for tool in tools if tool.name == call.name), None)
    if tool is None or tool.function is None:
        return json.dumps({"error": f"There is no function {call.name!r}."})
    try:
        return _render_result(_call(tool.function, call.text))
    except Exception as error:  # noqa: BLE001 - the model is told, whatever it is
        return json.dumps({"error": f"{type(error).__name__}: {error}"[:2000]}, ensure_ascii=False)


def _make_tool(given: Any) -> Tool:
    if isinstance(given, Tool):
        return given
    if isinstance(given, Mapping):
        name = str((given.get("function") or {}).get("name") or "")
        return Tool(_check_name(name), dict(given))
    if not callable(given):
        raise ToolError(f"{given!r} is no function.", "Give Python functions, or the API's descriptions.")
    name = _check_name(getattr(given, "__name__", type(given).__name__))
    function = {"name": name, "description": _describe(given), "parameters": make_parameters(given)}
    return Tool(name, {"type": "function", "function": function}, given)


def _check_name(name: str) -> str:
    if not _NAME.match(name):
        raise ToolError(
            f"A tool can't be called {name!r}.", "Use up to 64 letters, digits, _ or -; define it with def."
        )
    return name


def make_parameters(function: Callable[..., Any]) -> dict[str, Any]:
    """The JSON schema of a function's parameters, with their descriptions from its docstring.

    Raises:
        ToolError: it takes positional-only or `*args` parameters, or types that JSON has no word for.
    """
    told = parse_arguments(inspect.getdoc(function) or "")
    schema = _make_adapter(function)[1]
    for name, properties in schema.get("properties", {}).items():
        properties.pop("title", None)
        if name in told:
            properties.setdefault("description", told[name])
    return schema


def _make_adapter(function: Callable[..., Any]) -> tuple[Any, dict[str, Any]]:
    """The caller of pydantic, which checks arguments, and the schema that belongs to it."""
    from pydantic import PydanticUserError, TypeAdapter
    from pydantic.errors import PydanticSchemaGenerationError

    name = getattr(function, "__name__", repr(function))
    try:
        kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
        adapter: TypeAdapter[Any] = TypeAdapter(cast(Any, function))
        schema = adapter.json_schema()
    except (PydanticUserError, PydanticSchemaGenerationError, NameError, TypeError, ValueError) as error:
        raise ToolError(
            f"{name} can't be offered: {str(error).splitlines()[0]}", "Give its parameters JSON's types."
        ) from None
    if not kinds <= NAMED:
        raise ToolError(f"{name} takes *args, **kwargs or nameless parameters.", "Name each of them.")
    return adapter, schema


def _call(function: Callable[..., Any], text: str) -> Any:
    """Calls a function with arguments as a model wrote them; one without any may get an empty text."""
    from pydantic_core import ArgsKwargs

    arguments = json.loads(text or "{}")
    if not isinstance(arguments, dict):
        raise TypeError("the arguments are no JSON object")
    result = _make_adapter(function)[0].validate_python(ArgsKwargs((), arguments))
    if inspect.isawaitable(result):
        close = getattr(result, "close", None)
        if close is not None:
            close()
        raise TypeError("this function is async; offer an ordinary one")
    return result


def _render_result(result: Any) -> str:
    if isinstance(result, str):
        text = result
    else:
        from pydantic_core import to_json

        text = to_json(result, fallback=str).decode()
    if len(text) <= MAX_RESULT_CHARACTERS:
        return text
    return text[:MAX_RESULT_CHARACTERS] + f" … ({len(text)} characters in all)"


def _describe(function: Callable[..., Any]) -> str:
    """The docstring up to its first section."""
    kept: list[str] = []
    for line in (inspect.getdoc(function) or "").splitlines():
        if re.match(r"^(Args|Arguments|Parameters|Returns|Raises|Examples?|Yields|Note):?\s*$", line):
            break
        kept.append(line)
    return "\n".join(kept).strip()


def parse_arguments(docstring: str) -> dict[str, str]:
    r"""What a docstring says of each parameter.

    Example:
        >>> parse_arguments("Adds.\n\nArgs:\n    a: the first,\n        in metres.\n    b (int): the second.")
        {'a': 'the first, in metres.', 'b': 'the second.'}
    """
    _, _, rest = docstring.partition("Args:\n")
    found: dict[str, str] = {}
    indent, name = "", ""
    for line in rest.splitlines():
        match = _ARGUMENT.match(line)
        if match and (not indent or match[1] == indent):
            indent, name = match[1], match[2]
            found[name] = match[3]
        elif name and line.startswith(indent + " "):
            found[name] += " " + line.strip()
        elif line.strip():
            break
    return found
