"""Doctor's look at folders and files: can they be written, is there room, are they private."""

from __future__ import annotations

import getpass
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from curc_llm.cli.check import Check
from curc_llm.engine.hub_token import token_path
from curc_llm.errors import LaunchError
from curc_llm.session.paths import MAX_SOCKET_PATH_BYTES, make_runtime_dir
from curc_llm.settings import Settings

GIB = 1024**3
# Below these a session can't write its logs, or a small model can't be downloaded.
MIN_FREE_STATE_GIB = 0.1
MIN_FREE_CACHE_GIB = 5.0
# CURC's homes hold 2 GB, and other centres' are of that order.
SMALL_HOME_GIB = 4.0
LONGEST_SOCKET_NAME = "gateway.sock"


def check_folders(settings: Settings, environ: Mapping[str, str]) -> list[Check]:
    """All checks of folders and files."""
    return [
        check_folder("state_dir", settings.state_dir, MIN_FREE_STATE_GIB),
        check_folder("cache_dir", settings.cache_dir, MIN_FREE_CACHE_GIB),
        check_folder("hf_home", settings.hf_home, MIN_FREE_CACHE_GIB),
        check_home(settings, Path(environ.get("HOME") or Path.home())),
        check_sockets(),
        check_token(settings, environ),
    ]


def check_folder(name: str, folder: Path, min_free_gib: float) -> Check:
    """Whether a folder of the settings can be made and written, and has room."""
    remedy = f"Set {name} (CURC_LLM_{name.upper()}) to a folder you can write."
    try:
        place = next(p for p in (folder, *folder.parents) if p.exists())
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Check(name, "fail", f"{folder} can't be written: {error.strerror}.", remedy)
    free_gib = shutil.disk_usage(place).free / GIB
    if free_gib < min_free_gib:
        message = f"{folder} has {free_gib:.1f} GiB free; {min_free_gib} GiB or more are wanted."
        level: Literal["warn", "fail"] = "warn" if free_gib > MIN_FREE_STATE_GIB else "fail"
        return Check(name, level, message, "Free some space, or move it.")
    return Check(name, "ok", f"{folder}, {free_gib:.0f} GiB free")


def check_home(settings: Settings, home: Path) -> Check:
    """Whether models would land in a home that is too small for them."""
    inside = [n for n in ("cache_dir", "hf_home") if getattr(settings, n).is_relative_to(home)]
    projects = Path("/projects") / getpass.getuser()
    small = home.exists() and shutil.disk_usage(home).total <= SMALL_HOME_GIB * GIB
    if inside and (small or projects.is_dir()):
        better = projects if projects.is_dir() else "a scratch or projects folder"
        message = f"{' and '.join(inside)} would fill your home, which is small."
        return Check("home", "warn", message, f"Set cache_dir to {better}.")
    return Check("home", "ok", "models don't fill a small home")


def check_sockets() -> Check:
    """Whether there is a folder for sockets whose path is short enough."""
    try:
        folder = make_runtime_dir()
    except LaunchError as error:
        return Check("sockets", "fail", error.message, error.remedy)
    folder.rmdir()
    length = len(os.fsencode(folder / LONGEST_SOCKET_NAME))
    return Check("sockets", "ok", f"in {folder.parent}, {length} of {MAX_SOCKET_PATH_BYTES} bytes")


def check_token(settings: Settings, environ: Mapping[str, str]) -> Check:
    """Whether others can read the Hugging Face token."""
    own = token_path(environ)
    path = own if own.exists() else settings.hf_home / "token"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return Check("HF token", "ok", "none; only gated models need one (curc-llm token)")
    if mode & 0o077:
        return Check("HF token", "fail", f"{path} can be read by other users.", "Run: curc-llm token --show")
    return Check("HF token", "ok", f"{path}, private")
