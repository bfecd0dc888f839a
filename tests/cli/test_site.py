from __future__ import annotations

import json
from pathlib import Path

import pytest

from curc_llm.sites.load import SITES_DIR
from tests.cli.conftest import Run

ALPINE = SITES_DIR / "alpine.yml"


def test_sites_are_listed_and_the_own_one_is_starred(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [line.split()[0] for line in run("site", "ls").stdout.splitlines()[1:]] == [
        "*",
        "capella",
        "local",
    ]
    monkeypatch.setenv("CURC_LLM_SITE", "local")
    listed = json.loads(run("site", "ls", "--json").stdout)
    assert [entry["name"] for entry in listed if entry["is_mine"]] == ["local"]


def test_a_file_that_is_the_own_site_is_listed_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "ours.yml"
    ours.write_text(ALPINE.read_text().replace("title: CURC Alpine\n", "title: Our Centre\n"))
    monkeypatch.setenv("CURC_LLM_SITE", str(ours))
    assert f"*  {ours}" in run("site", "ls").stdout
    assert "Our Centre" in run("site", "ls").stdout


def test_every_figure_is_shown_with_its_source(run: Run) -> None:
    text = run("site", "show", "capella").stdout
    [line] = [line for line in text.splitlines() if "max_memory_per_gpu_gib" in line]
    assert line.split() == ["partitions.capella.gpu_types.h100.max_memory_per_gpu_gib", "188.7", "limits"]
    assert "  limits (2026-03-16): ZIH HPC Compendium, Slurm Resource Limits, https://" in text
    [doubtful] = [line for line in text.splitlines() if "has_internet" in line]
    assert doubtful.endswith("not verified")
    listed = json.loads(run("site", "show", "capella", "--json").stdout)
    [figure] = [entry for entry in listed if entry["place"] == "partitions.capella.nodes"]
    assert (figure["value"], figure["source_key"], figure["date"]) == (156, "resources", "2026-03-16")


def test_the_path_is_shown_to_copy_from(run: Run) -> None:
    assert run("site", "show", "--path").stdout == f"{ALPINE}\n"
    assert run("site", "show", "local", "--path").exit_code == 1


def test_a_good_site_is_said_to_be_fine(run: Run) -> None:
    result = run("site", "check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{ALPINE}: CURC Alpine is fine: 6 partitions, 12 GPU types.\n"
    assert json.loads(run("site", "check", "capella", "--json").stdout)["flaws"] == []


@pytest.mark.parametrize(
    ("slips", "count"), [(["card: l40\n"], "one mistake"), (["card: l40\n", "card: gh200\n"], "2 mistakes")]
)
def test_every_mistake_is_told_with_its_line(run: Run, tmp_path: Path, slips: list[str], count: str) -> None:
    ours = tmp_path / "ours.yml"
    text = ALPINE.read_text()
    for slip in slips:
        text = text.replace(slip, "card: l4o\n")
    ours.write_text(text)
    result = run("site", "check", str(ours))
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == len(slips)
    lines = [i for i, line in enumerate(text.splitlines(), 1) if "card: l4o" in line]
    for line in lines:
        assert f"{ours}, line {line}: there is no card named `l4o`. Did you mean `l4" in result.stdout
    assert f"{ours} has {count}." in result.stderr
    found = json.loads(run("site", "check", str(ours), "--json").stdout)["flaws"]
    assert [flaw["line"] for flaw in found] == lines


def test_a_typo_is_told_with_its_line_and_what_is_allowed(run: Run, tmp_path: Path) -> None:
    ours = tmp_path / "ours.yml"
    ours.write_text(ALPINE.read_text().replace("    nodes: 12", "    noodles: 12"))
    result = run("site", "check", str(ours))
    assert result.exit_code == 1
    assert "there is nothing named `partitions.aa100.noodles`" in result.stderr
    assert "Did you mean `nodes`?" in result.stderr
