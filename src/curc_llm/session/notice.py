"""What people must know of their data: the centre's own words, or what is true of every session."""

from __future__ import annotations

from collections.abc import Mapping

VARIABLE = "CURC_LLM_DATA_NOTICE"
MAX_CHARACTERS = 1000
FORBIDDEN = "Don't use data that your institution forbids here, such as CUI, HIPAA, FERPA or ITAR data."
DEFAULT = (
    "Prompts and answers stay on this cluster: they go to your own session and nowhere else. Chats of this"
    " page are kept in your own account, where only you and the cluster's administrators can read them."
    f" {FORBIDDEN}"
)

# For a guest's page: their text lies in somebody else's account, which they must know before they write.
GUEST_NOTICE = (
    "You are a guest in {owner}'s session. Your chats and uploads are kept in {owner}'s account on this"
    " cluster: other guests don't see them, but {owner} and the cluster's administrators can read them there."
    " They are removed 30 days after you last changed them, unless pinned; export what you want to keep."
)


def render_guest_notice(owner: str, environ: Mapping[str, str]) -> str:
    """What a guest must know: whose account their text lies in, then what the centre says, if it does.

    Args:
        owner: Unix user name of the session's owner.
        environ: the environment; jobs from the portal have the centre's words in it.

    Example:
        >>> render_guest_notice("ana", {})[:36]
        "You are a guest in ana's session. Yo"
    """
    own = GUEST_NOTICE.format(owner=owner or "the owner")
    return f"{own} {read_data_notice(environ)}" if environ.get(VARIABLE, "").strip() else f"{own} {FORBIDDEN}"


def read_data_notice(environ: Mapping[str, str]) -> str:
    """The notice as plain text on one line.

    Args:
        environ: the environment; jobs from the portal have the centre's words in it.

    Example:
        >>> read_data_notice({"CURC_LLM_DATA_NOTICE": " No  patient data. "})
        'No patient data.'
    """
    return " ".join(environ.get(VARIABLE, "").split())[:MAX_CHARACTERS] or DEFAULT
