"""Placement: where a person's sessions, caches and models are kept at their site; homes are often small."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curc_llm.errors import CurcLlmError
from curc_llm.settings import Settings, load_settings
from curc_llm.sites.load import LOCAL, load_site
from curc_llm.sites.storage import expand_path

FOLDERS = ("state_dir", "cache_dir", "hf_home")


def load_site_settings(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings, with the folders that the site names unless the person names others.

    Args:
        config: the file named with `-c`.
        environ: the environment; os.environ when not given.
        flags: values from the command line; see `settings.load_settings` for all three.

    Raises:
        SettingsError: a file or variable can't be used.

    Example:
        >>> load_site_settings(environ={"HOME": "/home/ralphie", "USER": "ralphie"}).state_dir
        PosixPath('/home/ralphie/.local/state/curc-llm')
    """
    environ = os.environ if environ is None else environ
    settings = load_settings(config, environ, flags)
    folders = find_folders(settings.site, environ)
    return load_settings(config, environ, flags, folders) if folders else settings


def find_folders(site: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The site's folders that can be used on this machine, by the settings' names.

    A folder counts when the one above it exists and can be written, such as `/projects/ralphie`: on a laptop,
    or for somebody without a folder there, the home is used. What is wrong with a site file is told by
    whatever needs the site.
    """
    try:
        storage = load_site(site).storage if site != LOCAL else None
    except CurcLlmError:
        return {}
    if storage is None:
        return {}
    found = {name: _expand(getattr(storage, name), environ) for name in FOLDERS}
    return {name: str(path) for name, path in found.items() if path is not None and _is_usable(path)}


def _expand(text: str, environ: Mapping[str, str]) -> Path | None:
    try:
        return expand_path(text, environ) if text else None
    except CurcLlmError:
        return None


def _is_usable(path: Path) -> bool:
    return path.is_absolute() and path.parent.is_dir() and os.access(path.parent, os.W_OK | os.X_OK)
