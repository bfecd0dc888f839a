"""Doctor's look at the settings: do they hold, and where does each come from."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from curc_llm.cli.check import Check
from curc_llm.client.connection import SESSION_VARIABLE
from curc_llm.errors import SettingsError
from curc_llm.settings import ENV_PREFIX, ModelSettings, Settings, load_settings, user_config_file
from curc_llm.sites.placement import load_site_settings

# Variables with our prefix that are no settings: which file to read, debugging, CURC's own models folder, and
# which session `connect()` means.
OTHER_VARIABLES = {"CURC_LLM_CONFIG", "CURC_LLM_DEBUG", "CURC_LLM_DIR", SESSION_VARIABLE}
# Kept when the settings can't be used, so that the other checks still look at the right home.
FOLDER_VARIABLES = ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "HF_HOME")


def check_settings(config: Path | None, environ: Mapping[str, str]) -> tuple[Settings, list[Check]]:
    """The settings, or the defaults when they can't be used, and what there is to say about them."""
    checks = _check_variables(environ)
    try:
        settings = load_site_settings(config, environ)
    except SettingsError as error:
        fallback = {name: environ[name] for name in FOLDER_VARIABLES if name in environ}
        fallback["XDG_CONFIG_HOME"] = "/nonexistent"
        checks.insert(0, Check("settings", "fail", error.message, error.remedy))
        return load_settings(None, fallback), checks
    return settings, [Check("settings", "ok", _render_sources(config, environ)), *checks]


def _check_variables(environ: Mapping[str, str]) -> list[Check]:
    """Misspelt variables: nothing reads them, and nobody notices."""
    known = {ENV_PREFIX + name.upper() for name in (*Settings.model_fields, *ModelSettings.model_fields)}
    known |= OTHER_VARIABLES
    known -= {"CURC_LLM_MODELS", "CURC_LLM_DEFAULTS"}
    return [
        Check("settings", "warn", f"{name} is not a setting; nothing reads it.", _suggest(name, known))
        for name in sorted(environ)
        if name.startswith(ENV_PREFIX) and name not in known
    ]


def _suggest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else "Unset it."


def _render_sources(config: Path | None, environ: Mapping[str, str]) -> str:
    """Each setting that isn't a default, and where it comes from; never its value."""
    named = config or (Path(environ["CURC_LLM_CONFIG"]) if environ.get("CURC_LLM_CONFIG") else None)
    files = [path for path in (user_config_file(environ), named) if path is not None and path.exists()]
    parts = [f"from {path}: {', '.join(_names(path)) or 'nothing'}" for path in files]
    names = [n.upper() for n in (*Settings.model_fields, *ModelSettings.model_fields)]
    variables = [ENV_PREFIX + name for name in names if environ.get(ENV_PREFIX + name)]
    if variables:
        parts.append(f"from the environment: {', '.join(variables)}")
    return "; ".join(parts) or "all defaults"


def _names(path: Path) -> list[str]:
    values: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    names: list[str] = []
    for key, value in (values or {}).items():
        names += [f"{key}.{inner}" for inner in value] if isinstance(value, dict) else [str(key)]
    return names
