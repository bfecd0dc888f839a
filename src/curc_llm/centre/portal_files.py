"""PortalFiles: what an Open OnDemand says of itself in its files, as far as the caller may read them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CONFIG = Path("etc/ood/config")


@dataclass(frozen=True)
class PortalFiles:
    """The portal of a web node.

    Args:
        version: such as `4.0.2`; empty when it can't be read.
        apache: the keys of ood_portal.yml; None when it can't be read.
        clusters: each cluster file's content, by its id; None when the folder can't be read.
        dynamic_js: whether the portal's own form script is on; None when that can't be told.
    """

    version: str = ""
    apache: dict[str, Any] | None = None
    clusters: dict[str, Any] | None = None
    dynamic_js: bool | None = None
    is_here: bool = field(default=False)


def read_portal_files(root: Path = Path("/")) -> PortalFiles:
    """Reads them; what isn't there or may not be read is left empty.

    Args:
        root: where the portal's file system begins; tests and copies have it elsewhere.
    """
    config = root / CONFIG
    apache = _read(config / "ood_portal.yml")
    return PortalFiles(
        version=_read_version(root / "opt" / "ood" / "VERSION"),
        apache=apache if isinstance(apache, dict) else None,
        clusters=_read_clusters(config / "clusters.d"),
        dynamic_js=_read_dynamic_js(config),
        is_here=config.is_dir() or (root / "opt" / "ood").is_dir(),
    )


def _read_version(path: Path) -> str:
    try:
        found = re.match(r"v?(\d+(?:\.\d+)*)", path.read_text(encoding="utf-8").strip())
    except OSError:
        return ""
    return found[1] if found else ""


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return None


def _read_clusters(folder: Path) -> dict[str, Any] | None:
    """The id is the file's name; a file with ERB in it can't be read as YAML, but it is there."""
    if not folder.is_dir():
        return None
    files = [*folder.glob("*.yml"), *folder.glob("*.yml.erb")]
    return {path.name.partition(".")[0]: _read(path) for path in sorted(files)}


def _read_dynamic_js(config: Path) -> bool | None:
    """`bc_dynamic_js` in ondemand.d, or OOD_BC_DYNAMIC_JS of the dashboard; off without either."""
    if not config.is_dir():
        return None
    values = [_read(path) for path in sorted((config / "ondemand.d").glob("*.yml"))]
    found = [v["bc_dynamic_js"] for v in values if isinstance(v, dict) and "bc_dynamic_js" in v]
    if found:
        return bool(found[-1])
    try:
        text = (config / "apps" / "dashboard" / "env").read_text(encoding="utf-8")
    except OSError:
        return False
    said = re.search(r"(?m)^\s*(?:export\s+)?OOD_BC_DYNAMIC_JS=['\"]?(\w+)", text)
    return said is not None and said[1].lower() in {"1", "true", "yes", "on"}


def find_set_host(cluster: Any) -> str:
    """The `set_host` that a cluster's file gives to jobs of the template `basic`; empty for none."""
    try:
        return str(cluster["v2"]["batch_connect"]["basic"]["set_host"])
    except (KeyError, TypeError):
        return ""
