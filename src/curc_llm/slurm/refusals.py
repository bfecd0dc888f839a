"""Refusals: what sbatch says when it takes no job, as one sentence and a remedy."""

from __future__ import annotations

import re

from curc_llm.slurm.refusals_filter import FILTER_REFUSALS
from curc_llm.slurm.refusals_slurm import SLURM_REFUSALS

# What Slurm's commands print when nobody answers: nothing is known then (slurm_errno.h, and seen on 22.05).
_SILENT = re.compile(
    r"Unable to contact slurm|Socket timed out|Connection refused|connect failure|"
    r"Zero Bytes were transmitted|Communication connection failure|Transport endpoint|Connection timed out|"
    r"No route to host|Unable to establish control|slurm_persist_conn_open|Unspecified transport|"
    r"Protocol authentication error|slurmdbd.*(?:refused|unable to contact|not running)|"
    r"Problem talking to the database|temporarily unable to accept|in standby mode|"
    r"Resource temporarily unavailable",
    re.IGNORECASE,
)
REFUSALS = (*FILTER_REFUSALS, *SLURM_REFUSALS)
_NOISE = re.compile(r"^(?:\w+: )?(?:error: |fatal: |warning: )?", re.IGNORECASE)
_LAST_WORDS = re.compile(
    r"Batch job submission failed: Unspecified error|allocation failure: Unspecified error"
)


def is_silence(text: str) -> bool:
    """True when a command failed because Slurm doesn't answer, not because it refused.

    Example:
        >>> is_silence("slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
        True
    """
    return _SILENT.search(text) is not None


def explain_refusal(text: str) -> tuple[str, str]:
    """What Slurm's refusal means, and what to do; text that nothing is known of is passed on.

    Args:
        text: what a command of Slurm printed as it failed.

    Example:
        >>> explain_refusal("sbatch: error: Batch job submission failed: Invalid qos specification")[1]
        'Name another with --qos.'
    """
    for row in REFUSALS:
        found = re.search(row.pattern, text, re.MULTILINE)
        if found:
            values = {name: value.strip("`. ") for name, value in found.groupdict().items() if value}
            return row.message.format(**values), row.remedy.format(**values)
    said = _last_words(text) or "nothing"
    return f"Slurm refused it and said: {said}.", "If this doesn't tell you why, ask the centre's support."


def _last_words(text: str) -> str:
    """Slurm's own words in one line, without the commands' names before and the empty phrase behind them."""
    kept = [_NOISE.sub("", line).strip() for line in text.splitlines() if not _LAST_WORDS.search(line)]
    line = " ".join(word for word in kept if word)
    return "".join(letter for letter in line if letter.isprintable())[:300].rstrip(". ")
