"""Report: what an acceptance run found, as Markdown and as JSON. Holds no secret."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from curc_llm.centre.promise import Promise

MARKS = {"kept": "kept", "broken": "**BROKEN**", "unknown": "unknown"}


def render_report(promises: Sequence[Promise], facts: Mapping[str, str]) -> str:
    """The report as Markdown.

    Args:
        promises: in the order in which they were looked at.
        facts: what was launched, where, when; by name.
    """
    broken = [p for p in promises if p.verdict == "broken"]
    head = f"{len(broken)} of {len(promises)} promises are broken." if broken else "Every promise is kept."
    unknown = sum(p.verdict == "unknown" for p in promises)
    told = f"{head} {unknown} could not be looked at." if unknown else head
    lines = ["# Acceptance run of curc-llm", "", told, ""]
    lines += [f"- {name}: {_cell(value)}" for name, value in facts.items() if value]
    lines += ["", "| Promise | Verdict | Found |", "|---|---|---|"]
    lines += [f"| {_cell(p.text)} | {MARKS[p.verdict]} | {_cell(p.found)} |" for p in promises]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text that breaks no table."""
    return " ".join(text.split()).replace("|", "\\|")


def write_report(folder: Path, promises: Sequence[Promise], facts: Mapping[str, str]) -> Path:
    """Writes `report.md` and `report.json`, readable by the caller alone; returns the first.

    Raises:
        OSError: the folder can't be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    value = {
        "ok": all(p.verdict != "broken" for p in promises),
        "written_at": time.time(),
        "facts": dict(facts),
        "promises": [asdict(p) for p in promises],
    }
    texts = {"report.json": json.dumps(value, indent=1) + "\n", "report.md": render_report(promises, facts)}
    for name, text in texts.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    return folder / "report.md"
