"""The notebooks that curc-llm brings, copied to a folder of the person's, whose changes are never lost."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from curc_llm.errors import LaunchError
from curc_llm.session.files import write_json

FIRST = "01-connect-and-chat.ipynb"
# What was copied, so that an update may renew it where the person has changed nothing.
NOTE = ".copied.json"


def find_shipped_notebooks() -> Path | None:
    """The folder `notebooks` of the checkout or release that this package is in; None without one."""
    folder = Path(__file__).resolve().parents[3] / "notebooks"
    return folder if (folder / FIRST).is_file() else None


def copy_notebooks(source: Path, target: Path) -> list[str]:
    """Copies the notebooks that aren't there, and renews those that nobody has changed.

    Args:
        source: the folder that curc-llm brings.
        target: the person's own folder.

    Returns:
        Names of the notebooks that the person has changed and that were therefore left as they are.

    Raises:
        LaunchError: the folder can't be written.
    """
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = _read_note(target / NOTE)
        kept = [path.name for path in source.glob("*.ipynb") if _is_own(target / path.name, before, path)]
        for path in sorted(p for p in source.iterdir() if p.name not in kept):
            _copy(path, target / path.name)
        digests = {path.name: _digest(path) for path in source.glob("*.ipynb")}
        write_json(target / NOTE, {**before, **{n: d for n, d in digests.items() if n not in kept}})
    except OSError as error:
        raise LaunchError(
            f"The notebooks can't be copied to {target}: {error.strerror}.", "Set CURC_LLM_STATE_DIR."
        ) from error
    return sorted(kept)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, copy_function=shutil.copyfile)
    elif source.suffix != ".md":
        shutil.copyfile(source, target)


def _is_own(path: Path, copied: dict[str, str], shipped: Path) -> bool:
    """Whether a person has made something of their own of it."""
    if not path.exists():
        return False
    digest = _digest(path)
    return digest not in {copied.get(path.name), _digest(shipped)}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_note(path: Path) -> dict[str, str]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
