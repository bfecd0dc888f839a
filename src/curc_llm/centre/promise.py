"""Promise: one thing that the card and the documents promise of a session, and whether it was kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["kept", "broken", "unknown"]


@dataclass(frozen=True)
class Promise:
    """One line of an acceptance report.

    Args:
        name: stable, such as `login_once`.
        text: what is promised, in a sentence.
        verdict: `kept`, `broken`, or `unknown` when it couldn't be looked at.
        found: what was so, with figures; never a secret.
    """

    name: str
    text: str
    verdict: Verdict
    found: str


class BrokenPromiseError(Exception):
    """What was found isn't what was promised; the text says what was found."""


class UnknownPromiseError(Exception):
    """A promise can't be looked at here; the text says why."""


def try_promise(name: str, text: str, look: Callable[[], str]) -> Promise:
    """Looks at one promise; whatever goes wrong while looking breaks it.

    Args:
        name: of the Promise.
        text: of the Promise.
        look: says what is so, or raises BrokenPromiseError, UnknownPromiseError, or anything else.

    Example:
        >>> try_promise("sum", "One and one is two.", lambda: "2").verdict
        'kept'
    """
    try:
        return Promise(name, text, "kept", look())
    except UnknownPromiseError as error:
        return Promise(name, text, "unknown", str(error))
    except Exception as error:  # noqa: BLE001 - a fault while looking is what the run is there to find
        told = str(error) or type(error).__name__
        return Promise(name, text, "broken", told[:500])


def expect(is_so: bool, found: str) -> None:
    """Raises BrokenPromiseError with what was found, unless it is as it should be."""
    if not is_so:
        raise BrokenPromiseError(found)
