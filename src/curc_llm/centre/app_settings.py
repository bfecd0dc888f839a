"""AppSettings: the installed app's own settings, portal.yml and over it portal.local.yml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from curc_llm.errors import SettingsError

FILES = ("portal.yml", "portal.local.yml")


@dataclass(frozen=True)
class AppSettings:
    """What the centre's staff chose for the app.

    Args:
        root: the app's folder.
        values: the keys of both files.
    """

    root: Path
    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A setting that is a text; empty when it isn't set."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    @property
    def site(self) -> str:
        """What the jobs' CURC_LLM_SITE is."""
        return self.text("site_file") or self.text("site")

    @property
    def clusters(self) -> tuple[str, ...]:
        """The portal's ids of the clusters that the form offers."""
        value = self.values.get("cluster")
        return tuple(map(str, value)) if isinstance(value, list) else (str(value),) if value else ()

    @property
    def runtime(self) -> Mapping[str, Any]:
        """kind, python, modules, image, binds."""
        value = self.values.get("runtime")
        return value if isinstance(value, dict) else {}

    @property
    def environment(self) -> dict[str, str]:
        """What jobs find in their environment, beside the site."""
        lines = self.values.get("environment")
        pairs = (str(line).partition("=") for line in (lines if isinstance(lines, list) else []))
        return {name: value for name, _, value in pairs if name.startswith("CURC_LLM_")}

    def command(self) -> list[str]:
        """What runs Python on a node as the portal's jobs do, modules apart."""
        kind, python = self.runtime.get("kind"), str(self.runtime.get("python") or "")
        if kind == "apptainer":
            binds = [part for bind in self.runtime.get("binds") or [] for part in ("--bind", str(bind))]
            return ["apptainer", "exec", *binds, str(self.runtime.get("image")), python or "python3"]
        if kind == "module":
            return [python or "python3"]
        return [python or str(self.root / ".venv" / "bin" / "python")]

    @property
    def modules(self) -> tuple[str, ...]:
        """Environment modules that jobs load."""
        return tuple(map(str, self.runtime.get("modules") or ()))


def read_app_settings(root: Path) -> AppSettings:
    """Reads an installed app's settings.

    Raises:
        SettingsError: there is no app, or a file can't be read.
    """
    values: dict[str, Any] = {}
    folder = root / "ood_app"
    if not (folder / FILES[0]).is_file():
        message = f"{root} isn't the app's folder: there is no ood_app/{FILES[0]}."
        raise SettingsError(message, "Give --app the folder that `make install` named.")
    for path in (folder / name for name in FILES):
        if not path.exists():
            continue
        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} can't be read: {error}.", "Mend it, or run make install.") from error
        for key, value in found.items():
            both = isinstance(value, dict) and isinstance(values.get(key), dict)
            values[key] = {**values[key], **value} if both else value
    return AppSettings(root, values)
