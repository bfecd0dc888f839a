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
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from install_files import (
    APP_PARTS,
    CHECKOUT,
    RUNTIME_PARTS,
    InstallError,
    Steps,
    copy_files,
    find_leftovers,
    list_files,
)
from install_settings import (
    NAME,
    ask_site,
    find_site_name,
    is_file_name,
    write_module,
    write_settings,
)

SYS_APPS = Path("/var/www/ood/apps/sys")
SHIPPED_TABLE_SITE = "alpine"
MODULE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/@:=~-]*")
STAMP = ".venv/.curc-llm-installed"


def choose_app(wanted: str) -> Path:
    """The app's folder: `sys`, `dev` or a path; without a wish what the caller may write."""
    if wanted not in ("", "sys", "dev") and not Path(wanted).expanduser().is_absolute():
        raise InstallError(f"APP is {wanted}; it must be sys, dev or a full path.")
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
            "INSTALLING": "1",
        }
        more = {name: os.environ.get(name) or str(value) for name, value in places.items()}
        more |= {"ENGINE": engine} if engine else {}
        more["PATH"] = outside_path(os.environ.get("PATH", ""))
        steps.run(
            f"build the runtime in {release} (some minutes)", [str(release / "scripts" / "setup.sh")], **more
        )
        if not steps.is_dry:
            subprocess.run([python, "-m", "compileall", "-q", release / "src"], check=False)
            stamp.write_text(engine + "\n")
    link_current(prefix, release, steps)
    return python


def outside_path(path: str) -> str:
    """PATH without this checkout's own environment, whose Python must not build another; with its uv."""
    own = str(CHECKOUT / ".venv" / "bin")
    kept = [folder for folder in path.split(os.pathsep) if folder and folder != own]
    return os.pathsep.join([*kept, str(CHECKOUT / ".tools" / "bin")])


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
    if steps.is_dry and asked.runtime == "venv" and not asked.python:
        return []  # the runtime isn't built
    storage = ask_site(command, asked.site)
    names = ("state_dir", "cache_dir", "hf_home")
    return [f"CURC_LLM_{name.upper()}={storage[name]}" for name in names if storage.get(name)]


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
    for module in asked.modules.split():
        if not MODULE_NAME.fullmatch(module):
            raise InstallError(f"MODULES has {module}, which is no module's name (such as curc-llm/0.3).")
    if asked.runtime == "apptainer" and not asked.image:
        raise InstallError("RUNTIME=apptainer needs IMAGE: the image with curc-llm and vLLM.")
    if asked.image and "://" not in asked.image and not Path(asked.image).exists():
        raise InstallError(f"There is no IMAGE {asked.image}.")
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
    environment = read_storage(asked, command, steps)  # a runtime that doesn't run is told before any copy
    install_app(app, steps)
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
