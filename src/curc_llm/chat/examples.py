"""Example prompts for an empty conversation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from curc_llm.spec import DEMO_MODEL_NAME

MAX_EXAMPLES = 6
GENERAL_EXAMPLES = (
    "What is a segmentation fault, and how do I find its cause?",
    "Write a Slurm script that runs a Python program on one GPU.",
    "Derive the formula for the sample variance, step by step.",
    "Compare NumPy, pandas and Polars in a table.",
    "Write a pytest test for a function that parses dates.",
    "Explain precision and recall with an example.",
)


def load_examples(path: Path | None) -> list[str]:
    """Reads example prompts from the bundled model's questions.

    Args:
        path: a YAML file: a list of questions, or `starters` and `questions` with such lists. A question is a
            string, or has the field `question`. None, a missing file or another content give an empty list:
            a page without examples is better than none.

    Returns:
        The starters if there are any, else questions spread evenly over the list; at most six.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) if path else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    if isinstance(content, dict):
        return _parse_questions(content.get("starters"))[:MAX_EXAMPLES] or _spread(
            _parse_questions(content.get("questions"))
        )
    return _spread(_parse_questions(content))


def choose_examples(model: str, of_demo_model: list[str]) -> list[str]:
    """The examples that fit a model: the bundled one knows its own questions and nothing else."""
    if model == DEMO_MODEL_NAME and of_demo_model:
        return of_demo_model
    return list(GENERAL_EXAMPLES)


def _parse_questions(entries: Any) -> list[str]:
    if not isinstance(entries, list):
        return []
    texts = [entry.get("question") if isinstance(entry, dict) else entry for entry in entries]
    return [text for text in texts if isinstance(text, str) and text.strip()]


def _spread(texts: list[str]) -> list[str]:
    step = max(1, len(texts) // MAX_EXAMPLES)
    return texts[::step][:MAX_EXAMPLES]
