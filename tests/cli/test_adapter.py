"""`curc-llm adapter`, as the owner sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curc_llm.session.record import AdapterRecord
from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession

LOADED = {"name": "sql", "model": "curc-guide", "rank": 8, "status": "loaded"}


def test_an_adapter_is_added_from_where_one_stands(
    run: Run, fake: FakeSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trained").mkdir()
    monkeypatch.chdir(tmp_path)
    fake.scripted["POST /adapters"] = (200, LOADED)
    result = run("adapter", "add", "sql", "trained", "--model", "curc-guide")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "sql can be used now: curc-llm ask --model sql QUESTION\n"
    body = {"name": "sql", "source": str(tmp_path / "trained"), "model": "curc-guide"}
    assert fake.requests[-1]["body"] == body


def test_a_hub_id_goes_as_it_is_and_one_that_takes_long_is_told(run: Run, fake: FakeSession) -> None:
    fake.scripted["POST /adapters"] = (202, {"status": "under_way"})
    result = run("adapter", "add", "sql", "someone/sql-lora", "--json")
    assert json.loads(result.stdout)["status"] == "under_way"
    assert fake.requests[-1]["body"]["source"] == "someone/sql-lora"


def test_a_refusal_is_told_in_its_own_words(run: Run, fake: FakeSession) -> None:
    error = {"error": {"message": "The rank 64 is too large.", "code": "adapter_rank"}}
    fake.scripted["POST /adapters"] = (400, error)
    result = run("adapter", "add", "sql", "someone/sql-lora")
    assert (result.exit_code, result.stderr) == (1, "Error: The rank 64 is too large.\n")


def test_they_are_listed_and_removed(run: Run, fake: FakeSession) -> None:
    assert "no adapters" in run("adapter", "ls").stderr
    fake.change_engine(adapters=(AdapterRecord(name="sql", source="/a", rank=8, target_modules=("q_proj",)),))
    assert run("adapter", "ls").stdout.splitlines()[1].split() == ["sql", "curc-guide", "8", "q_proj", "/a"]
    fake.scripted["DELETE /adapters/sql"] = (200, {"name": "sql", "status": "removed"})
    result = run("adapter", "remove", "sql")
    assert result.stderr == "sql is no model of this session any more.\n"
    fake.scripted["DELETE /adapters/sql"] = (202, {"status": "under_way"})
    assert "sql goes once what is under way is done" in run("adapter", "remove", "sql").stderr
