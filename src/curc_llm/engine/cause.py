"""One known cause of failure: the words by which it is recognised, and the words that people get."""

from __future__ import annotations

import re
from dataclasses import dataclass

from curc_llm.engine.scrub import scrub
from curc_llm.session.record import Trouble

MAX_VALUE = 200


@dataclass(frozen=True)
class Cause:
    """A row of the table of causes.

    Args:
        code: a stable name that programs may rely on.
        pattern: how the failure's text is recognised; its named groups may be used in the two sentences.
        message: what happened, with the value at fault as `{group}`.
        remedy: what to do next.
    """

    code: str
    pattern: re.Pattern[str]
    message: str
    remedy: str

    def match(self, text: str) -> Trouble | None:
        """The trouble, if this is its cause. Of several matches the last counts: it is nearest to the end."""
        found = list(self.pattern.finditer(text))
        if not found:
            return None
        values = {name: _clean(value) for name, value in found[-1].groupdict().items()}
        message, remedy = self.message.format(**values), self.remedy.format(**values)
        return Trouble(code=self.code, message=message, remedy=remedy)


def cause(code: str, pattern: str, message: str, remedy: str) -> Cause:
    """A row of the table; the pattern is a regular expression over several lines."""
    return Cause(code, re.compile(pattern), message, remedy)


def _clean(value: str | None) -> str:
    text = " ".join((value or "?").split())
    return scrub(text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…")
