"""The settings that an installation writes: the app's portal.local.yml, and a module file for the shell."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
from pathlib import Path

from install_files import CHECKOUT, InstallError, Steps

NAME = "curc-llm"
HEADER = """\
# This centre's choices: they count more than portal.yml, which explains each. `make install` writes the keys
# that it was told; all other keys are yours, and it leaves them as they are.
"""
MODULE_FILE = """\
-- Written by `make install`. The command `curc-llm`, of the version and for the site of the portal's app.
help([[Language models as your own Slurm job: curc-llm --help]])
whatis("Name: curc-llm")
prepend_path("PATH", {bin})
{settings}"""


def ask_site(command: list[str], site: str) -> dict[str, str]:
    """Name and storage folders of a site, as the runtime knows it.

    Raises InstallError when the runtime doesn't run, or there is no such site.
    """
    asked = ["site", "show", site, "--json"]
    try:
        done = subprocess.run([*command, *asked], capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"The runtime can't be run ({error}).") from error
    if done.returncode:
        raise InstallError(f"The runtime says: {done.stderr.strip()[-600:]}")
    figures = json.loads(done.stdout)
    return {f["place"].partition(".")[2]: f["value"] for f in figures if f["place"].startswith("storage.")}


def merge_settings(old: str, new: dict[str, object]) -> str:
    """The local settings' text: keys that are told now replaced, all others kept as they stand."""
    blocks = re.split(r"(?m)^(?=[a-z_]+:)", old or HEADER)
    kept = [block for block in blocks if block.partition(":")[0] not in new]
    text = "".join(kept)
    return (
        text
        + ("" if text.endswith("\n") else "\n")
        + "".join(f"{key}: {json.dumps(value)}\n" for key, value in new.items())
    )


def sort_settings(text: str) -> list[str]:
    """The settings without their order, to see whether anything changes."""
    return sorted(re.split(r"(?m)^(?=[a-z_]+:)", text))


def write_settings(app: Path, new: dict[str, object], steps: Steps) -> None:
    """ood_app/portal.local.yml."""
    path = app / "ood_app" / "portal.local.yml"
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    merged = merge_settings(old, new)
    if sort_settings(merged) != sort_settings(old):
        steps.write(path, merged)


def find_site_name(site: str) -> str:
    """The name of a site: itself, or what its file says."""
    if not is_file_name(site):
        names = sorted(path.stem for path in (CHECKOUT / "src/curc_llm/data/sites").glob("*.yml"))
        if site not in names:
            told = f"Sites there are: {', '.join(names)}; or give the path of a site file."
            raise InstallError(f"There is no site named {site!r}. {told}")
        return site
    try:
        found = re.search(r"(?m)^name:\s*['\"]?([a-z0-9][a-z0-9_-]*)", Path(site).read_text(encoding="utf-8"))
    except OSError as error:
        raise InstallError(f"The site file {site} can't be read: {error.strerror}.") from error
    if found is None:
        raise InstallError(f"The site file {site} has no line `name: …`; see docs/adding-a-site.md.")
    return found[1]


def is_file_name(site: str) -> bool:
    """Whether a site is given as a file."""
    return os.sep in site or site.endswith((".yml", ".yaml"))


def write_module(asked: argparse.Namespace, python: str, environment: list[str], steps: Steps) -> Path | None:
    """A module file for Lmod, so that the shell's commands are those of the portal."""
    if asked.runtime != "venv" or not asked.prefix:
        return None
    pairs = [line.partition("=")[::2] for line in (f"CURC_LLM_SITE={asked.site}", *environment)]
    # The variables in paths are each user's own: they are replaced by curc-llm, not by the module.
    settings = [f"setenv({json.dumps(name)}, {json.dumps(value)})" for name, value in pairs]
    text = MODULE_FILE.format(bin=json.dumps(str(Path(python).parent)), settings="\n".join(settings) + "\n")
    path = Path(asked.prefix) / "modulefiles" / NAME / f"{(CHECKOUT / 'VERSION').read_text().strip()}.lua"
    if not steps.is_dry or not path.is_file():  # a dry run can't know what the settings will be
        steps.write(path, text)
    return path
