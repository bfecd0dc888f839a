from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.csv"
    path.write_text("text\none\ntwo\n")
    return path


def test_a_file_of_prompts_becomes_a_file_of_answers(
    run: Run, fake: FakeSession, notes: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.csv"
    result = run("batch", str(notes), str(target), "--template", "Say {text}", "--temperature", "0")
    assert result.exit_code == 0
    assert result.stdout.startswith("2 of 2 rows answered (2 in ")
    assert target.read_text().splitlines()[1] == "one,You said: Say one,,stop"
    assert fake.requests[-1]["body"]["temperature"] == 0


def test_scripts_get_figures(run: Run, fake: FakeSession, notes: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    value = json.loads(run("batch", str(notes), str(target), "--json", "--set", "top_k=5").stdout)
    assert (value["done"], value["failed"], value["total"], value["resumed"]) == (2, 0, 2, 0)
    assert value["output"] == value["rows_file"] == str(target)
    assert value["su"] is None
    assert fake.requests[-1]["body"]["top_k"] == 5
    again = run("batch", str(notes), str(target), "--set", "top_k=5")
    assert "all of them from an earlier run" in again.stdout


def test_rows_that_failed_are_told_and_asked_again_when_one_says_so(
    run: Run, fake: FakeSession, notes: Path, tmp_path: Path
) -> None:
    fake.refusals.append((400, "bad", "Too long."))
    arguments = ("batch", str(notes), str(tmp_path / "out.jsonl"), "--concurrency", "1")
    result = run(*arguments)
    assert result.exit_code == 1
    assert "1 of 2 rows failed (1 times: Too long.)" in result.stderr
    assert "--retry-failed" in result.stderr
    assert run(*arguments).exit_code == 1
    assert run(*arguments, "--retry-failed").exit_code == 0


def test_a_schema_comes_from_a_file(run: Run, fake: FakeSession, notes: Path, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"age": {"type": "integer"}}}')
    result = run("batch", str(notes), str(tmp_path / "out.csv"), "--schema", str(schema))
    assert result.exit_code == 1  # the fake session answers in prose
    assert "The answer is no JSON" in result.stderr
    asked = fake.requests[-1]["body"]["response_format"]
    assert asked["json_schema"]["schema"]["properties"] == {"age": {"type": "integer"}}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--set", "x"), "isn't NAME=VALUE"),
        (("--schema", "none.json"), "none.json can't be read"),
        (("--schema", "{bad"), "The schema isn't JSON"),
        (("--concurrency", "0"), "0 is not in the range"),
        (("--endpoint", "images"), "is not one of"),
    ],
)
def test_wrong_flags_are_told(
    run: Run, fake: FakeSession, notes: Path, tmp_path: Path, flags: tuple[str, ...], message: str
) -> None:
    result = run("batch", str(notes), str(tmp_path / "out.csv"), *flags)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_schema_can_be_given_as_it_is(run: Run, fake: FakeSession, notes: Path, tmp_path: Path) -> None:
    run("batch", str(notes), str(tmp_path / "out.csv"), "--schema", '{"type": "integer"}')
    assert fake.requests[-1]["body"]["response_format"]["json_schema"]["schema"] == {"type": "integer"}


def test_a_misspelt_parameter_is_told_and_nothing_is_sent(
    run: Run, fake: FakeSession, notes: Path, tmp_path: Path
) -> None:
    result = run("batch", str(notes), str(tmp_path / "out.csv"), "--set", "tempratur=1")
    assert result.exit_code == 1
    assert "There is no parameter tempratur." in result.stderr
    assert "Did you mean temperature?" in result.stderr
    assert not any(r["path"].startswith("/v1/chat") for r in fake.requests)


def test_what_cannot_be_asked_is_one_sentence_and_costs_nothing(
    run: Run, fake: FakeSession, notes: Path, tmp_path: Path
) -> None:
    result = run("batch", str(notes), str(tmp_path / "out.csv"), "--template", "{nothing}")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "Error: The template names {nothing}, and there is no such column.",
        "       The columns are: text.",
    ]
    assert not any(r["path"].startswith("/v1/chat") for r in fake.requests)


def test_a_file_of_another_batch_is_left_alone(
    run: Run, fake: FakeSession, notes: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("mine\n")
    result = run("batch", str(notes), str(target))
    assert result.exit_code == 1
    assert "holds something else than results of a batch" in result.stderr
    assert target.read_text() == "mine\n"
    assert run("batch", str(notes), str(target), "--restart").exit_code == 0


def test_a_session_that_ends_meanwhile_says_what_is_kept(
    run: Run, fake: FakeSession, notes: Path, tmp_path: Path
) -> None:
    fake.end("idle", "Nobody used it for 30 minutes.")
    result = run("batch", str(notes), str(tmp_path / "out.jsonl"), "-s", "local-fake01")
    assert result.exit_code == 1
    assert "Nobody used it for 30 minutes" in result.stderr
