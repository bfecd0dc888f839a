"""The app's folder set up for another site, as `make install` would leave it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

# What the portal reads of the app.
PARTS = (
    "VERSION", "completed.html.erb", "form.js", "form.yml.erb", "icon.svg", "info.html.erb", "manifest.yml",
    "ood_app", "submit.yml.erb", "template", "view.html.erb",
)  # fmt: skip


def copy_app(source: Path, target: Path, site: str, site_file: Path | None = None) -> Path:
    """Copies the app and writes its portal.local.yml and launch table for a site.

    Args:
        source: a checkout, whose `.venv` the jobs use.
        target: the new folder; what was there goes.
        site: whose name the cluster has too.
        site_file: the site's file; the one that is shipped when not given.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o755, parents=True)
    for name in PARTS:
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        copy(source / name, target / name)
    (target / "template").chmod(0o755)
    table = target / "ood_app" / "launch_table.local.json"
    named = str(site_file or site)
    write = [sys.executable, "-m", "curc_llm.cli.main", "table", "--site", named, "--output", str(table)]
    subprocess.run(write, check=True, capture_output=True)
    lines = (
        f"cluster: {site}",
        f"site: {site}",
        f"site_file: {json.dumps(str(site_file or ''))}",
        f"launch_table: {table.name}",
        "host: short",
        f"runtime:\n  kind: venv\n  python: {sys.executable}",
    )
    (target / "ood_app" / "portal.local.yml").write_text("\n".join(lines) + "\n")
    return target
