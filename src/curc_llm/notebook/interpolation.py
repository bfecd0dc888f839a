"""`{name}` in a prompt becomes a variable's value. Attributes and items can be named; nothing is called."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from curc_llm.errors import MagicError

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}")
_SPEC = re.compile(r"(?P<path>.+?):(?P<spec>[^\s:'\"\]]*)")
LITERAL = "For braces that stay as they are write {{ and }}, or give --raw."


def interpolate(text: str, names: Mapping[str, Any]) -> str:
    """Puts values of variables into a text.

    Braces around anything that is no variable (JSON, code, LaTeX like `x^{n+1}`) stay as they are; `{{` and
    `}}` are literal braces. A value is written as `str` has it, or by a format as in f-strings.

    Args:
        text: what a person wrote.
        names: the variables.

    Raises:
        MagicError: a variable that isn't there, a call, or a private attribute.

    Example:
        >>> interpolate('{who} has {xs[0]:.1f}, {{not}} {"a": 1}', {"who": "Ada", "xs": [2.0]})
        'Ada has 2.0, {not} {"a": 1}'
    """
    parts: list[str] = []
    end = opened = 0
    for found in _BRACES.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        if found[0] == "{{":
            opened += 1
            parts.append("{")
        elif found[0] == "}}":
            # JSON ends with }} too: only what was opened double is closed double.
            parts.append("}" if opened else "}}")
            opened = max(0, opened - 1)
        else:
            parts.append(_render(found[1], found[0], names))
    return "".join([*parts, text[end:]])


def look_up(path: str, names: Mapping[str, Any]) -> Any:
    """The value of a variable, an attribute or an item, such as `Paper`, `lab.schema` or `schemas["a"]`.

    Args:
        path: how a person names it.
        names: the variables.

    Raises:
        MagicError: there is none, or the path is more than that.
    """
    remedy = "Name a variable that you have set in a cell above."
    expression = _parse_path(path)
    if expression is None:
        raise MagicError(f"{path} is no variable.", remedy)
    try:
        return _evaluate(expression, names)
    except MagicError as error:
        raise MagicError(error.message, remedy) from None


def _render(inner: str, whole: str, names: Mapping[str, Any]) -> str:
    expression, spec = _parse(inner)
    if expression is None or inner != inner.strip():
        return whole
    value = _evaluate(expression, names)
    try:
        return format(value, spec) if spec else str(value)
    except (ValueError, TypeError) as error:
        raise MagicError(f"{whole} can't be written that way: {error}.", LITERAL) from None


def _parse(inner: str) -> tuple[ast.expr | None, str]:
    """The expression and its format; None for what is no variable."""
    expression, spec = _parse_path(inner), ""
    if expression is None and (found := _SPEC.fullmatch(inner)):
        expression, spec = _parse_path(found["path"]), found["spec"]
    return expression, spec


def _parse_path(text: str) -> ast.expr | None:
    try:
        expression = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):  # ValueError: a null byte
        return None
    root: ast.expr = expression
    while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
        root = root.func if isinstance(root, ast.Call) else root.value
    return expression if isinstance(root, ast.Name) else None


def _evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of a name, of its attributes and of its items."""
    match node:
        case ast.Name(id=name):
            if name not in names:
                raise MagicError(f"There is no variable {name}.", LITERAL)
            return names[name]
        case ast.Attribute(value=owner, attr=name):
            if name.startswith("_"):
                raise MagicError(f"{ast.unparse(node)} is private.", LITERAL)
            return _get(node, lambda found: getattr(found, name), _evaluate(owner, names))
        case ast.Subscript(value=owner, slice=index):
            key = _evaluate_key(index, names)
            return _get(node, lambda found: found[key], _evaluate(owner, names))
        case ast.Call():
            raise MagicError(
                f"{ast.unparse(node)} is a call, and a prompt calls nothing.",
                "Compute it in a line of Python before, and name the result.",
            )
        case _:
            raise MagicError(f"{ast.unparse(node)} is no variable, attribute or item.", LITERAL)


def _evaluate_key(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Tuple(elts=parts):
            return tuple(_evaluate_key(part, names) for part in parts)
        case ast.List(elts=parts):
            return [_evaluate_key(part, names) for part in parts]
        case ast.Slice(lower=lower, upper=upper, step=step):
            ends = (None if end is None else _evaluate_key(end, names) for end in (lower, upper, step))
            return slice(*ends)
        case _:
            return _evaluate(node, names)


def _get(node: ast.expr, read: Any, owner: Any) -> Any:
    """Reads an attribute or item; whatever goes wrong in somebody's object is told in one sentence."""
    try:
        return read(owner)
    except Exception as error:  # noqa: BLE001 - a property may raise anything
        raise MagicError(f"{{{ast.unparse(node)}}} can't be read: {type(error).__name__}: {error}.") from None
