"""Files of an installation: what is copied, what is left over, and telling or doing each step."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
# What the portal needs of the checkout, and what jobs need.
APP_PARTS = (
    "manifest.yml", "form.yml.erb", "form.js", "submit.yml.erb", "view.html.erb", "info.html.erb",
    "completed.html.erb", "icon.svg", "VERSION", "LICENSE", "template", "ood_app",
)  # fmt: skip
RUNTIME_PARTS = (
    "src",
    "notebooks",
    "requirements",
    "scripts/setup.sh",
    "pyproject.toml",
    "VERSION",
    "README.md",
    "LICENSE",
)
NOT_COPIED = re.compile(r"(^|/)(__pycache__|[^/]*\.egg-info)(/|$)|\.pyc$|\.local\.[^/]*$")


class InstallError(Exception):
    """What keeps the installation from going on, in a sentence for the admin."""


class Steps:
    """Does things, or with `is_dry` only says what it would do; tells each, and whether anything changed."""

    def __init__(self, is_dry: bool) -> None:
        self.is_dry = is_dry
        self.changed = 0

    def say(self, text: str) -> None:
        """One line on standard output."""
        print(text, flush=True)

    def will(self, text: str) -> bool:
        """Says what is done; True when it is to be done now."""
        self.changed += 1
        self.say(("would " if self.is_dry else "") + text)
        return not self.is_dry

    def write(self, path: Path, text: str, mode: int = 0o644) -> None:
        """Writes a file unless it says that already; replaced at once, since people may be reading it."""
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return
        if self.will(f"write {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.new")
            beside.write_text(text, encoding="utf-8")
            beside.chmod(mode)
            beside.replace(path)

    def run(self, what: str, command: list[str], **more: str) -> None:
        """Runs a command, with what it says shown."""
        if not self.will(what):
            return
        done = subprocess.run(command, env={**os.environ, **more}, check=False)
        if done.returncode:
            raise InstallError(f"This failed (exit status {done.returncode}): {shlex.join(command)}")


def list_files(parts: tuple[str, ...]) -> dict[str, Path]:
    """The checkout's files below these parts, by their path in it; a part that isn't there has none."""
    found: dict[str, Path] = {}
    for part in parts:
        top = CHECKOUT / part
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            name = str(path.relative_to(CHECKOUT))
            if path.is_file() and not NOT_COPIED.search(name):
                found[name] = path
    return found


def copy_files(files: dict[str, Path], folder: Path) -> list[str]:
    """Copies what differs; returns the names of what it copied."""
    copied = []
    for name, source in files.items():
        target = folder / name
        mode = 0o755 if os.access(source, os.X_OK) else 0o644
        is_same = target.is_file() and target.read_bytes() == source.read_bytes()
        if not is_same:
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f".{target.name}.new")
            shutil.copyfile(source, beside)
            beside.chmod(mode)
            beside.replace(target)
            copied.append(name)
        elif target.stat().st_mode & 0o777 != mode:
            target.chmod(mode)
    return copied


def find_leftovers(files: dict[str, Path], folder: Path) -> list[Path]:
    """Files of an earlier version that this one hasn't; what is local is no leftover."""
    tops = [folder / part for part in APP_PARTS if (CHECKOUT / part).is_dir()]
    found = [path for top in tops if top.is_dir() for path in top.rglob("*") if path.is_file()]
    return [
        path for path in found
        if (name := str(path.relative_to(folder))) not in files and not re.search(r"\.local\.", name)
    ]  # fmt: skip
