"""Files of the first version, which the notebook's chats wrote: numbers as ids, no parents."""

from __future__ import annotations

from collections.abc import Iterable

from curc_llm.chats.lines import Line
from curc_llm.chats.message import ROLES


def give_parents(lines: Iterable[Line]) -> list[Line]:
    """The same lines in today's words: each message without a parent follows the last one that was shown.

    Args:
        lines: of one file, in their order.

    Example:
        >>> rows = [{"id": 1, "role": "user"}, {"id": 2, "role": "assistant"}, {"drop_from": 2, "at": 0}]
        >>> [line.get("parent", line.get("show")) for line in give_parents(rows)]
        [None, '1', '1']
    """
    parents: dict[str, str | None] = {}
    tip: str | None = None
    given: list[Line] = []
    for line in lines:
        new = _translate(line, parents, tip)
        if new.get("role") in ROLES and "id" in new:
            tip = str(new["id"])
            parents.setdefault(tip, new["parent"])
        elif "show" in new:
            tip = None if new["show"] is None else str(new["show"])
        given.append(new)
    return given


def _translate(line: Line, parents: dict[str, str | None], tip: str | None) -> Line:
    if "drop_from" in line and "id" not in line:
        return {"show": parents.get(str(line["drop_from"]), tip), "end": True, "at": line.get("at")}
    if isinstance(line.get("system"), str) and "id" not in line and "set" not in line and "chat" not in line:
        return {"set": {"system": line["system"]}, "at": line.get("at")}
    if "role" in line and "id" in line and "parent" not in line:
        return {**line, "parent": parents.get(str(line["id"]), tip)}
    return line
