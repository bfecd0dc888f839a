from __future__ import annotations

import json
from pathlib import Path

import pytest

from curc_llm.centre.finding import Finding
from curc_llm.cli.doctor_site import render_findings
from tests.cli.conftest import Run


@pytest.fixture
def no_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("no_slurm")
def test_without_slurm_and_app_everything_is_unknown_and_nothing_fails(run: Run) -> None:
    result = run("doctor", "--site", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert told["ok"] is True
    assert {f["level"] for f in told["findings"]} == {"unknown"}
    assert {"app", "Slurm", "compute node"} == {f["subject"] for f in told["findings"]}


@pytest.mark.usefixtures("no_slurm")
def test_an_app_that_is_none_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("doctor", "--site", "--app", str(tmp_path))
    assert result.exit_code == 1
    assert "make install" in result.stderr


def test_what_belongs_to_the_site_needs_the_flag(run: Run) -> None:
    result = run("doctor", "--probe")
    assert result.exit_code == 2
    assert "--site" in result.stderr


def test_root_may_not_accept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    result = run("accept")
    assert result.exit_code == 1
    assert "normal user" in result.stderr


def test_each_difference_has_a_line_and_its_remedy_and_many_good_figures_have_one() -> None:
    fine = [Finding("QoS a", f"figure {i}", "ok", "1", "1") for i in range(4)]
    bad = Finding("QoS a", "max_time_h", "differs", "24", "72", "Set it to 72.")
    lines = render_findings([*fine, Finding("app", "files", "ok", "", "/apps"), bad])
    assert lines == [
        "ok       QoS a: 4 figures as expected",
        "DIFFERS  QoS a: max_time_h: 24 is expected, 72 is so",
        "         Set it to 72.",
        "ok       app: files: /apps",
    ]
