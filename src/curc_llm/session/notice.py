"""What people must know of their data: the centre's own words, or what is true of every session."""

from __future__ import annotations

from collections.abc import Mapping

VARIABLE = "CURC_LLM_DATA_NOTICE"
MAX_CHARACTERS = 1000
DEFAULT = (
    "Prompts and answers stay on this cluster: they go to your own session and nowhere else, and are not"
    " written down. A conversation ends with its page. Don't use data that your institution forbids here,"
    " such as CUI, HIPAA, FERPA or ITAR data."
)


def read_data_notice(environ: Mapping[str, str]) -> str:
    """The notice as plain text on one line.

    Args:
        environ: the environment; jobs from the portal have the centre's words in it.

    Example:
        >>> read_data_notice({"CURC_LLM_DATA_NOTICE": " No  patient data. "})
        'No patient data.'
    """
    return " ".join(environ.get(VARIABLE, "").split())[:MAX_CHARACTERS] or DEFAULT
