from __future__ import annotations

import json
from pathlib import Path

import pytest

from curc_llm.plan import table as plan_table
from curc_llm.plan.facts import Facts
from tests.cli.conftest import Run
from tests.plan.test_table import few

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _few_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few models alone: the whole table takes seconds."""
    whole = plan_table.make_table
    monkeypatch.setattr(plan_table, "make_table", lambda facts: whole(_cut(facts)))


def _cut(facts: Facts) -> Facts:
    return few(facts.site.name)


def test_the_table_is_written_and_then_up_to_date(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "new" / "table.json"
    written = run("table", "--output", str(file), "--json")
    assert written.exit_code == 0
    assert json.loads(written.stdout)["status"] == "written"
    assert json.loads(file.read_text())["site"]["name"] == "alpine"
    checked = run("table", "--output", str(file), "--check")
    assert checked.exit_code == 0
    assert "is up to date: 3 models" in checked.stderr


def test_a_stale_table_fails_the_check_and_says_how_to_renew_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text("{}")
    result = run("table", "--output", str(file), "--check")
    assert result.exit_code == 1
    assert f"curc-llm table --site alpine --output {file}" in result.stderr
    assert file.read_text() == "{}"


def test_the_user_s_settings_change_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    run("table", "--output", str(first))
    monkeypatch.setenv("CURC_LLM_MAX_MODEL_LEN", "2048")
    run("table", "--output", str(second))
    assert first.read_text() == second.read_text()


def test_another_site_has_its_own(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "capella.json"
    assert run("table", "--site", "capella", "--output", str(file)).exit_code == 0
    assert json.loads(file.read_text())["site"]["account_required"] is True
