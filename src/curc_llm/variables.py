"""Variables in the paths of folders, as site files and settings have them: `$USER`, `${SCRATCH}`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")


def with_user(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, with USER from the system's list of users where nobody set it (cron, containers).

    Example:
        >>> with_user({"USER": "ralphie"})["USER"]
        'ralphie'
    """
    if environ.get("USER"):
        return environ
    try:
        import pwd

        return {**environ, "USER": pwd.getpwuid(os.getuid()).pw_name}
    except (ImportError, KeyError):  # laptops with Windows have no such list; containers have gaps in it
        return environ


def find_unset(text: str, environ: Mapping[str, str]) -> str:
    """The first variable of a path that isn't set, without its `$`; empty when all are.

    Example:
        >>> find_unset("/scratch/$USER/$ON_NODES_ONLY", {"USER": "ralphie"})
        'ON_NODES_ONLY'
    """
    known = with_user(environ)
    names = (found[1] or found[2] for found in VARIABLE.finditer(text))
    return next((name for name in names if not known.get(name)), "")


def replace_variables(text: str, environ: Mapping[str, str]) -> str:
    """A path with the values of its variables; those that aren't set stay.

    Example:
        >>> replace_variables("/scratch/$USER/${X}", {"USER": "ralphie"})
        '/scratch/ralphie/${X}'
    """
    known = with_user(environ)
    return VARIABLE.sub(lambda found: known.get(found[1] or found[2]) or found[0], text)
