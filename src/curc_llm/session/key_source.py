"""Where a script finds its key: a file or the environment, so that neither script nor `ps` ever shows it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

VARIABLE = "CURC_LLM_API_KEY"


@dataclass(frozen=True)
class KeySource:
    """Where the key is read from.

    Args:
        file: the file that holds it; empty for the environment.
        variable: the environment variable, where there is no file.

    Example:
        >>> KeySource("/home/ada/api.key").to_python()
        "Path('/home/ada/api.key').read_text().strip()"
    """

    file: str = ""
    variable: str = VARIABLE

    @property
    def python_import(self) -> str:
        """The line that `to_python` needs."""
        return "from pathlib import Path" if self.file else "import os"

    def to_python(self) -> str:
        """The key as a Python expression."""
        return f"Path({self.file!r}).read_text().strip()" if self.file else f"os.environ[{self.variable!r}]"

    def to_shell(self) -> str:
        """A command that prints a header for a pipe to `curl -H @-`, so that `ps` never shows the key."""
        if self.file:
            return f"sed 's/^/Authorization: Bearer /' {shlex.quote(self.file)}"
        return f"""printf 'Authorization: Bearer %s\\n' "${self.variable}\""""
