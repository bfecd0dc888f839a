"""Reads YAML by hand: what YAML 1.1 would turn into something else in silence is refused with its line."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from curc_llm.errors import FactFileError

MERGE = "tag:yaml.org,2002:merge"  # `<<: *name`
OCTAL = re.compile(r"[-+]?0[0-7_]+")  # to YAML 1.1 010 is 8


def read_yaml(path: Path, what: str, *, may_be_empty: bool = False) -> tuple[str, dict[str, Any]]:
    """The text and the values of a YAML file that holds `name: value` lines.

    Args:
        path: the file.
        what: what it is, for errors: "site file".
        may_be_empty: a file without any value counts as one that sets nothing.

    Raises:
        FactFileError: it can't be read, isn't YAML, or holds something else.
    """
    text = _read_text(path, what)
    try:
        values = yaml.load(text, Loader=_CarefulLoader)  # noqa: S506 - a SafeLoader
    except ConstructorError as error:
        raise FactFileError(f"{path}{_place(error)}: {error.problem}.", "Mend that line.") from error
    except yaml.YAMLError as error:
        place, why = _place(error), _say(error)
        raise FactFileError(f"{path}{place} isn't YAML: {why}.", "Mend that line.") from error
    except RecursionError as error:
        raise FactFileError(
            f"{path} is nested too deeply.", f"Look at a {what} that curc-llm ships."
        ) from error
    if values is None and may_be_empty:
        return text, {}
    if not isinstance(values, dict):
        raise FactFileError(
            f"{path} must hold `name: value` lines.", f"Look at a {what} that curc-llm ships."
        )
    return text, values


def _read_text(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except IsADirectoryError as error:
        raise FactFileError(f"{path} is a folder, not a {what}.", "Name the file itself.") from error
    except UnicodeDecodeError as error:
        raise FactFileError(f"The {what} {path} can't be read: it isn't text.", "Check its path.") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise FactFileError(f"The {what} {path} can't be read: {why}.", "Check its path.") from error


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return f", line {mark.line + 1}" if mark else ""


def _say(error: yaml.YAMLError) -> str:
    """What PyYAML complains about, without the name that it has for a text."""
    if isinstance(error, yaml.reader.ReaderError):
        return f"it holds a character that YAML doesn't allow (number {error.position + 1})"
    parts = [getattr(error, name, None) for name in ("context", "problem")]
    return ", ".join(part for part in parts if part) or "it can't be understood"


def line_of(text: str, location: Sequence[str]) -> int:
    """The line of a value in a YAML text; of its nearest parent when it isn't there."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for name in location:
        if isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
            node = node.value[int(name)]
            line = node.start_mark.line + 1
            continue
        if not isinstance(node, yaml.MappingNode):
            break
        for key, value in node.value:
            if key.value == name:
                line, node = key.start_mark.line + 1, value
                break
    return line


# The C parser reads the catalogue eight times as fast; PyYAML may have been built without it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _CarefulLoader(_Loader):  # type: ignore[misc]
    """Refuses slips: keys that stand twice, clock times (YAML takes 24:00:00 for 86400), infinity."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == MERGE:
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise _slip(key_node, "a name can't be a list or a `{...}`")
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise _slip(key_node, f"`{key}` stands twice")
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """A number as people mean it."""
        text = node.value[:40]
        if ":" in text:
            raise _slip(
                node,
                f"`{text}` is a time of the clock: write hours as a number, such as 24, and put quotes "
                "around anything else",
            )
        if OCTAL.fullmatch(text):
            raise _slip(node, f"`{text}` begins with 0: leave the 0 away, or put quotes around it")
        is_whole = node.tag.endswith(":int")
        try:
            value = self.construct_yaml_int(node) if is_whole else self.construct_yaml_float(node)
        except ValueError:  # such as `!!int x`, or thousands of digits
            raise _slip(node, f"`{text}` is no number that can be counted with") from None
        if not math.isfinite(value):
            raise _slip(node, f"`{text}` is no number that can be counted with")
        return value  # type: ignore[no-any-return]

    def construct_date(self, node: yaml.ScalarNode) -> Any:
        """A day, or a day and time, that there is."""
        try:
            return self.construct_yaml_timestamp(node)
        except (ValueError, AttributeError):  # AttributeError: `!!timestamp x`
            raise _slip(node, f"`{node.value[:40]}` is no date that there is") from None


def _slip(node: yaml.Node, problem: str) -> ConstructorError:
    return ConstructorError(None, None, problem, node.start_mark)


for _tag, _read in (
    ("int", _CarefulLoader.construct_number),
    ("float", _CarefulLoader.construct_number),
    ("timestamp", _CarefulLoader.construct_date),
):
    _CarefulLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _read)
