"""Branches: which message follows which, and which of them are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

END = ""  # no message has an empty id
Parents = Mapping[str, str | None]


def mend_parents(parents: Parents) -> dict[str, str | None]:
    """Parents that lead to a beginning.

    A message whose parent was lost (a damaged line) follows the one written before it, so that what came
    earlier stays in sight; a circle, which only a forged file has, is cut.

    Args:
        parents: by message, in the order in which they were written.

    Example:
        >>> mend_parents({"a": None, "b": "lost", "c": "d", "d": "c"})
        {'a': None, 'b': 'a', 'c': 'd', 'd': None}
    """
    mended: dict[str, str | None] = {}
    before: str | None = None
    for name, parent in parents.items():
        mended[name] = parent if parent is None or parent in parents else before
        before = name
    return _cut_circles(mended)


def _cut_circles(parents: dict[str, str | None]) -> dict[str, str | None]:
    is_safe: set[str] = set()
    for name in parents:
        way: dict[str, None] = {}
        node: str | None = name
        while node is not None and node not in is_safe:
            way[node] = None
            parent = parents[node]
            if parent in way:
                parents[node] = parent = None
            node = parent
        is_safe.update(way)
    return parents


def find_shown(parents: Parents, shown: Iterable[str | None]) -> list[str]:
    """The messages that are shown, first to last.

    Args:
        parents: by message, as `mend_parents` leaves them.
        shown: messages in the order in which they were added or chosen to be shown; None shows none, `END`
            nothing below the one before it.

    Example:
        >>> find_shown({"q": None, "a": "q", "b": "q", "more": "a"}, ["q", "a", "more", "b", "a"])
        ['q', 'a', 'more']
    """
    chosen: dict[str | None, str] = {}
    tip: str | None = None
    for name in shown:
        if name == END:
            chosen.pop(tip, None)
            continue
        if name is not None and name not in parents:
            continue
        if name is not None:
            _choose(chosen, parents, name, tip)
        tip = name
    return _follow(chosen) if tip is not None else []


def _choose(chosen: dict[str | None, str], parents: Parents, name: str, tip: str | None) -> None:
    """Chooses a message at each fork above it; all above the last one that was shown are chosen already."""
    node = name
    while True:
        parent = parents[node]
        chosen[parent] = node
        if parent is None or parent == tip:
            return
        node = parent


def _follow(chosen: Mapping[str | None, str]) -> list[str]:
    path: list[str] = []
    node = chosen.get(None)
    while node is not None:
        path.append(node)
        node = chosen.get(node)
    return path


def list_siblings(parents: Parents, name: str) -> Sequence[str]:
    """All messages that follow the same one, itself among them, in the order they were written."""
    return [other for other, parent in parents.items() if parent == parents[name]]
