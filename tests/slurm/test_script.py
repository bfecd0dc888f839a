"""The batch script holds nothing that a person wrote but quoted paths, and bash takes it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from curc_llm.errors import SpecError
from curc_llm.slurm.script import render_arguments, render_options, render_script, render_time
from tests.slurm.requests import ask_for

PYTHON = "/opt/curc-llm/bin/python"


def test_a_script_asks_for_all_that_the_job_filter_demands_and_becomes_the_job() -> None:
    lines = render_script(ask_for(account="ucb-general"), Path("/s/spec.json"), python=PYTHON).splitlines()
    assert lines[0] == "#!/bin/bash"
    assert [line for line in lines if line.startswith("#SBATCH")] == [
        "#SBATCH --job-name=curc-llm-test",
        "#SBATCH --partition=al40",
        "#SBATCH --qos=gpu-normal",
        "#SBATCH --account=ucb-general",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --cpus-per-task=2",
        "#SBATCH --gres=gpu:l40:1",
        "#SBATCH --mem=4G",
        "#SBATCH --time=0-01:00:00",
        "#SBATCH --signal=B:USR1@120",
        "#SBATCH --no-requeue",
    ]
    assert lines[-1] == f"exec {PYTHON} -P -m curc_llm.job /s/spec.json"


def test_a_job_of_several_nodes_has_one_task_on_each() -> None:
    options = render_options(ask_for(num_nodes=2, gpus_per_node=4, requeue=True, warn_before_end_s=0))
    assert {"--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--requeue"} <= set(options)
    assert not any(option.startswith("--signal") for option in options)


def test_what_is_not_asked_for_is_not_written() -> None:
    bare = ask_for(qos="", gres_type="", gpus_per_node=0, memory_gib=None)
    assert not {o.partition("=")[0] for o in render_options(bare)} & {"--qos", "--gres", "--mem", "--account"}


def test_a_per_cent_sign_in_the_outputs_path_stays_one() -> None:
    arguments = render_arguments(ask_for(output=Path("/s/100%u/job.log")), Path("/s"))
    assert "--output=/s/100%%u/job.log" in arguments
    assert arguments[-1] == "--chdir=/s"


@pytest.mark.parametrize("modules", [(), ("slurm/alpine", "python/3.11")])
@pytest.mark.parametrize("path", ["/s/spec.json", "/home/eve@colostate.edu/a b/$(id)`id`'\"/spec.json"])
def test_bash_takes_the_script_and_reads_the_path_as_one_word(path: str, modules: tuple[str, ...]) -> None:
    script = render_script(ask_for(), Path(path), python="/bin/echo", modules=modules)
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""
    if not modules:
        done = subprocess.run(["bash"], input=script, text=True, capture_output=True, check=True)
        assert done.stdout == f"-P -m curc_llm.job {path}\n"


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck isn't installed")
@pytest.mark.parametrize("modules", [(), ("slurm/alpine",)])
def test_shellcheck_finds_nothing(modules: tuple[str, ...]) -> None:
    script = render_script(ask_for(), Path("/s/a b/spec.json"), python=PYTHON, modules=modules)
    done = subprocess.run(["shellcheck", "-"], input=script, text=True, capture_output=True)
    assert done.stdout == ""


def test_a_module_that_cannot_be_loaded_ends_the_job_with_its_name() -> None:
    script = render_script(ask_for(), Path("/s/spec.json"), python="/bin/echo", modules=("no/such",))
    done = subprocess.run(
        ["bash"], input=script, text=True, capture_output=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 1
    assert "could not be loaded here: no/such" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("module", ["a b", "a;id", "$(id)", "-f", ""])
def test_a_hostile_module_is_refused(module: str) -> None:
    with pytest.raises(SpecError, match="isn't the name of a module"):
        render_script(ask_for(), Path("/s/spec.json"), python=PYTHON, modules=(module,))


@pytest.mark.parametrize(("python", "spec"), [("python3", "/s/spec.json"), (PYTHON, "spec.json")])
def test_a_path_that_depends_on_the_folder_is_refused(python: str, spec: str) -> None:
    with pytest.raises(SpecError, match="must be full paths"):
        render_script(ask_for(), Path(spec), python=python)


@pytest.mark.parametrize(
    ("seconds", "text"), [(60, "0-00:01:00"), (86399, "0-23:59:59"), (604800, "7-00:00:00")]
)
def test_a_wall_time_is_written_as_slurm_does(seconds: int, text: str) -> None:
    assert render_time(seconds) == text
