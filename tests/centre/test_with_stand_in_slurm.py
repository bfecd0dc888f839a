"""doctor --site and accept in this process, with programs that answer as a real Slurm did (see data/)."""

from __future__ import annotations

import importlib
import json
import os
import pwd
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from curc_llm.centre import acceptance, node_probe
from curc_llm.centre.probe_job import _greets
from curc_llm.cli.main import cli
from curc_llm.session.files import write_json, write_private
from curc_llm.session.login import make_login_secret
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import EngineRecord, SessionRecord
from curc_llm.session.slurm_note import SlurmNote, write_slurm_note
from curc_llm.spec import LaunchSpec
from tests.centre.sites import render_bed_site
from tests.centre.test_acceptance import careless  # noqa: F401 - a fixture

DATA = Path(__file__).parent / "data"
SCONTROL = f'case "$2" in partition) cat {DATA}/partitions.txt;; *) cat {DATA}/nodes.txt;; esac'
# Refuses more cores than Alpine allows, as its filter does; else runs the job here.
SBATCH = """
for word in "$@"; do
  case "$word" in
    --test-only) tested=1;;
    --cpus-per-task=*) [ "${word#*=}" -le MOST ] || { echo "sbatch: error: too many CPUs" >&2; exit 1; };;
    --mem=*5G | --mem=*8G) echo "sbatch: error: too much memory" >&2; exit 1;;
  esac
done
if [ -n "$tested" ]; then echo "Job 1 to start at 1795264750 using 1 processors on nodes tn1" >&2; exit 0; fi
cat > FOLDER/script
bash FOLDER/script > FOLDER/log 2>&1 &
echo 42
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a site, and stand-ins for Slurm's commands in front of PATH."""
    (tmp_path / "site.yml").write_text(render_bed_site(str(tmp_path)))
    programs = {
        "scontrol": SCONTROL,
        "sacctmgr": f"cat {DATA}/qos.txt",
        "sbatch": SBATCH.replace("MOST", "100").replace("FOLDER", str(tmp_path)),
        "squeue": 'echo "42|RUNNING|1795264750|1795268350|aa100|gpu-testing|tn1|None"',
        "sacct": "true",
        "scancel": f"echo $1 >> {tmp_path}/cancelled",
    }
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)
    values = {
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "HOME": str(tmp_path), "USER": "anna",
        "CURC_LLM_SITE": str(tmp_path / "site.yml"), "CURC_LLM_STATE_DIR": str(tmp_path / "anna" / "state"),
        "HF_ENDPOINT": "http://127.0.0.1:1",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    for name in ("XDG_CONFIG_HOME", "CURC_LLM_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def findings(result: Result) -> dict[str, dict[str, Any]]:
    assert result.stdout, result.stderr
    return {f"{f['subject']}: {f['what']}": f for f in json.loads(result.stdout)["findings"]}


def test_what_the_filter_takes_beyond_the_site_file_is_told(home: Path) -> None:
    """This stand-in's filter allows 100 cores with any GPU."""
    result = call("doctor", "--site", "--json")
    found = findings(result)
    assert result.exit_code == 1
    assert found["partition aa100: max_cores_per_gpu of a100-40gb"]["found"] == "22 or more"
    assert found["QoS gpu-long: max_time_h"]["level"] == "ok"
    assert found["compute node: reach"]["level"] == "unknown"
    text = call("doctor", "--site").stdout
    assert (
        "DIFFERS  partition aa100: max_cores_per_gpu of a100-40gb: 21 is expected, 22 or more is so" in text
    )
    assert "         Raise max_cores_per_gpu of a100-40gb in the site file" in text


def test_a_limit_that_slurm_refuses_is_told_with_its_words(home: Path) -> None:
    path = home / "bin" / "sbatch"
    path.write_text(path.read_text().replace("-le 100", "-le 20"))
    found = findings(call("doctor", "--site", "--json"))
    assert "too many CPUs" in found["partition aa100: largest job of one a100-40gb"]["found"]


def test_slurm_that_is_silent_is_unknown_and_one_that_refuses_differs(home: Path) -> None:
    path = home / "bin" / "scontrol"
    path.write_text("#!/bin/sh\necho 'Unable to contact slurm controller (connect failure)' >&2; exit 1\n")
    assert findings(call("doctor", "--site", "--json"))["Slurm: answers"]["level"] == "unknown"
    path.write_text("#!/bin/sh\necho 'Access denied' >&2; exit 1\n")
    assert findings(call("doctor", "--site", "--json"))["Slurm: answers"]["level"] == "differs"


def test_the_probe_leaves_nothing_of_torch_on_the_node(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing vLLM makes `torchinductor_USER` in the folder of temporary files."""
    package = home / "modules" / "vllm" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text("import os, tempfile; os.mkdir(tempfile.gettempdir() + '/torchinductor_anna')")
    (home / "temporary").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(home / "modules"))
    monkeypatch.setenv("TMPDIR", str(home / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert node_probe._try_import() == ""
    assert list((home / "temporary").iterdir()) == []


@pytest.mark.slow
def test_the_probe_tells_of_the_node_and_is_tidied_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "modules" / "vllm").mkdir(parents=True)
    (home / "modules" / "vllm" / "__init__.py").write_text("raise ImportError('libcuda.so.1 is missing')")
    python = home / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={home}/modules exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    app = home / "app" / "ood_app"
    app.mkdir(parents=True)
    (app / "portal.yml").write_text(
        f"{{site: alpine, cluster: alpine, runtime: {{kind: venv, python: {python}}}}}"
    )
    monkeypatch.setattr(
        "curc_llm.centre.probe_job._greets", lambda *_: True
    )  # this machine may not know its name
    found = findings(call("doctor", "--site", "--app", app.parent, "--probe", "--json"))
    assert found["compute node: runtime"]["level"] == "ok"
    assert "libcuda.so.1" in found["compute node: vLLM"]["found"]
    assert found["compute node: state_dir"]["level"] == "ok"
    assert "doesn't reach" in found["compute node: internet"]["found"]
    assert found["compute node: clock"]["level"] == "ok"
    assert (home / "cancelled").read_text() == "42\n"
    assert list((home / "anna" / "state").iterdir()) == []


def test_a_probe_that_fails_says_what_its_log_says(home: Path) -> None:
    (home / "bin" / "squeue").write_text("#!/bin/sh\ntrue\n")
    (home / "bin" / "sbatch").write_text(
        (home / "bin" / "sbatch").read_text().replace(f"bash {home}/script > {home}/log", "true > /dev/null")
    )
    found = findings(call("doctor", "--site", "--probe", "--wait-min", "0.1", "--json"))
    assert "the job ended" in found["compute node: runtime"]["found"]
    assert found["compute node: vLLM"]["level"] == "unknown"


def test_a_probe_that_is_refused_says_so(home: Path) -> None:
    (home / "bin" / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: Invalid account' >&2; exit 1\n")
    found = findings(call("doctor", "--site", "--probe", "--json"))
    assert "account" in found["compute node: runtime"]["found"]


def test_a_probe_makes_no_folders_that_are_the_centres_and_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for staff without a folder of their own below /projects."""
    monkeypatch.setenv("HOME", str(home / "elsewhere"))
    found = findings(call("doctor", "--site", "--probe", "--json"))
    state = found["compute node: state_dir"]
    assert state["level"] == "differs"
    assert state["expected"] == f"{home}/anna/state can be written"
    assert state["found"] == f"{home}/anna isn't there"
    assert found["compute node: driver"]["level"] == "unknown"
    assert not (home / "anna").exists()


def test_a_folder_that_cant_be_written_is_a_finding(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURC_LLM_STATE_DIR", "/proc/curc-llm")
    result = call("doctor", "--site", "--probe", "--json")
    assert "/proc/curc-llm: No such file" in findings(result)["compute node: state_dir"]["found"]
    assert "unforeseen" not in result.stderr


def test_a_disk_that_fills_up_while_the_job_is_asked_is_a_finding(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: Any, **__: Any) -> str:
        raise OSError(28, "No space left on device", "/x")

    monkeypatch.setattr("tempfile.mkdtemp", fill)
    found = findings(call("doctor", "--site", "--probe", "--json"))
    assert "/x can't be used here: No space left" in found["compute node: runtime"]["found"]


def test_the_portals_folder_that_only_nodes_know_isnt_made_here(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cache is on a node's own disk; without USER the caller's name is the system's."""
    app = home / "app" / "ood_app"
    app.mkdir(parents=True)
    me = pwd.getpwuid(os.getuid()).pw_name
    lines = [f"CURC_LLM_STATE_DIR={home}/p/$USER/state", "CURC_LLM_CACHE_DIR=/node/$ON_NODES_ONLY/x"]
    (app / "portal.yml").write_text(json.dumps({"site": "alpine", "cluster": "alpine", "environment": lines}))
    for name in ("CURC_LLM_STATE_DIR", "USER", "CURC_LLM_CACHE_DIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home / "elsewhere"))
    found = findings(call("doctor", "--site", "--app", app.parent, "--probe", "--json"))
    assert f"{home}/p/{me} isn't there" in found["compute node: state_dir"]["found"]
    assert not (home / "p").exists()


@pytest.fixture
def launched(
    home: Path,
    careless: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[list[str]]:
    """`accept` gets a session at once whose gateway is careless; what was ended is listed."""
    stopped: list[str] = []

    def launch(spec: LaunchSpec, *_: Any) -> str:
        paths = SessionPaths(spec.session_dir)
        paths.make()
        for path in (paths.api_key, paths.keys):
            write_private(path, "a-key-of-this-test\n")
        make_login_secret(paths.login_secret)
        write_slurm_note(paths.slurm, SlurmNote(job_id="42", submitted_at=time.time()))
        engine = EngineRecord(served_model_name="demo", model="demo", phase="ready", ready_at=1.0)
        record = SessionRecord(
            session_id=spec.session_id, owner=spec.owner, host="tn1", pid=1, pid_started=1, slurm_job_id="42",
            status="ready", engines=(engine,),
            base_url=careless, port=1, started_at=time.time(), heartbeat_at=time.time(),
        )  # fmt: skip
        write_json(paths.record, record.to_json())
        return "42"

    def stop(found: Any, *_: Any, **__: Any) -> None:
        stopped.append(found.session_id)

    monkeypatch.setattr(acceptance, "launch_slurm", launch)
    monkeypatch.setattr(acceptance, "stop_slurm", stop)
    monkeypatch.setattr(acceptance, "MOST_LEFT_S", 0.1)
    monkeypatch.setattr("curc_llm.centre.accept_service.see_cost", lambda *_: "1 SU")
    monkeypatch.setattr(acceptance, "see_cost", lambda *_: "1 SU")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    return stopped


@pytest.mark.slow
def test_accept_names_every_broken_promise_and_ends_the_session(home: Path, launched: list[str]) -> None:
    result = call("accept", "--output", home / "report", "--json")
    told = json.loads(result.stdout)
    verdicts = {p["name"]: p["verdict"] for p in told["promises"]}
    assert result.exit_code == 1
    assert verdicts["started"] == verdicts["ready"] == verdicts["cost"] == "kept"
    assert verdicts["refused_without_key"] == verdicts["login_once"] == verdicts["phases"] == "broken"
    assert "left" in next(p["found"] for p in told["promises"] if p["name"] == "stop")
    assert len(launched) == 1
    assert "BROKEN" in result.stderr
    for name in ("report.md", "report.json"):
        assert "a-key-of-this-test" not in (home / "report" / name).read_text()


@pytest.mark.slow
def test_accept_ends_what_it_began_when_it_is_interrupted(
    home: Path, launched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(acceptance, "check_start", interrupt)
    result = call("accept", "--output", home / "report")
    assert result.exit_code == 130
    assert "its job was ended" in result.stderr
    assert len(launched) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", ["curc_llm.cli.accept._make_spec", "curc_llm.centre.acceptance.launch_slurm"]
)
def test_accept_interrupted_before_there_is_a_job_says_so(
    home: Path, launched: list[str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    module, name = where.rsplit(".", 1)
    monkeypatch.setattr(importlib.import_module(module), name, interrupt)
    result = call("accept", "--output", home / "report")
    assert result.exit_code == 130
    assert "Nothing was submitted." in result.stderr


@pytest.mark.slow
def test_a_job_that_ends_without_a_session_is_a_broken_promise(
    home: Path, launched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptance, "launch_slurm", lambda *_: "42")
    (home / "bin" / "squeue").write_text("#!/bin/sh\ntrue\n")
    told = json.loads(call("accept", "--output", home / "report", "--json").stdout)
    assert [p["name"] for p in told["promises"]] == ["started", "stop", "cost"]
    assert told["promises"][0]["verdict"] == "broken"
    assert (home / "cancelled").read_text() == "42\n"


def test_the_probe_greets_who_connects(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_probe, "_try_import", lambda: "")
    folder = tmp_path / "told"
    folder.mkdir()
    thread = threading.Thread(target=node_probe.main, args=([str(folder), str(home / "site.yml")],))
    thread.start()
    while not (folder / node_probe.RESULT).exists():
        time.sleep(0.05)
    told = json.loads((folder / node_probe.RESULT).read_text())
    assert _greets("127.0.0.1", told["port"])
    thread.join(10)
    assert not _greets("127.0.0.1", told["port"])
    assert told["sees_marker"] is False
    assert told["versions"]["curc-llm"]
    assert told["storage"]["state_dir"]["path"] == f"{home}/anna/state"


def test_the_driver_is_asked_of_nvidia_smi(home: Path) -> None:
    assert node_probe._ask_driver() == ""
    program = home / "bin" / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 580.95.05; echo 580.95.05\n")
    program.chmod(0o755)
    assert node_probe._ask_driver() == "580.95.05"
    program.write_text("#!/bin/sh\necho no devices; exit 9\n")
    assert node_probe._ask_driver() == ""
