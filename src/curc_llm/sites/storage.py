"""Storage paths of a site on the machine that uses them: variables and `~` replaced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from curc_llm.errors import SiteError
from curc_llm.variables import find_unset, replace_variables


def expand_path(text: str, environ: Mapping[str, str]) -> Path:
    """The folder that a site's storage entry means here.

    Args:
        text: as the site file has it, such as `/scratch/alpine/$USER/curc-llm`.
        environ: the environment; without USER in it, the caller's name is taken.

    Raises:
        SiteError: it names a variable that isn't set here; a site may set some on compute nodes only.

    Example:
        >>> expand_path("/projects/$USER/curc-llm", {"USER": "ralphie"})
        PosixPath('/projects/ralphie/curc-llm')
    """
    if unset := find_unset(text, environ):
        raise SiteError(
            f"The folder {text} can't be found: ${unset} isn't set here.",
            f"Set {unset}, or run this on a compute node if your centre sets it only there.",
        )
    path = replace_variables(text, environ)
    if path == "~" or path.startswith("~/"):
        path = str(environ.get("HOME") or Path.home()) + path[1:]
    return Path(path)
