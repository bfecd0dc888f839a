"""Words: what names, numbers and paths that go to Slurm may look like, whoever wrote them."""

from __future__ import annotations

import re
from pathlib import Path

from curc_llm.errors import SpecError

# Accounts, QoS and GPU types such as a100_3g.20gb. None may begin with a dash, which would make it an option.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,127}")
_PATTERNS = {
    "job_name": re.compile(r"[A-Za-z0-9][A-Za-z0-9_./+-]{0,99}"),
    "constraint": re.compile(r"[A-Za-z0-9][A-Za-z0-9_.&|,()\[\]*+-]{0,255}"),
}


def check_word(name: str, value: str, *, needed: bool = False) -> None:
    """Accepts a word that Slurm could mean.

    Args:
        name: what it is, such as `account`.
        value: the word; empty stands for none.
        needed: whether there must be one.

    Raises:
        SpecError: it holds letters that no such word has, or is missing.
    """
    if not value and needed:
        raise SpecError(f"A job needs a {name}, and none was given.", f"Name the {name}.")
    if value and _PATTERNS.get(name, _NAME).fullmatch(value) is None:
        raise SpecError(
            f"The {name} {_short(value)} isn't something that Slurm could mean.",
            "Use letters, digits and . _ - only, as Slurm prints it.",
        )


def check_number(name: str, value: int, least: int) -> None:
    """Accepts a number that is large enough.

    Raises:
        SpecError: it isn't.
    """
    if value < least:
        raise SpecError(f"{name} is {value}, but at least {least} is needed.", f"Ask for {least} or more.")


def check_path(path: Path) -> None:
    """Accepts a path that Slurm can write to, whatever else is in it.

    Raises:
        SpecError: it isn't a full one, or has a line break.
    """
    if not path.is_absolute() or "\n" in str(path):
        raise SpecError(
            f"The job's output can't go to {_short(str(path))}: a full path without line breaks is needed.",
            "Choose another state_dir.",
        )


def _short(value: str) -> str:
    """A hostile value in a sentence: quoted, and no more of it than a person reads."""
    return repr(value if len(value) <= 60 else value[:60] + "…")
