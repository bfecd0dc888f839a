"""Storage paths of a site on the machine that uses them: variables and `~` replaced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from curc_llm.errors import SiteError
from curc_llm.settings import VARIABLE, with_user


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

    environ = with_user(environ)

    def replace(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not environ.get(name):
            raise SiteError(
                f"The folder {text} can't be found: ${name} isn't set here.",
                f"Set {name}, or run this on a compute node if your centre sets it only there.",
            )
        return environ[name]

    path = VARIABLE.sub(replace, text)
    if path == "~" or path.startswith("~/"):
        path = str(environ.get("HOME") or Path.home()) + path[1:]
    return Path(path)
