"""The app's folder set up for another site, as `make install` would leave it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

# What the portal reads of the app.
PARTS = (
    "VERSION", "completed.html.erb", "form.js", "form.yml.erb", "icon.svg", "info.html.erb", "manifest.yml",
    "ood_app", "submit.yml.erb", "template", "view.html.erb",
)  # fmt: skip


def copy_app(source: Path, target: Path, site: str) -> Path:
    """Copies the app and writes its portal.local.yml and launch table for a site.

    Args:
        source: a checkout, whose `.venv` the jobs use.
        target: the new folder; what was there goes.
        site: a shipped site, whose name the cluster has too.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o755, parents=True)
    for name in PARTS:
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        copy(source / name, target / name)
    (target / "template").chmod(0o755)
    table = target / "ood_app" / "launch_table.local.json"
    write = [sys.executable, "-m", "curc_llm.cli.main", "table", "--site", site, "--output", str(table)]
    subprocess.run(write, check=True, capture_output=True)
    (target / "ood_app" / "portal.local.yml").write_text(
        f"cluster: {site}\nsite: {site}\nlaunch_table: {table.name}\nhost: short\n"
        f"runtime:\n  kind: venv\n  python: {sys.executable}\n"
    )
    return target
