"""The template in the portal's order, in bash, with the real session program: what starts, ends, is left."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.ood.template_bench import (
    CHECKOUT,
    DEMO,
    VENV,
    Launched,
    make_app,
    new_folder,
    run_job,
    stage,
    wait_until,
)

pytestmark = pytest.mark.slow
READY_S = 3.0  # until the card runs, as promised; counted in the job's own CPU seconds, whoever else is busy
PATIENCE_S = 90


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app with this checkout's own Python as its runtime."""
    return make_app(tmp_path_factory.mktemp("portal") / "app")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of a user whose name has an @."""
    home = tmp_path / "ralphie@colostate.edu"
    home.mkdir()
    return home


@pytest.fixture
def launched(app: Path, home: Path) -> Iterator[Launched]:
    """A launch that runs; whatever is left of it is ended."""
    job = run_job(stage(app, new_folder(home)), home)
    yield job
    end_all(job)


def end_all(job: Launched) -> None:
    for process in [job.process.pid, *(p.pid for p in below(job))]:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    job.process.wait(10)


def below(job: Launched) -> list[psutil.Process]:
    """Everything that has the staged folder or the session's in its command line."""
    marks = (str(job.staged), str(job.state_dir))
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if any(mark in line for mark in marks):
            found.append(process)
    return found


def wait_for_card(job: Launched) -> float:
    return wait_until(lambda: job.connection.exists() or job.process.poll() is not None, PATIENCE_S)


def cpu_s(job: Launched) -> float:
    """CPU seconds that the job has taken, the children that have ended included."""
    shell = psutil.Process(job.process.pid)
    used = [process.cpu_times() for process in (shell, *shell.children(recursive=True))]
    return sum(times.user + times.system + times.children_user + times.children_system for times in used)


def test_the_card_runs_within_seconds_and_shows_nothing_secret(launched: Launched) -> None:
    took_s = wait_for_card(launched)
    assert min(took_s, cpu_s(launched)) < READY_S
    wait_until(lambda: launched.connection.read_text().count("\n") > 4)
    told = yaml.safe_load(launched.connection.read_text())
    assert set(told) == {"llm_root", "llm_app", "host", "port", "password"}
    assert (told["port"], told["password"]) == (launched.record()["port"], None)
    assert bytes.fromhex(told["llm_root"][1:]).decode() == str(launched.staged)
    assert stat.S_IMODE(launched.connection.stat().st_mode) == 0o600
    assert stat.S_IMODE(launched.staged.stat().st_mode) == 0o700
    secrets = [(launched.staged / "session" / name).read_text().strip() for name in ("api.key", "login.key")]
    staged = [path.read_text() for path in launched.staged.iterdir() if path.is_file()]
    assert not [secret for secret in secrets for text in staged if secret in text]


def test_scancel_ends_everything_and_removes_the_secrets(launched: Launched) -> None:
    wait_for_card(launched)
    port = launched.record()["port"]
    launched.stop(signal.SIGTERM)
    wait_until(lambda: not below(launched), 30, "processes are left")
    assert launched.record()["reason"]["code"] == "stopped"
    left = {path.name for path in (launched.staged / "session").iterdir()}
    assert not left & {"api.key", "login.key", "keys.json"}
    assert port not in {
        c.laddr.port for c in psutil.net_connections("tcp") if c.laddr and c.status == "LISTEN"
    }


def test_slurm_s_warning_before_the_end_of_the_time_ends_the_session_in_words(launched: Launched) -> None:
    wait_for_card(launched)
    assert launched.stop(signal.SIGUSR1, 60) == 0  # an end that was to be expected is no failure
    assert launched.record()["reason"]["code"] == "wall_time"


def test_scancel_before_the_session_is_there_leaves_nothing(
    tmp_path_factory: pytest.TempPathFactory, home: Path
) -> None:
    # a Python that takes its time, as over a busy file system
    slow = tmp_path_factory.mktemp("slow") / "python"
    wait = f"exec {sys.executable} -c 'import time; time.sleep(600)' \"$@\""
    slow.write_text(f'#!/bin/bash\n[ "$2" = -c ] || {wait}\n')
    slow.chmod(0o755)
    app = make_app(slow.parent / "app", {"kind": "venv", "python": str(slow)})
    job = run_job(stage(app, new_folder(home)), home)
    try:
        wait_until(lambda: any("import time; time.sleep(600)" in p.info["cmdline"] for p in below(job)))
        job.stop(signal.SIGTERM)
        wait_until(lambda: not below(job), 30, "processes are left")
        assert not job.connection.exists()
    finally:
        end_all(job)


def test_a_script_that_is_killed_ends_the_job(launched: Launched) -> None:
    wait_for_card(launched)
    os.kill(launched.record()["pid"], signal.SIGKILL)
    assert launched.process.wait(PATIENCE_S) != 0
    wait_until(lambda: not below(launched), 30, "processes are left")
    left = {path.name for path in (launched.staged / "session").iterdir()}
    assert not left & {"api.key", "login.key", "keys.json"}


def test_a_job_that_starts_again_begins_anew(app: Path, home: Path) -> None:
    staged = stage(app, new_folder(home))
    first = run_job(staged, home)
    try:
        wait_for_card(first)
        before = first.record()
    finally:
        end_all(first)  # a node that dies takes everything at once and leaves every file
    assert first.connection.exists()
    again = run_job(staged, home)
    try:
        wait_until(lambda: not again.connection.exists(), why="the card would still show the dead node")
        wait_for_card(again)
        after = again.record()
        assert after["session_id"] == before["session_id"]
        assert after["pid"] != before["pid"]
        assert yaml.safe_load(again.connection.read_text())["port"] == after["port"]
    finally:
        end_all(again)


def test_two_sessions_on_one_node_get_ports_of_their_own(app: Path, home: Path) -> None:
    jobs = [run_job(stage(app, new_folder(home)), home) for _ in range(2)]
    try:
        for job in jobs:
            wait_for_card(job)
        assert jobs[0].record()["port"] != jobs[1].record()["port"]
        assert jobs[0].record()["session_id"] != jobs[1].record()["session_id"]
    finally:
        for job in jobs:
            end_all(job)


def run_to_its_end(app: Path, home: Path, context: Any = None, **environ: str) -> Launched:
    job = run_job(stage(app, new_folder(home), context), home, **environ)
    try:
        assert job.process.wait(PATIENCE_S) != 0
    finally:
        end_all(job)
    assert not job.connection.exists()
    return job


def test_a_port_that_is_taken_is_told(app: Path, home: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        job = run_to_its_end(app, home, CURC_LLM_PORT_MIN=port, CURC_LLM_PORT_MAX=port)
    assert f"Port {port}" in job.record()["reason"]["message"]


HOSTILE = [
    "$(touch PWNED)",
    "`touch PWNED`",
    "'; touch PWNED; '",
    '"\n touch PWNED\n"',
    "<%= `touch PWNED` %>",
    "..",
    "{}",
]


@pytest.mark.parametrize("field", ["llm_model", "llm_own_model", "auto_accounts"])
def test_no_value_of_a_relaunch_reaches_a_shell(field: str, app: Path, home: Path) -> None:
    for value in HOSTILE:
        context = DEMO | {field: value} | ({"llm_model": "own"} if field == "llm_own_model" else {})
        staged = stage(app, new_folder(home), context)
        assert not [path for path in staged.glob("*.sh") if "PWNED" in path.read_text()]
    job = run_to_its_end(app, home, DEMO | {field: HOSTILE[0]})
    assert not list(home.rglob("PWNED"))
    assert "touch PWNED" in job.trouble()["message"]
    assert stat.S_IMODE((job.staged / "trouble.json").stat().st_mode) == 0o600


def test_an_environment_that_is_missing_is_told(tmp_path: Path, home: Path) -> None:
    app = make_app(tmp_path / "app", {"kind": "venv", "python": "/no/such 'place/python"})
    said = run_to_its_end(app, home).trouble()
    assert said["code"] == "runtime_missing"
    assert "/no/such 'place/python" in said["message"]
    assert "staff" in said["remedy"]


def test_an_environment_that_is_broken_is_told(tmp_path: Path, home: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    said = run_to_its_end(make_app(tmp_path / "app", {"kind": "venv", "python": str(python)}), home).trouble()
    assert said["code"] == "runtime_broken"


def test_a_node_without_modules_is_told(tmp_path: Path, home: Path) -> None:
    app = make_app(tmp_path / "app", {"kind": "module", "modules": ["curc-llm/1"], "python": sys.executable})
    said = run_to_its_end(app, home, BASH_ENV="/dev/null").trouble()
    assert said["code"] == "module_missing"


def test_a_module_that_can_t_be_loaded_is_told(tmp_path: Path, home: Path) -> None:
    app = make_app(tmp_path / "app", {"kind": "module", "modules": ["gcc", "$(touch PWNED)"]})
    job = run_to_its_end(app, home, **{"BASH_FUNC_module%%": '() { [ "$2" = gcc ]; }'})
    assert job.trouble()["message"] == "The module $(touch PWNED) could not be loaded on this node."
    assert not list(home.rglob("PWNED"))


def test_a_module_s_python_runs_the_session(tmp_path: Path, home: Path) -> None:
    app = make_app(tmp_path / "app", {"kind": "module", "modules": ["curc-llm"], "python": sys.executable})
    job = run_job(stage(app, new_folder(home)), home, **{"BASH_FUNC_module%%": "() { true; }"})
    try:
        wait_for_card(job)
        assert job.record()["port"]
    finally:
        end_all(job)


def make_apptainer(folder: Path) -> Path:
    """An apptainer that runs what it is given without an image, and notes its options."""
    folder.mkdir()
    program = folder / "apptainer"
    program.write_text(
        '#!/bin/bash\nprintf "%s\\n" "$@" > "$HOME/apptainer.args"\nshift\n'
        'while [ "${1#-}" != "$1" ]; do [ "$1" = --nv ] || shift; shift; done\nshift\nexec "$@"\n'
    )
    program.chmod(0o755)
    return folder


def test_an_image_runs_the_session(tmp_path: Path, home: Path) -> None:
    image = tmp_path / "an image.sif"
    image.touch()
    runtime = {
        "kind": "apptainer",
        "image": str(image),
        "python": sys.executable,
        "binds": ["/scratch", "/a b"],
    }
    path = f"{make_apptainer(tmp_path / 'bin')}:{os.environ['PATH']}"
    job = run_job(stage(make_app(tmp_path / "app", runtime), new_folder(home)), home, PATH=path)
    try:
        wait_for_card(job)
        assert job.record()["port"]
        asked = (home / "apptainer.args").read_text().splitlines()
        assert asked[:7] == ["exec", "--bind", str(job.staged), "--bind", "/scratch", "--bind", "/a b"]
        assert str(image) in asked
    finally:
        end_all(job)


def test_a_node_without_apptainer_is_told(tmp_path: Path, home: Path) -> None:
    app = make_app(tmp_path / "app", {"kind": "apptainer", "image": "/none.sif"})
    assert run_to_its_end(app, home).trouble()["code"] == "apptainer_missing"


def test_an_image_that_is_missing_is_told(tmp_path: Path, home: Path) -> None:
    app = make_app(tmp_path / "app", {"kind": "apptainer", "image": "/none.sif"})
    path = f"{make_apptainer(tmp_path / 'bin')}:{os.environ['PATH']}"
    said = run_to_its_end(app, home, PATH=path).trouble()
    assert (said["code"], "/none.sif" in said["message"]) == ("runtime_missing", True)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    with (folder / "full").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 1024)
        except OSError:
            return


def test_a_full_folder_of_sessions_is_told_on_the_card(app: Path, home: Path, tiny_disk: Path) -> None:
    fill(tiny_disk)
    said = run_to_its_end(app, home, CURC_LLM_STATE_DIR=str(tiny_disk / "state")).trouble()
    assert "full" in said["message"].lower() or "No space" in said["message"]
    assert str(tiny_disk) in said["message"]


def test_a_full_home_is_told_to_slurm_since_no_file_can_tell_it(
    app: Path, home: Path, tiny_disk: Path
) -> None:
    staged = stage(app, new_folder(tiny_disk))
    (staged / "output.log").touch()
    fill(tiny_disk)
    tools = home / "bin"
    tools.mkdir()
    (tools / "scontrol").write_text('#!/bin/sh\necho "$@" > "$HOME/told"\n')
    (tools / "scontrol").chmod(0o755)
    job = run_job(staged, home, PATH=f"{tools}:{os.environ['PATH']}", SLURM_JOB_ID="77")
    assert job.process.wait(PATIENCE_S) != 0
    assert (home / "told").read_text() == "update JobId=77 Comment=curc-llm:folder_not_writable\n"


def test_a_state_folder_that_is_read_only_is_told(app: Path, home: Path, tiny_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    said = run_to_its_end(app, home, CURC_LLM_STATE_DIR=str(tiny_disk / "state")).trouble()
    assert "Read-only" in said["message"]


def test_another_user_reads_nothing_of_the_session(launched: Launched) -> None:
    wait_for_card(launched)
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    for folder in (*launched.staged.parents[:3], launched.state_dir.parent):
        folder.chmod(0o755)  # as users open their own folders to the world
    files = [
        launched.connection,
        launched.staged / "user_defined_context.json",
        launched.staged / "session" / "api.key",
    ]
    for file in files:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Permission denied" in done.stderr


def test_the_staged_folder_is_closed_to_others_while_the_job_is_queued(tmp_path: Path) -> None:
    app = make_app(tmp_path / "app")
    (app / "template").chmod(0o755)
    assert stat.S_IMODE(stage(app, new_folder(tmp_path)).stat().st_mode) == 0o700


VARIANTS = [
    VENV,
    {"kind": "venv", "python": "/opt/it's $(here)/python", "modules": ["cuda/12.8"]},
    {"kind": "module", "modules": ["curc-llm", "a b; rm -rf /"], "python": ""},
    {"kind": "apptainer", "image": "/images/`x`.sif", "binds": ["/scratch:/scratch", "$HOME"]},
    {},
]


@pytest.mark.parametrize("runtime", VARIANTS, ids=lambda runtime: str(runtime.get("kind", "none set")))
@pytest.mark.parametrize("hostile", [False, True])
def test_every_rendered_script_is_clean(runtime: dict[str, Any], hostile: bool, tmp_path: Path) -> None:
    context = dict.fromkeys(DEMO, "\"'$(id)`id`\n<%= 1 %>\\") if hostile else DEMO
    staged = stage(make_app(tmp_path / "app", runtime), new_folder(tmp_path), context)
    parts = [str(staged / name) for name in ("before.sh", "script.sh", "after.sh", "clean.sh")]
    for part in [*parts, str(staged / "job_script_content.sh")]:
        subprocess.run(["bash", "-n", part], check=True)
    found = subprocess.run(
        ["shellcheck", "-x", "-s", "bash", *parts], capture_output=True, text=True, check=False
    )
    assert found.stdout == ""
    assert os.access(staged / "script.sh", os.X_OK)


def test_the_scripts_are_short_and_their_folder_is_private_where_it_can_be() -> None:
    for path in (CHECKOUT / "template").iterdir():
        assert len(path.read_text().splitlines()) < 60
