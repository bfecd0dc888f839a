"""The question that asks a model about a Python error. Pure: an exception in, a text out."""

from __future__ import annotations

import traceback
from types import TracebackType

SYSTEM = (
    "You help a scientist with an error in Python. Say in two or three short sentences what went wrong and "
    "why, then show the smallest change that mends it. Say so when the traceback alone doesn't tell."
)
MAX_LINES = 60
# Frames of IPython itself, between the cell and the program that runs it.
_OUTER = ("IPython/core/", "ipykernel/")


def make_question(error: BaseException, question: str = "") -> str:
    """Asks about an error: its traceback, and what the person wants to know besides.

    Only the traceback's text is told: lines of code and messages, no values of variables.

    Args:
        error: what was raised.
        question: a question of one's own; empty for the usual one.
    """
    asked = question or "What went wrong, and how do I mend it?"
    return f"{asked}\n\n```text\n{render_traceback(error)}\n```"


def render_traceback(error: BaseException, max_lines: int = MAX_LINES) -> str:
    """The traceback from the cell onwards; of a long one the beginning and, above all, the end.

    Args:
        error: what was raised.
        max_lines: lines to keep.
    """
    trace = _skip_outer(error.__traceback__)
    text = "".join(traceback.format_exception(type(error), error, trace))
    lines = text.strip().splitlines()
    if len(lines) <= max_lines:
        return "\n".join(lines)
    head = max_lines // 4
    left_out = len(lines) - max_lines
    return "\n".join([*lines[:head], f"  … {left_out} lines left out …", *lines[head + left_out :]])


def _skip_outer(trace: TracebackType | None) -> TracebackType | None:
    first = trace
    while trace is not None and any(part in trace.tb_frame.f_code.co_filename for part in _OUTER):
        trace = trace.tb_next
    return trace or first
