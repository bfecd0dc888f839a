#!/usr/bin/env python3
"""`make install`: puts the app into the portal, builds what jobs run with, writes down the centre's choices.

Doing it twice changes nothing the second time; after an update it renews what is older. What jobs run with
gets a folder of its own for each version, so sessions that run keep theirs. Only Python's standard library is
needed, 3.9 or newer, since nothing is installed yet. docs/admin.md tells what to choose.
"""

from __future__ import annotations

import argparse
import getpass
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
SYS_APPS = Path("/var/www/ood/apps/sys")
NAME = "curc-llm"
# What the portal needs of the checkout, and what jobs need.
APP_PARTS = (
    "manifest.yml", "form.yml.erb", "form.js", "submit.yml.erb", "view.html.erb", "info.html.erb",
    "completed.html.erb", "icon.svg", "VERSION", "LICENSE", "template", "ood_app",
)  # fmt: skip
RUNTIME_PARTS = (
    "src",
    "requirements",
    "scripts/setup.sh",
    "pyproject.toml",
    "VERSION",
    "README.md",
    "LICENSE",
)
NOT_COPIED = re.compile(r"(^|/)(__pycache__|[^/]*\.egg-info)(/|$)|\.pyc$|\.local\.[^/]*$")
SHIPPED_TABLE_SITE = "alpine"
STAMP = ".venv/.curc-llm-installed"
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


def choose_app(wanted: str) -> Path:
    """The app's folder: `sys`, `dev` or a path; without a wish what the caller may write."""
    wanted = wanted or ("sys" if os.access(SYS_APPS, os.W_OK) else "dev")
    if wanted == "sys":
        return SYS_APPS / NAME
    return (
        Path.home() / "ondemand" / "dev" / NAME if wanted == "dev" else Path(wanted).expanduser().absolute()
    )


def is_shared(app: Path) -> bool:
    """Whether people other than the installer launch from that folder: it isn't below a home."""
    return not app.is_relative_to(Path.home()) and "dev" not in app.parts


def check_app(app: Path) -> None:
    """Raises when something else is there, or the portal would take the folder for something else."""
    if "." in app.name:
        raise InstallError(f"{app}: the portal hides folders with a dot in their name. Choose another APP.")
    if app.is_dir() and any(app.iterdir()) and not (app / "ood_app").is_dir():
        raise InstallError(f"{app} holds something else. Choose another APP, or move it away.")
    place = next(folder for folder in (app, *app.parents) if folder.exists())
    if not os.access(place, os.W_OK):
        raise InstallError(
            f"{place} can't be written by {getpass.getuser()}. Run this as its owner, or use APP=dev."
        )


def install_app(app: Path, steps: Steps) -> None:
    """The portal's side."""
    if app == CHECKOUT:
        steps.say(f"{app} is this checkout: nothing to copy")
        return
    files = list_files(APP_PARTS)
    stale = [
        n for n, p in files.items() if not (app / n).is_file() or (app / n).read_bytes() != p.read_bytes()
    ]
    leftovers = find_leftovers(files, app)
    if stale and steps.will(f"copy {len(stale)} of the app's {len(files)} files to {app}"):
        copy_files(files, app)
    if leftovers and steps.will(f"remove {len(leftovers)} files of an older version from {app}"):
        for path in leftovers:
            path.unlink()


def set_modes(app: Path, steps: Steps) -> None:
    """Each user's own process reads the app, and copies the mode of template/ onto the session's folder.

    A shared app's template must thus be open to all; before.sh closes the session's folder again.
    """
    if not app.is_dir() or app == CHECKOUT:
        return
    closed = {} if is_shared(app) else {app / "template": 0o700}
    wrong = {
        path: mode
        for path in (app, *app.rglob("*"))
        if not path.is_symlink()
        and (mode := closed.get(path, 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644))
        != path.stat().st_mode & 0o777
    }
    if wrong and steps.will(f"set the modes of {len(wrong)} files and folders in {app}"):
        for path, mode in wrong.items():
            path.chmod(mode)


def name_release() -> str:
    """Version and digest of all that a runtime is made of: the same name means the same content."""
    digest = hashlib.sha256()
    for name, path in list_files(RUNTIME_PARTS).items():
        digest.update(f"{name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return f"{(CHECKOUT / 'VERSION').read_text().strip()}-{digest.hexdigest()[:8]}"


def build_runtime(prefix: Path, engine: str, steps: Steps) -> Path:
    """The Python that jobs run with, in a folder of this version; returns its path."""
    release = prefix / "releases" / name_release()
    python = release / ".venv" / "bin" / "python"
    stamp = release / STAMP
    if python.exists() and stamp.is_file() and engine in ("", stamp.read_text().strip()):
        steps.say(f"{release} is there already")
    else:
        if not steps.is_dry:
            copy_files(list_files(RUNTIME_PARTS), release)
        # Others can neither read a home nor write compiled files here: all is brought, and compiled now.
        places = {
            "UV_CACHE_DIR": prefix / ".cache" / "uv",
            "UV_PYTHON_INSTALL_DIR": prefix / "python",
            "UV_COMPILE_BYTECODE": "1",
        }
        more = {name: os.environ.get(name) or str(value) for name, value in places.items()}
        more |= {"ENGINE": engine} if engine else {}
        steps.run(
            f"build the runtime in {release} (some minutes)", [str(release / "scripts" / "setup.sh")], **more
        )
        if not steps.is_dry:
            subprocess.run([python, "-m", "compileall", "-q", release / "src"], check=False)
            stamp.write_text(engine + "\n")
    link_current(prefix, release, steps)
    return python


def link_current(prefix: Path, release: Path, steps: Steps) -> None:
    """Points `current` to the newest release, for people's PATH; the app names the release itself."""
    current = prefix / "current"
    if os.path.lexists(current) and current.readlink() == Path("releases", release.name):
        return
    if steps.will(f"point {current} to releases/{release.name}"):
        beside = prefix / ".current.new"
        beside.unlink(missing_ok=True)
        beside.symlink_to(f"releases/{release.name}")
        beside.replace(current)


def render_command(asked: argparse.Namespace, python: str) -> list[str]:
    """What runs `curc-llm` with the runtime that jobs get."""
    inside = [python or "python3", "-P", "-m", "curc_llm.cli.main"]
    if asked.runtime == "apptainer":
        binds = [part for bind in asked.binds.split() for part in ("--bind", bind)]
        return ["apptainer", "exec", *binds, asked.image, *inside]
    if asked.runtime == "module":
        return [
            "bash",
            "-lc",
            f'module load {shlex.join(asked.modules.split())} && exec "$@"',
            "bash",
            *inside,
        ]
    return inside


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


def write_table(asked: argparse.Namespace, app: Path, command: list[str], steps: Steps) -> str:
    """The launch table of the site; returns its name in portal.local.yml."""
    if asked.site == SHIPPED_TABLE_SITE:
        return "launch_table.json"
    table = app / "ood_app" / "launch_table.local.json"
    arguments = ["table", "--site", asked.site, "--output", str(table)]
    if not steps.is_dry and table.is_file():
        checked = subprocess.run([*command, *arguments, "--check"], capture_output=True, check=False)
        if checked.returncode == 0:
            return table.name
    steps.run(f"write {table} (half a minute)", [*command, *arguments])
    return table.name


def read_storage(asked: argparse.Namespace, command: list[str], steps: Steps) -> list[str]:
    """Where jobs keep things at this site, as the settings' variables."""
    if steps.is_dry:
        return []
    storage = ask_site(command, asked.site)
    names = ("state_dir", "cache_dir", "hf_home")
    return [f"CURC_LLM_{name.upper()}={storage[name]}" for name in names if storage.get(name)]


def write_module(asked: argparse.Namespace, python: str, environment: list[str], steps: Steps) -> Path | None:
    """A module file for Lmod, so that the shell's commands are those of the portal."""
    if asked.runtime != "venv" or not asked.prefix:
        return None
    pairs = [line.partition("=")[::2] for line in (f"CURC_LLM_SITE={asked.site}", *environment)]
    # The variables in paths are each user's own: they are replaced by curc-llm, not by the module.
    settings = [f"setenv({json.dumps(name)}, {json.dumps(value)})" for name, value in pairs]
    text = MODULE_FILE.format(bin=json.dumps(str(Path(python).parent)), settings="\n".join(settings) + "\n")
    path = Path(asked.prefix) / "modulefiles" / NAME / f"{(CHECKOUT / 'VERSION').read_text().strip()}.lua"
    if not steps.is_dry:
        steps.write(path, text)
    return path


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """What `make install` passes on; empty means not told."""
    parser = argparse.ArgumentParser(prog="make install", description=__doc__)
    add = parser.add_argument
    add("--prefix", default="", help="folder of the runtime, which all nodes see")
    add("--app", default="", help="sys, dev, or the app's folder")
    add(
        "--site",
        default=SHIPPED_TABLE_SITE,
        help="a shipped site, or a site file that compute nodes can read",
    )
    add("--runtime", default="venv", choices=("venv", "module", "apptainer"))
    add("--engine", default="", choices=("", "cuda", "cpu"))
    add("--python", default="", help="a Python that has curc-llm and vLLM already: nothing is built then")
    add("--modules", default="", help="modules to load, with blanks between")
    add("--image", default="", help="the Apptainer image")
    add("--binds", default="", help="folders to bind into it")
    add("--host", default="", choices=("", "portal", "short", "fqdn"))
    add("--cluster", default="", help="the portal's id of the cluster")
    add("--dry-run", action="store_true")
    return parser.parse_args(arguments)


def check_arguments(asked: argparse.Namespace) -> None:
    """Raises InstallError for what can't work."""
    if asked.runtime == "venv" and not asked.prefix and not asked.python:
        raise InstallError("Say where the runtime goes: make install PREFIX=/path/that/compute/nodes/see")
    if asked.prefix and not Path(asked.prefix).is_absolute():
        raise InstallError(f"PREFIX is {asked.prefix}; it must be a full path.")
    if asked.runtime == "module" and not asked.modules:
        raise InstallError("RUNTIME=module needs MODULES: the module that brings curc-llm and vLLM.")
    if asked.runtime == "apptainer" and not asked.image:
        raise InstallError("RUNTIME=apptainer needs IMAGE: the image with curc-llm and vLLM.")
    if is_file_name(asked.site):
        asked.site = str(Path(asked.site).expanduser().absolute())


def install(asked: argparse.Namespace, steps: Steps) -> Path:
    """The whole installation; returns the app's folder."""
    check_arguments(asked)
    app = choose_app(asked.app)
    check_app(app)
    site_name = find_site_name(asked.site)
    python = asked.python
    if asked.runtime == "venv" and not python:
        python = str(build_runtime(Path(asked.prefix), asked.engine, steps))
    command = render_command(asked, python)
    install_app(app, steps)
    environment = read_storage(asked, command, steps)
    runtime = {
        "kind": asked.runtime, "python": python, "modules": asked.modules.split(), "image": asked.image,
        "binds": asked.binds.split(),
    }  # fmt: skip
    settings: dict[str, object] = {
        "site": site_name,
        "site_file": asked.site if is_file_name(asked.site) else "",
        "launch_table": write_table(asked, app, command, steps),
        "runtime": runtime,
        "environment": environment,
    }
    told = {"host": asked.host, "cluster": asked.cluster}
    write_settings(app, settings | {key: value for key, value in told.items() if value}, steps)
    set_modes(app, steps)
    module = write_module(asked, python, environment, steps)
    tell_next(app, command, module, steps)
    return app


def tell_next(app: Path, command: list[str], module: Path | None, steps: Steps) -> None:
    """What was done, and what comes next."""
    if steps.is_dry:
        steps.say("Nothing was done: this was a dry run.")
        return
    steps.say(f"Done: {steps.changed} changes." if steps.changed else "Done: everything was as it should be.")
    if module is not None:
        steps.say(f"For the shell: module use {module.parents[1]}; module load {NAME}")
    steps.say("Next:")
    steps.say(f"  {shlex.join(command)} doctor --site --app {app} --probe")
    steps.say(f"  {shlex.join(command)} accept")
    steps.say("  In the portal: Help, Restart Web Server; then launch it once yourself (docs/admin.md).")


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, or 1 with a sentence on standard error."""
    os.umask(0o022)
    asked = parse_arguments(arguments)
    try:
        install(asked, Steps(asked.dry_run))
    except (InstallError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
