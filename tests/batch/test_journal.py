"""The file of the results: nothing lost, nothing twice, and never another batch's."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from curc_llm.batch.journal import Journal, open_journal
from curc_llm.batch.line import Identity, RowError, render_line
from curc_llm.batch.recipe import PromptRows, Recipe
from curc_llm.batch.row import CHAT
from curc_llm.batch.survey import Survey, make_survey
from curc_llm.batch.trouble import BatchFileError, BatchStoppedError

PROMPTS = [f"q{i}" for i in range(6)]


def survey_of(prompts: list[str], model: str = "m") -> Survey:
    return make_survey(PromptRows(Recipe(CHAT, model), lambda: prompts))


def line_of(survey: Survey, index: int, text: str = "a", model: str = "m", failed: bool = False) -> bytes:
    body = json.dumps({"model": model, "choices": [{"message": {"content": text}}]}).encode()
    error = RowError("bad", "It failed.") if failed else None
    identity = Identity(index, survey.digest(index))
    return render_line(identity, f"row-{index}", status=200, body=body, error=error)


def open_with(path: Path, rows: list[int], failed: tuple[int, ...] = ()) -> tuple[Survey, Journal]:
    survey = survey_of(PROMPTS)
    journal = open_journal(path, survey)
    for index in rows:
        is_failed = index in failed
        journal.append(index, line_of(survey, index, f"a{index}", failed=is_failed), failed=is_failed)
    return survey, journal


def read_order(path: Path) -> list[str]:
    return [json.loads(line)["custom_id"] for line in path.read_text().splitlines()]


def test_rows_that_were_written_are_settled_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    survey, journal = open_with(path, [4, 1, 3], failed=(3,))
    journal.close()
    again = open_journal(path, survey)
    assert [again.is_settled(i) for i in range(6)] == [False, True, False, True, True, False]
    assert (again.num_done, again.num_failed) == (2, 1)
    assert again.is_failed(3)
    assert again.read(4)["response"]["body"]["choices"][0]["message"]["content"] == "a4"
    assert again.read(0) is None
    again.close()


def test_at_the_end_rows_are_in_the_input_s_order(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    _, journal = open_with(path, [4, 1, 3, 0, 5, 2])
    path.chmod(0o640)
    journal.put_in_order()
    assert read_order(path) == [f"row-{i}" for i in range(6)]
    assert journal.read(4)["custom_id"] == "row-4"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]
    journal.close()


def test_rows_in_order_already_are_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    _, journal = open_with(path, [0, 1, 2, 3, 4, 5])
    inode = path.stat().st_ino
    journal.put_in_order()
    assert path.stat().st_ino == inode
    journal.close()


@pytest.mark.parametrize("cut", [1, 30, 120])
def test_a_torn_last_line_is_cut_off_and_its_row_asked_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "out.jsonl"
    survey, journal = open_with(path, [0, 1, 2])
    journal.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - cut)
    again = open_journal(path, survey)
    assert [again.is_settled(i) for i in range(3)] == [True, True, False]
    again.append(2, line_of(survey, 2), failed=False)
    again.close()
    assert read_order(path) == ["row-0", "row-1", "row-2"]


def test_a_line_that_a_lost_node_left_as_zeros_is_asked_again_and_is_gone_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    survey, journal = open_with(path, [0, 1, 2])
    journal.close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\0" * 50 + b"\n" + lines[2])
    again = open_journal(path, survey)
    assert [again.is_settled(i) for i in range(3)] == [True, False, True]
    again.append(1, line_of(survey, 1), failed=False)
    again.put_in_order()
    again.close()
    assert read_order(path) == ["row-0", "row-1", "row-2"]


@pytest.mark.parametrize("rows", [[], [0, 1]])
def test_a_process_that_is_killed_while_it_tries_whether_there_is_room_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[int]
) -> None:
    path = tmp_path / "out.jsonl"
    survey, journal = open_with(path, rows)
    journal.close()
    with monkeypatch.context() as patch:
        cut = os.ftruncate
        calls: list[int] = []
        patch.setattr(os, "ftruncate", lambda *how: calls.append(1) or (len(calls) < 2 and cut(*how)))
        open_journal(path, survey).close()
    assert path.read_bytes().endswith(b"\n\n")
    again = open_journal(path, survey)
    assert again.num_done == len(rows)
    for index in range(len(rows), 6):
        again.append(index, line_of(survey, index), failed=False)
    again.put_in_order()
    again.close()
    assert read_order(path) == [f"row-{i}" for i in range(6)]


def test_of_two_lines_of_a_row_the_later_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    survey, journal = open_with(path, [0, 1], failed=(1,))
    journal.reopen_failed()
    assert not journal.is_settled(1)
    journal.append(1, line_of(survey, 1, "better"), failed=False)
    journal.close()
    again = open_journal(path, survey)
    assert (again.num_done, again.num_failed) == (2, 0)
    again.put_in_order()
    again.close()
    assert read_order(path) == ["row-0", "row-1"]
    assert "better" in path.read_text()


def test_rows_that_ask_something_else_now_are_told(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    _, journal = open_with(path, [0, 1, 2, 3])
    journal.close()
    changed = ["q0", "q1", "other", "another", "q4", "q5"]
    with pytest.raises(BatchFileError, match=r"2 of the rows .* ask something else now; the first is row 2"):
        open_journal(path, survey_of(changed))
    assert len(path.read_text().splitlines()) == 4


def test_an_input_with_fewer_rows_is_told(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    _, journal = open_with(path, [0, 4])
    journal.close()
    with pytest.raises(BatchFileError, match="the input has 3 rows, and it holds row 4"):
        open_journal(path, survey_of(PROMPTS[:3]))


def test_rows_that_were_added_at_the_end_are_simply_new(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    _, journal = open_with(path, [0, 1])
    journal.close()
    again = open_journal(path, survey_of([*PROMPTS, "q6"]))
    assert again.num_done == 2
    again.close()


def test_a_batch_of_another_model_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    _, journal = open_with(path, [0, 1])
    journal.close()
    with pytest.raises(BatchFileError, match="was begun with the model 'm', and 'other' is asked now"):
        open_journal(path, survey_of(PROMPTS, model="other"))


def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "thesis.jsonl"
    path.write_text('{"chapter": 1}\nno newline at the end')
    with pytest.raises(BatchFileError, match="holds something else than results of a batch") as error:
        open_journal(path, survey_of(PROMPTS))
    assert "--restart" in error.value.remedy
    assert path.read_text() == '{"chapter": 1}\nno newline at the end'


def test_a_file_without_a_single_line_feed_is_left_alone_too(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("all in one line")
    with pytest.raises(BatchFileError, match="holds something else"):
        open_journal(path, survey_of(PROMPTS))
    assert path.read_text() == "all in one line"


def test_restart_forgets_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old\n")
    journal = open_journal(path, survey_of(PROMPTS), restart=True)
    assert (journal.num_done, path.read_bytes()) == (0, b"")
    journal.close()


def test_two_batches_never_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    survey, journal = open_with(path, [0])
    with pytest.raises(BatchFileError, match="Another batch is writing"):
        open_journal(path, survey)
    journal.close()
    open_journal(path, survey).close()


def test_a_private_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    open_journal(path, survey_of(PROMPTS), private=True).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_is_missing_is_told_before_anything_is_spent(tmp_path: Path) -> None:
    with pytest.raises(BatchFileError, match="can't be written: No such file"):
        open_journal(tmp_path / "no" / "out.jsonl", survey_of(PROMPTS))


def test_a_disk_that_is_full_from_the_start_is_told_before_anything_is_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curc_llm.batch.journal.os.write", fail_full)
    with pytest.raises(BatchFileError, match="No space left on device") as error:
        open_journal(tmp_path / "out.jsonl", survey_of(PROMPTS))
    assert "Make room" in error.value.remedy


def test_a_disk_that_gets_full_keeps_whole_rows_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.jsonl"
    survey, journal = open_with(path, [0, 1])
    write, calls = os.write, []

    def write_a_part(descriptor: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) > 1:
            fail_full()
        return write(descriptor, data[:20])

    monkeypatch.setattr("curc_llm.batch.journal.os.write", write_a_part)
    with pytest.raises(BatchStoppedError, match="2 of 6 rows are done") as stopped:
        journal.append(2, line_of(survey, 2), failed=False)
    assert "Make room and run the same again" in stopped.value.remedy
    monkeypatch.undo()
    journal.close()
    assert read_order(path) == ["row-0", "row-1"]


def test_a_disk_that_refuses_to_sync_stops_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, journal = open_with(tmp_path / "out.jsonl", [0])
    monkeypatch.setattr("curc_llm.batch.journal.os.fsync", fail_full)
    with pytest.raises(BatchStoppedError, match="No space left"):
        journal.sync()
    monkeypatch.undo()
    journal.close()


def test_no_room_to_put_in_order_leaves_all_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.jsonl"
    _, journal = open_with(path, [3, 2, 1, 0])
    monkeypatch.setattr("curc_llm.batch.journal.os.fsync", fail_full)
    with pytest.raises(BatchFileError, match=r"All rows are in .* but not in order"):
        journal.put_in_order()
    monkeypatch.undo()
    journal.close()
    assert read_order(path) == ["row-3", "row-2", "row-1", "row-0"]
    assert list(tmp_path.iterdir()) == [path]


def test_lines_longer_than_a_read_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    survey = survey_of(PROMPTS)
    journal = open_journal(path, survey)
    journal.append(0, line_of(survey, 0, "x" * 300_000), failed=False)
    journal.append(1, line_of(survey, 1, "short"), failed=False)
    assert len(journal.read(0)["response"]["body"]["choices"][0]["message"]["content"]) == 300_000
    journal.close()
    again = open_journal(path, survey)
    assert again.num_done == 2
    again.close()


def fail_full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
