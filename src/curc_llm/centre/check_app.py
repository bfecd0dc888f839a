"""The installed app itself: can everyone read it, does it belong to the site, does its table fit."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curc_llm.centre.app_settings import AppSettings
from curc_llm.centre.finding import Finding, compare
from curc_llm.sites.site import Site

SUBJECT = "app"
NEEDED = (
    "manifest.yml", "form.yml.erb", "submit.yml.erb", "view.html.erb", "info.html.erb",
    "template/before.sh.erb", "template/script.sh.erb", "template/after.sh.erb", "ood_app/lib/curc_llm.rb",
)  # fmt: skip
OPEN_FILE, OPEN_FOLDER = 0o004, 0o005  # what everyone needs who launches from it


def check_app(app: AppSettings, site: Site, *, is_shared: bool = True) -> Iterator[Finding]:
    """Files, modes, site and launch table.

    Args:
        app: as installed.
        site: that people launch at.
        is_shared: whether other people than its owner launch from it.
    """
    missing = [name for name in NEEDED if not (app.root / name).is_file()]
    again = "Run make install again."
    if missing:
        yield Finding(SUBJECT, "files", "differs", "complete", f"{', '.join(missing)} missing", again)
    else:
        yield Finding(SUBJECT, "files", "ok", "complete", str(app.root))
    yield _check_modes(app.root, is_shared)
    yield compare(SUBJECT, "site", site.name, app.text("site"), remedy="Install again with SITE=…")
    yield from _check_table(app, site)


def _check_modes(root: Path, is_shared: bool) -> Finding:
    script = root / "template" / "script.sh.erb"
    if script.is_file() and not script.stat().st_mode & stat.S_IXUSR:
        return Finding(
            SUBJECT, "modes", "differs", "script.sh.erb can be run", "it can't", "Run make install again."
        )
    closed = [path for path in (root, *root.rglob("*")) if is_shared and not _is_open(path)]
    if closed:
        found = f"{len(closed)} can't be read, such as {closed[0]}"
        return Finding(SUBJECT, "modes", "differs", "everyone can read it", found, "Run make install again.")
    loose = [path for path in root.rglob("*") if path.stat().st_mode & stat.S_IWOTH and not path.is_symlink()]
    if loose:
        remedy = f"Run: chmod -R o-w {root}"
        return Finding(
            SUBJECT, "modes", "differs", "only its owner writes it", f"all write {loose[0]}", remedy
        )
    return Finding(SUBJECT, "modes", "ok", "", "readable for those who launch, writable for the owner alone")


def _is_open(path: Path) -> bool:
    needed = OPEN_FOLDER if path.is_dir() else OPEN_FILE
    return path.stat().st_mode & needed == needed


def _check_table(app: AppSettings, site: Site) -> Iterator[Finding]:
    """The form reads limits and prices from the table, so these must be the site file's."""
    path = app.root / "ood_app" / (app.text("launch_table") or "launch_table.json")
    again = f"Run: curc-llm table --site {app.site or site.name} --output {path}"
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rules, gpus, name = table["site"]["qos"], set(table["gpus"]), table["site"]["name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"can't be read ({type(error).__name__})"
        yield Finding(SUBJECT, "launch table", "differs", "can be read", told, again)
        return
    yield compare(SUBJECT, "launch table's site", site.name, str(name), remedy=again)
    wanted = {gpu for partition in site.partitions.values() for gpu in partition.gpu_types}
    stale = sorted(wanted ^ gpus)
    for qos_name, qos in site.qos.items():
        told = rules.get(qos_name, {})
        if (told.get("max_time_h"), told.get("billing_factor")) != (qos.max_time_h, qos.billing_factor):
            stale.append(qos_name)
    if stale:
        yield Finding(
            SUBJECT, "launch table", "differs", "of this site file", f"other {', '.join(stale)}", again
        )
    else:
        yield Finding(
            SUBJECT, "launch table", "ok", "", f"{len(gpus)} GPU types, {len(rules)} QoS, as the site's"
        )
