"""`session.map`: prompts or frames in, answers in the same order out."""

from __future__ import annotations

import enum
import json
import os
import signal
import stat
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pydantic
import pytest

from curc_llm.batch.run import Run
from curc_llm.batch.trouble import BatchFileError, BatchInputError, BatchStoppedError
from curc_llm.client.session import Session
from curc_llm.errors import SchemaError
from tests.batch.batch_server import BatchServer

QUIET = {"progress": False}
PERSON = {
    "type": "object",
    "properties": {"age": {"type": "integer"}, "warm": {"type": "boolean"}, "name": {"type": "string"}},
    "required": ["age"],
}


class Mood(enum.StrEnum):
    GOOD = "good"
    BAD = "bad"


class Person(pydantic.BaseModel):
    age: int
    warm: bool
    name: str
    mood: Mood | None = None


def test_a_list_gives_answers_in_its_order(session: Session) -> None:
    answers = session.map(["one", "two"], **QUIET)
    assert answers == ["You said: one", "You said: two"]
    assert answers[0].usage.completion_tokens == 3
    assert answers[0].finish_reason == "stop"
    assert answers.errors == {}


def test_rows_that_fail_are_none_with_their_reason(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = session.map(["one", "two [bad]"])
    assert answers == ["You said: one", None]
    assert answers.errors == {1: "The prompt is too long."}
    said = capsys.readouterr().err
    assert "1 of 2 rows failed (1 times: The prompt is too long.)" in said
    assert str(answers.path) in said


def test_a_second_call_with_the_same_rows_asks_nothing_again(session: Session, server: BatchServer) -> None:
    first = session.map(["one", "two [bad]"], **QUIET)
    assert session.map(["one", "two [bad]"], **QUIET) == first
    assert server.num_asked == 2
    session.map(["one", "two [bad]"], retry_failed=True, **QUIET)
    assert server.asked == {"one": 1, "two [bad]": 2}
    session.map(["one", "two [bad]"], resume=False, **QUIET)
    assert server.asked == {"one": 2, "two [bad]": 3}


def test_other_parameters_are_another_batch(session: Session, server: BatchServer) -> None:
    session.map(["one"], **QUIET)
    session.map(["one"], temperature=0, extra_body={"top_k": 5}, system="Be brief.", **QUIET)
    assert server.num_asked == 2
    assert server.bodies[1] == {
        "model": "m",
        "temperature": 0,
        "top_k": 5,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "one"}],
    }


def test_conversations_are_prompts_too(session: Session, server: BatchServer) -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    session.map([[*talk, {"role": "user", "content": "c"}]], **QUIET)
    assert [m["content"] for m in server.bodies[0]["messages"]] == ["a", "b", "c"]


def test_a_frame_comes_back_with_answers_beside_its_rows(session: Session) -> None:
    frame = pd.DataFrame({"text": ["a", "b [bad]", "c [length]"], "n": [1, 2, 3]}, index=["x", "y", "z"])
    result = session.map(frame, template="{text}/{n}", **QUIET)
    assert list(result.columns) == ["text", "n", "answer", "error", "finish_reason"]
    assert list(result.index) == ["x", "y", "z"]
    assert result.loc["x", "answer"] == "You said: a/1"
    assert pd.isna(result.loc["y", "answer"])
    assert result.loc["y", "error"] == "The prompt is too long."
    assert result.loc["z", "finish_reason"] == "length"
    assert list(frame.columns) == ["text", "n"]
    assert result.attrs["curc_llm"]["failed"] == 1


def test_an_index_with_the_same_label_twice_is_kept(session: Session) -> None:
    frame = pd.DataFrame({"text": ["a", "b", "c"]}, index=[7, 7, 8])
    result = session.map(frame, **QUIET)
    assert list(result.index) == [7, 7, 8]
    assert list(result["answer"]) == ["You said: a", "You said: b", "You said: c"]


def test_a_series_gives_a_frame(session: Session) -> None:
    result = session.map(pd.Series(["a", "b"], index=[3, 4], name="note"), **QUIET)
    assert list(result.columns) == ["note", "answer", "error", "finish_reason"]
    assert list(result.index) == [3, 4]


def test_a_schema_becomes_typed_columns(session: Session) -> None:
    frame = pd.DataFrame({"text": ["ab", "c [bad]", "d [prose]"]})
    result = session.map(frame, schema=PERSON, **QUIET)
    assert {n: str(result[n].dtype) for n in ("age", "warm", "name")} == {
        "age": "Int64",
        "warm": "boolean",
        "name": "string",
    }
    assert result["age"].iloc[0] == 2
    assert bool(result["warm"].iloc[0]) is True
    assert result["age"].isna().tolist() == [False, True, True]
    assert "too long" in result["error"].iloc[1]
    assert "The answer is no JSON" in result["error"].iloc[2]


def test_what_a_model_wrote_against_the_schema_is_kept(session: Session) -> None:
    answers = session.map(["a", "b [prose]"], schema=PERSON, **QUIET)
    assert answers[0] == {"age": 1, "warm": True, "name": "a"}
    assert answers[1] is None
    line = json.loads(answers.path.read_text().splitlines()[1])
    assert line["error"]["code"] == "schema_mismatch"
    assert line["response"]["body"]["choices"][0]["message"]["content"] == "You said: b [prose]"


def test_a_schema_that_the_model_never_meets_stops_the_batch_early(
    session: Session, server: BatchServer
) -> None:
    prompts = [f"[prose] {i}" for i in range(300)]
    with pytest.raises(BatchStoppedError, match=r"None of the first 20 answers can be used.*is no JSON"):
        session.map(prompts, schema=PERSON, concurrency=4, **QUIET)
    assert server.num_asked < 40


def test_a_pydantic_model_gives_its_objects_and_typed_columns(session: Session, server: BatchServer) -> None:
    assert session.map(["ab"], schema=Person, **QUIET) == [Person(age=2, warm=True, name="ab")]
    assert server.bodies[0]["response_format"]["json_schema"]["schema"]["title"] == "Person"
    result = session.map(pd.DataFrame({"text": ["ab", "cd"]}), schema=Person, **QUIET)
    assert str(result["mood"].dtype) == "category"
    assert list(result["mood"].cat.categories) == ["good", "bad"]


def test_a_schema_that_is_none_is_told_before_anything_is_sent(session: Session, server: BatchServer) -> None:
    with pytest.raises(SchemaError, match="no JSON schema"):
        session.map(["one"], schema={"type": "nonsense"}, **QUIET)
    assert server.num_asked == 0


def test_embeddings_come_the_same_way(session: Session, server: BatchServer) -> None:
    assert session.embed_map(["abc", "d"], **QUIET) == [[3.0, 0.5], [1.0, 0.5]]
    assert server.bodies[0] == {"model": "vectors", "input": "abc", "encoding_format": "base64"}
    matrix = session.embed_map(["abc", "x [bad]"], as_array=True, **QUIET)
    assert matrix.shape == (2, 2)
    assert matrix.dtype == np.float32
    assert np.isnan(matrix[1]).all()
    result = session.embed_map(pd.DataFrame({"text": ["abc", "d"]}), **QUIET)
    assert list(result.columns) == ["text", "embedding", "error"]
    assert result["embedding"].iloc[0].tolist() == [3.0, 0.5]


def test_completions_can_be_asked_too(session: Session, server: BatchServer) -> None:
    assert session.map(["Once"], endpoint="completions", **QUIET) == ["You said: Once"]
    assert server.bodies[0] == {"model": "m", "prompt": "Once"}


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "There are no rows to ask"),
        ("one question", {}, "The rows are str, not a list of prompts"),
        (7, {}, "The rows are int"),
        (["a", 5], {}, r"The prompt of row 1 \(counted from 0\) is no text but int: 5"),
        (["a", None], {}, "is no text but NoneType"),
        (["a", float("nan")], {}, "is no text but float: nan"),
        ([[{"content": "x"}]], {}, "Row 0 .* can't be asked: .* Messages look like"),
        (["a"], {"template": "{x}"}, "Row 0 .* is str, and a template needs named columns"),
        ([{"a": 1}], {"template": "{x}"}, r"names \{x\}"),
        ([{"x": "a"}, {"y": "b"}], {"template": "{x}"}, r"There is no column 'x' in row 1; it has y\."),
        (["a"], {"tmperature": 1}, r"There is no parameter tmperature\. Did you mean temperature\?"),
        (["a"], {"outptu": "x"}, r"There is no parameter outptu\. Did you mean output\?"),
        (["a"], {"restart": True}, "'restart' can't be used in a batch. resume=False"),
        (["a"], {"suffix": "x"}, "There is no parameter suffix"),
        (["a"], {"timeout": 5}, "timeout_s="),
        ([{"x": None}], {"template": "{x}"}, "Column 'x' is empty"),
        (["a"], {"stream": True}, "'stream' can't be used in a batch"),
        (["a"], {"endpoint": "images"}, "There is no endpoint 'images'"),
        (["a"], {"model": "gpt-9"}, "The session has no model 'gpt-9'"),
        (["a"], {"model": "vectors"}, "The model 'vectors' makes embeddings, and /v1/chat"),
        (["a"], {"model": "m", "endpoint": "embeddings"}, "The model 'm' writes text, and /v1/embeddings"),
        (["a"], {"concurrency": 0}, "concurrency is 0"),
        (["a"], {"temperature": object()}, "can't be written as JSON"),
        (["a"], {"temperature": float("nan")}, "can't be written as JSON"),
        (["a"], {"endpoint": "embeddings", "schema": PERSON}, "A schema is for chats"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), {}, "It isn't clear which column"),
        (pd.DataFrame({"a": ["x"]}), {"prompt_column": "z"}, "There is no column 'z'"),
        (pd.DataFrame({"a": ["x"]}), {"prompt_column": "a", "template": "{a}"}, "Both a prompt column"),
        (pd.DataFrame({"a": ["x", None, "z"]}), {}, r"'a' is empty \(NaN\) in 1 of 3 rows: index 1"),
        (pd.DataFrame({"n": [1.0, np.nan]}), {"template": "{n}"}, r"'n' is empty \(NaN\) in 1 of 2 rows"),
        (pd.DataFrame({"a": [1, 2]}), {}, r"Column 'a' holds int and no text: row 0 \(index 0\)"),
        (pd.DataFrame([["x", "y"]], columns=["a", "a"]), {"template": "{a}"}, "the column 'a' twice"),
        (pd.DataFrame({"answer": ["x"]}), {}, "have a column 'answer' already"),
        (pd.DataFrame({"a": ["x"]}), {"template": "{a:.2f}"}, "The template can't be filled for row 0"),
        (pd.DataFrame({"a": []}), {}, "There are no rows to ask"),
        (
            pd.DataFrame({"a": ["x", None]}, index=np.array([4, 5])),
            {},
            r"in 1 of 2 rows: index 5\.",
        ),
        (pd.DataFrame({"a": [1]}, index=np.array([5])), {}, r"row 0 \(index 5\)"),
    ],
)
def test_what_cannot_be_asked_is_told_before_anything_is_sent(
    session: Session, server: BatchServer, rows: object, options: dict[str, object], message: str
) -> None:
    with pytest.raises(BatchInputError, match=message) as error:
        session.map(rows, **options, **QUIET)
    assert server.num_asked == 0
    assert error.value.remedy or "Messages look" in error.value.message
    assert "\n" not in str(error.value)


def test_without_a_file_results_are_private_in_the_state_folder(session: Session, tmp_path: Path) -> None:
    path = session.map(["one"], **QUIET).path
    assert path.parent == tmp_path / "batches"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "one" not in path.read_text().replace("You said: one", "")  # answers, but no prompts


def test_old_results_without_a_file_of_their_own_are_removed(session: Session) -> None:
    old = session.map(["one"], **QUIET).path
    os.utime(old, (0, time.time() - 40 * 86400))
    session.map(["two"], **QUIET)
    assert not old.exists()


def test_results_go_where_one_says_and_another_batch_there_is_told(
    session: Session, server: BatchServer, tmp_path: Path
) -> None:
    path = tmp_path / "mine.jsonl"
    assert session.map(["one"], output=path, **QUIET).path == path
    with pytest.raises(BatchFileError, match="is of another batch, or the input has changed") as told:
        session.map(["two"], output=path, **QUIET)
    assert "resume=False (--restart)" in told.value.remedy
    assert server.num_asked == 1
    session.map(["two"], output=path, resume=False, **QUIET)
    assert server.num_asked == 2


def test_a_row_of_a_file_without_the_template_s_column_is_told_with_its_line(
    session: Session, server: BatchServer, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"txt": "b"}\n')
    with pytest.raises(BatchInputError, match=r"There is no column 'text' in line 2 of rows\.jsonl"):
        session.map(path, template="{text}", **QUIET)
    assert server.num_asked == 0


@pytest.mark.parametrize("ending", ["csv", "parquet", "tsv"])
def test_a_frame_s_results_can_be_written_as_a_table_too(
    session: Session, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"mine.{ending}"
    frame = pd.DataFrame({"text": ["a,b", "c"], "n": [1, 2]})
    session.map(frame, template="{text}", schema=PERSON, output=path, **QUIET)
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "tsv": lambda p: pd.read_csv(p, sep="\t")}[ending]
    table = read(path)
    assert table["text"].tolist() == ["a,b", "c"]
    assert table["n"].tolist() == [1, 2]
    assert table["age"].tolist() == [3, 1]


def test_a_file_of_rows_can_be_given_instead_of_a_frame(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text('text\n"one"\n"two"\n')
    assert session.map(path, **QUIET) == ["You said: one", "You said: two"]


def test_without_waiting_the_run_is_returned_at_once(session: Session, server: BatchServer) -> None:
    server.delay_s = 0.3
    run = session.map(["one"], wait=False)
    assert isinstance(run, Run)
    assert not run.is_over
    assert "0 of 1 rows" in repr(run)
    assert run.result() == ["You said: one"]
    assert run.result() == ["You said: one"]
    run.close()


@pytest.mark.slow
def test_an_interrupt_stops_cleanly_and_the_same_call_goes_on(session: Session, server: BatchServer) -> None:
    server.delay_s = 0.02
    prompts = [f"q{i}" for i in range(200)]

    def interrupt() -> None:
        while server.num_asked < 30:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(BatchStoppedError, match="rows are done and kept in") as stopped:
        session.map(prompts, concurrency=4, **QUIET)
    thread.join()
    assert stopped.value.interrupted
    kept = len(stopped.value.path.read_text().splitlines())
    assert 20 < kept < 200
    answers = session.map(prompts, concurrency=4, **QUIET)
    assert answers == [f"You said: {prompt}" for prompt in prompts]
    assert server.num_asked <= 200 + 4  # those under way at the interrupt were asked again, no others


@pytest.mark.slow
def test_a_hundred_thousand_rows_take_little_memory(session: Session, tmp_path: Path) -> None:
    # The survey keeps 12 bytes for each row, the journal 9.
    from curc_llm.batch.recipe import PromptRows, Recipe
    from curc_llm.batch.survey import make_survey

    survey = make_survey(PromptRows(Recipe("/v1/chat/completions", "m"), lambda: map(str, range(100_000))))
    assert survey.total == 100_000
    assert len(survey.digests) == 1_200_000
    assert survey.indices == {}


def test_a_batch_that_is_over_lets_its_file_be_used_again(session: Session, server: BatchServer) -> None:
    first = session.map(["one"], wait=False)
    first.wait()
    assert session.map(["one"], **QUIET) == ["You said: one"]
    assert first.result() == ["You said: one"]
    assert server.num_asked == 1
    first.close()


def test_more_rows_at_once_than_files_may_be_open_are_told(session: Session, server: BatchServer) -> None:
    with pytest.raises(BatchInputError, match="more open files than this process may have"):
        session.map(["one"], concurrency=10_000_000, **QUIET)
    assert server.num_asked == 0
