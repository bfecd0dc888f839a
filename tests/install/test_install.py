"""`make install`: what it puts where, what it leaves alone, and what it says."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
Install = Callable[..., subprocess.CompletedProcess[str]]
# A stand-in for the environment of 3 GB: the tests' own Python under the name that jobs are given.
SETUP = f"""#!/usr/bin/env bash
cd "$(dirname "$0")/.."
mkdir -p .venv/bin
printf '#!/bin/sh\\nexec {sys.executable} "$@"\\n' > .venv/bin/python
chmod +x .venv/bin/python
echo "built for ${{ENGINE:-nothing}} with $UV_CACHE_DIR" >&2
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that this test may change, with a runtime that is built at once."""
    folder = tmp_path / "checkout"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.splitlines():
        if not name.startswith(("tests/", "docs/", "benchmarks/")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "scripts" / "setup.sh").write_text(SETUP)
    return folder


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return tmp_path / "apps" / "curc-llm"


@pytest.fixture
def install(checkout: Path, app: Path, tmp_path: Path) -> Install:
    """`make install` with variables; by default into this test's folders."""

    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        values = {"PREFIX": str(tmp_path / "prefix"), "APP": str(app)} | variables
        told = [f"{name}={value}" for name, value in values.items() if value]
        return subprocess.run(["make", "-C", checkout, "install", *told], capture_output=True, text=True)

    return run


def read_settings(app: Path) -> dict[str, object]:
    return yaml.safe_load((app / "ood_app" / "portal.local.yml").read_text())


def test_one_command_installs_app_runtime_and_settings_and_says_what_comes_next(
    install: Install, app: Path, tmp_path: Path
) -> None:
    done = install(ENGINE="cuda", HOST="fqdn")
    assert done.returncode == 0, done.stderr
    assert "built for cuda" in done.stderr
    python = read_settings(app)["runtime"]["python"]
    assert Path(python).parent.parent.parent.parent == tmp_path / "prefix" / "releases"
    assert Path(python).exists()
    assert read_settings(app)["host"] == "fqdn"
    assert "CURC_LLM_STATE_DIR=/projects/$USER/curc-llm" in read_settings(app)["environment"]
    assert f"doctor --site --app {app} --probe" in done.stdout
    assert (tmp_path / "prefix" / "current" / ".venv" / "bin" / "python").exists()
    for name in (
        "manifest.yml",
        "form.yml.erb",
        "submit.yml.erb",
        "template/script.sh.erb",
        "ood_app/portal.yml",
    ):
        assert (app / name).read_bytes() == (ROOT / name).read_bytes()


def test_the_second_time_nothing_is_done(install: Install) -> None:
    assert install().returncode == 0
    again = install()
    assert "everything was as it should be" in again.stdout
    assert "built" not in again.stderr


def test_a_dry_run_writes_nothing(install: Install, app: Path, tmp_path: Path) -> None:
    done = install(DRY_RUN="1")
    assert done.returncode == 0, done.stderr
    assert "would copy" in done.stdout
    assert "would build" in done.stdout
    assert f"would write {tmp_path}/prefix/modulefiles/curc-llm/" in done.stdout
    assert not app.exists()
    assert not (tmp_path / "prefix").exists()


def test_what_the_staff_wrote_stays_and_a_new_choice_replaces_the_old(install: Install, app: Path) -> None:
    install(HOST="short")
    local = app / "ood_app" / "portal.local.yml"
    local.write_text(local.read_text() + "# ours\ndata_notice: >-\n  Two lines\n  of ours.\n")
    assert install(HOST="fqdn", CLUSTER="blanca").returncode == 0
    settings = read_settings(app)
    assert settings["data_notice"] == "Two lines of ours."
    assert (settings["host"], settings["cluster"]) == ("fqdn", "blanca")
    assert read_settings(app) == yaml.safe_load(local.read_text())
    assert install().returncode == 0
    assert read_settings(app)["host"] == "fqdn"


def test_an_update_keeps_the_runtime_of_running_sessions_and_removes_old_files(
    install: Install, app: Path, checkout: Path
) -> None:
    install()
    old = read_settings(app)["runtime"]["python"]
    (app / "template" / "older.sh.erb").write_text("of an older version")
    (checkout / "src" / "curc_llm" / "errors.py").write_text(
        "# changed\n" + (ROOT / "src/curc_llm/errors.py").read_text()
    )
    (checkout / "manifest.yml").write_text((ROOT / "manifest.yml").read_text() + "# newer\n")
    assert install().returncode == 0
    new = read_settings(app)["runtime"]["python"]
    assert new != old
    assert Path(old).exists()
    assert "# newer" in (app / "manifest.yml").read_text()
    assert not (app / "template" / "older.sh.erb").exists()


def test_everyone_can_read_a_shared_app_and_nobody_else_write_it(install: Install, app: Path) -> None:
    install()
    modes = {p: stat.S_IMODE(p.stat().st_mode) for p in (app, *app.rglob("*"))}
    assert {m for p, m in modes.items() if p.is_dir()} == {0o755}  # every user's own rsync reads template/
    assert {m for p, m in modes.items() if p.is_file()} <= {0o644, 0o755}
    assert modes[app / "template" / "script.sh.erb"] == 0o755


@pytest.mark.slow
def test_a_site_file_gets_its_table_and_its_name(install: Install, app: Path, tmp_path: Path) -> None:
    own = tmp_path / "ours.yml"
    text = (
        (ROOT / "src/curc_llm/data/sites/capella.yml").read_text().replace("name: capella", "name: ours", 1)
    )
    own.write_text(text)
    done = install(SITE=str(own))
    assert done.returncode == 0, done.stderr
    settings = read_settings(app)
    assert (settings["site"], settings["site_file"]) == ("ours", str(own))
    table = json.loads((app / "ood_app" / str(settings["launch_table"])).read_text())
    assert table["site"]["name"] == "ours"


@pytest.mark.parametrize("dry", ["", "1"])
@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"SITE": "nope"}, "no site named 'nope'. Sites there are: alpine, capella"),
        ({"APP": "zz"}, "APP is zz; it must be sys, dev or a full path"),
        ({"RUNTIME": "module", "MODULES": "a;b"}, "MODULES has a;b, which is no module's name"),
        ({"RUNTIME": "apptainer", "IMAGE": "/nope.sif"}, "There is no IMAGE /nope.sif"),
        ({"RUNTIME_PYTHON": "/nope/python"}, "The runtime can't be run"),
        ({"RUNTIME_PYTHON": "BARE"}, "No module named"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_anything_is_copied(
    install: Install, app: Path, tmp_path: Path, variables: dict[str, str], text: str, dry: str
) -> None:
    bare = tmp_path / "bare-python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    bare.chmod(0o755)
    done = install(**{k: v.replace("BARE", str(bare)) for k, v in variables.items()}, DRY_RUN=dry)
    assert done.returncode != 0
    assert text in done.stderr
    assert not app.exists()
    assert not (tmp_path / "prefix").exists()


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"PREFIX": ""}, "PREFIX="),
        ({"PREFIX": "here"}, "must be a full path"),
        ({"RUNTIME": "module"}, "MODULES"),
        ({"RUNTIME": "apptainer"}, "IMAGE"),
        ({"SITE": "/nowhere/site.yml"}, "can't be read"),
        ({"SITE": "atlantis"}, "no site named 'atlantis'"),
        ({"APP": "/tmp/apps.old/my.app"}, "dot in their name"),
        ({"HOST": "elsewhere"}, "invalid choice"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_said_in_a_sentence(
    install: Install, variables: dict[str, str], text: str
) -> None:
    done = install(**variables)
    assert done.returncode != 0
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_with_something_else_is_left_alone(install: Install, app: Path) -> None:
    app.mkdir(parents=True)
    (app / "manifest.yml").write_text("name: another app\n")
    done = install()
    assert "holds something else" in done.stderr
    assert [p.name for p in app.iterdir()] == ["manifest.yml"]


def test_a_runtime_that_is_there_is_used_and_nothing_is_built(install: Install, app: Path) -> None:
    done = install(PREFIX="", RUNTIME_PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    assert read_settings(app)["runtime"]["python"] == sys.executable


def test_a_module_is_loaded_to_ask_the_runtime(install: Install, app: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".bash_profile").write_text('module() { echo "$@" > $HOME/loaded; }\n')
    done = install(
        PREFIX="", RUNTIME="module", MODULES="curc-llm/0.3", RUNTIME_PYTHON=sys.executable, HOME=str(home)
    )
    assert done.returncode == 0, done.stderr
    assert (home / "loaded").read_text() == "load curc-llm/0.3\n"
    assert read_settings(app)["runtime"]["modules"] == ["curc-llm/0.3"]


@pytest.mark.skipif(shutil.which("ruby") is None, reason="needs Ruby")
def test_the_jobs_of_the_portal_get_what_was_installed(install: Install, app: Path) -> None:
    """The template's own Ruby reads what `make install` wrote: site, folders, the runtime's Python."""
    install()
    program = f"""
    %w[card/card_settings card_settings job_runtime].each do |name|
      file = "{app}/ood_app/lib/curc_llm/#{{name}}.rb"
      require file if File.exist?(file)
    end
    job = CurcLlm::JobRuntime.load("{app}")
    puts job.environment_lines, job.start_lines
    """
    done = subprocess.run(["ruby", "-e", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "export CURC_LLM_SITE=alpine" in lines
    assert (
        "export CURC_LLM_STATE_DIR=/projects/\\$USER/curc-llm" in lines
    )  # curc-llm replaces it, bash doesn't
    assert f"python={read_settings(app)['runtime']['python']}" in lines


@pytest.mark.root
def test_another_user_can_read_all_of_it(install: Install, app: Path, tmp_path: Path) -> None:
    install()
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/tmp") and folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    unread = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "find", app, "!", "-readable"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (unread.returncode, unread.stdout, unread.stderr) == (0, "", "")
