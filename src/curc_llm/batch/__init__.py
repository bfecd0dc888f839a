"""Many prompts through one session: nothing lost, nothing done twice.

`session.map(rows)` and `curc-llm batch` are made of these: rows become requests (`recipe`, `openai_lines`),
a look at all of them finds what is wrong (`survey`), a `Run` asks them (`asking`) over its own small HTTP
client (`wire`, `pool`), each answer is a line of the results (`journal`), and at the end they are in order.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curc_llm.batch.mapping import embed_rows, map_rows
    from curc_llm.batch.progress import Progress, RunState
    from curc_llm.batch.results import Results
    from curc_llm.batch.run import Run, RunOptions

__all__ = ["Progress", "Results", "Run", "RunOptions", "RunState", "embed_rows", "map_rows"]

_HOMES = {
    "Progress": "progress",
    "Results": "results",
    "Run": "run",
    "RunOptions": "run",
    "RunState": "progress",
    "embed_rows": "mapping",
    "map_rows": "mapping",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
