from __future__ import annotations

import json
from pathlib import Path

import pytest

from curc_llm.sites.load import SITES_DIR
from tests.cli.conftest import Run


def rows(text: str) -> dict[str, str]:
    return {line.split()[1]: line for line in text.splitlines()[1:]}


def test_every_gpu_type_of_the_site_is_listed_with_limits_price_and_remarks(run: Run) -> None:
    result = run("gpus")
    assert result.exit_code == 0
    shown = rows(result.stdout)
    assert len(shown) == 12
    assert shown["a100_80gb"].split()[:5] == ["aa100", "a100_80gb", "80", "GB", "3"]
    assert "gpu-normal 24 h, 3; gpu-long 168 h, 1" in shown["a100_80gb"]
    assert "108.6 SU" in shown["a100_80gb"]
    for name, remark in {
        "a100_3g.20gb": "MIG, tests only",
        "mi100": "AMD",
        "gh200": "ARM, on request",
        "rtx_pro_6000": "CUDA above 12.8 only",
    }.items():
        assert remark in shown[name]
    assert "curc-llm site show alpine" in result.stderr


def test_the_json_has_fixed_keys(run: Run) -> None:
    listed = json.loads(run("gpus", "--json", "--site", "capella").stdout)
    assert [(entry["gpu_type"], entry["gres"], entry["partition"]) for entry in listed] == [
        ("h100", "gpu", "capella")
    ]
    assert listed[0]["qos"] == {"normal": {"max_time_h": 168.0, "max_gpus_per_user": 284}}
    assert set(listed[0]) == set(json.loads(run("gpus", "--json").stdout)[0])


@pytest.mark.parametrize("where", ["variable", "file", "flag"])
def test_the_site_is_named_in_the_environment_a_file_or_a_flag(
    run: Run, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags: list[str] = []
    if where == "variable":
        monkeypatch.setenv("CURC_LLM_SITE", "capella")
    elif where == "file":
        (tmp_path / "own.yml").write_text("site: capella\n")
        flags = ["-c", str(tmp_path / "own.yml")]
    else:
        flags = ["--site", "capella"]
    assert list(rows(run("gpus", *flags).stdout)) == ["h100"]


def test_a_site_that_is_added_by_yaml_alone_is_listed(run: Run, tmp_path: Path) -> None:
    text = (SITES_DIR / "capella.yml").read_text()
    ours = tmp_path / "ours.yml"
    ours.write_text(
        text.replace("name: capella", "name: ours")
        .replace("      h100:\n", "      b200:\n")
        .replace("h100-94gb-sxm", "b200")
    )
    result = run("gpus", "--site", str(ours))
    assert "180 GB" in rows(result.stdout)["b200"]
    assert f"curc-llm site show {ours}" in result.stderr


def test_this_machine_is_listed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    line = rows(run("gpus", "--site", "local").stdout)["cpu"]
    assert "no limits" in line
    assert "free" in line
    assert "no GPU" in line


def test_an_unknown_site_is_an_error_with_those_there_are(run: Run) -> None:
    result = run("gpus", "--site", "alpin")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Did you mean alpine?" in result.stderr


def test_an_empty_name_of_a_site_is_a_slip(run: Run) -> None:
    result = run("gpus", "--site", "")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "it is empty: name a site, or leave --site away" in result.stderr


@pytest.mark.parametrize(("columns", "start"), [(80, "PARTITION"), (60, "a100-40gb (aa100)")])
def test_the_list_fits_a_narrow_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch, columns: int, start: str
) -> None:
    monkeypatch.setattr("curc_llm.cli.gpus.screen_columns", lambda: columns)
    lines = run("gpus").stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[0].startswith(start)
    assert any("gpu-normal 24 h, 6" in line for line in lines)  # a limit is never torn apart
