"""What the page's own script is asked to do: an element that it reads once (js/acts.js).

Elements are numbered in the order of their making, also beyond the process' end, so that one that comes late
(Gradio sends the last value of an answer's stream once more) doesn't undo what a later one did.
"""

from __future__ import annotations

import itertools
import json
import time
from html import escape
from typing import Any

_numbers = itertools.count(time.time_ns() // 1_000_000)


def render_acts(*acts: dict[str, Any]) -> str:
    """Writes what page.js is to do now; it does each element of this kind once.

    Args:
        acts: each with `act`: `chat` (id, title, rows), `download` (name, text), `copy` (text), `gone` (id),
            `focus`.
    """
    content = escape(json.dumps(acts, ensure_ascii=True), quote=True)
    return f'<div class="curc-acts" data-curc-number="{next(_numbers)}" data-curc-acts="{content}"></div>'
