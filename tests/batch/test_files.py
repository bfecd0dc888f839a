"""`curc-llm batch`'s files: every kind in, every kind out, and what can't be read told by its line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curc_llm.batch.asked import Wish
from curc_llm.batch.files import FileJob, make_file_run
from curc_llm.batch.run import RunOptions
from curc_llm.batch.trouble import BatchError, BatchFileError, BatchInputError
from curc_llm.client.session import Session
from tests.batch.batch_server import BatchServer

SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}, "warm": {"type": "boolean"}, "parts": {"type": "array"}},
}


def make_job(source: Path, target: Path, **wish: Any) -> FileJob:
    return FileJob(source, target, Wish(**wish))


def run_job(session: Session, job: FileJob, **options: Any) -> Path:
    run = make_file_run(session, job, RunOptions(**options))
    try:
        return run.start().result()
    finally:
        run.close()


def write_requests(path: Path, *requests: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(request) + "\n" for request in requests))
    return path


def make_request(custom_id: str, content: str, **more: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body, **more}


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_openai_s_format_goes_in_and_comes_out(session: Session, tmp_path: Path) -> None:
    source = write_requests(tmp_path / "in.jsonl", make_request("b", "one"), make_request("a", "two [bad]"))
    rows = read_jsonl(run_job(session, make_job(source, tmp_path / "out.jsonl")))
    assert [row["custom_id"] for row in rows] == ["b", "a"]
    assert rows[0]["id"].startswith("batch_req_")
    assert rows[0]["response"]["status_code"] == 200
    assert rows[0]["response"]["request_id"] == "r1"
    assert rows[0]["response"]["body"]["choices"][0]["message"]["content"] == "You said: one"
    assert rows[0]["error"] is None
    assert rows[1]["error"]["message"] == "The prompt is too long."
    assert set(rows[0]) == {"id", "custom_id", "response", "error"}


def test_requests_without_a_model_get_the_session_s_and_flags_fill_what_they_lack(
    session: Session, server: BatchServer, tmp_path: Path
) -> None:
    request = make_request("a", "one")
    del request["body"]["model"]
    request["body"]["temperature"] = 1
    source = write_requests(tmp_path / "in.jsonl", request)
    run_job(session, make_job(source, tmp_path / "out.jsonl", params={"temperature": 0, "max_tokens": 9}))
    assert (server.bodies[0]["model"], server.bodies[0]["temperature"]) == ("m", 1)
    assert server.bodies[0]["max_tokens"] == 9


def test_a_model_that_is_named_goes_before_the_requests_own(
    session: Session, server: BatchServer, tmp_path: Path
) -> None:
    source = write_requests(tmp_path / "in.jsonl", make_request("a", "one"))
    source.write_text(source.read_text().replace('"m"', '"gpt-9"'))
    with pytest.raises(BatchInputError, match="asks for the model 'gpt-9'") as error:
        run_job(session, make_job(source, tmp_path / "out.jsonl"))
    assert "--model" in error.value.remedy
    run_job(session, make_job(source, tmp_path / "out.jsonl", model="m"))
    assert server.bodies[0]["model"] == "m"


def test_embeddings_in_openai_s_format_keep_the_form_they_ask_for(session: Session, tmp_path: Path) -> None:
    body = {"model": "vectors", "input": "abc"}
    source = write_requests(
        tmp_path / "in.jsonl", {"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": body}
    )
    rows = read_jsonl(run_job(session, make_job(source, tmp_path / "out.jsonl")))
    assert rows[0]["response"]["body"]["data"][0]["embedding"] == [3.0, 0.5]


def test_a_csv_file_comes_back_with_answers_beside_its_rows(session: Session, tmp_path: Path) -> None:
    source = tmp_path / "notes.csv"
    source.write_text('﻿id,text\n1,"a, ""b"""\n2,c [bad]\n', encoding="utf-8")
    target = run_job(session, make_job(source, tmp_path / "out.csv", template="{text}"))
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert rows[0] == {
        "id": "1",
        "text": 'a, "b"',
        "answer": 'You said: a, "b"',
        "error": "",
        "finish_reason": "stop",
    }
    assert (rows[1]["answer"], rows[1]["error"]) == ("", "The prompt is too long.")
    assert len(read_jsonl(tmp_path / "out.csv.rows.jsonl")) == 2


def test_a_table_that_is_done_is_made_again_without_asking(
    session: Session, server: BatchServer, tmp_path: Path
) -> None:
    source = tmp_path / "notes.csv"
    source.write_text("text\na\nb\n")
    job = make_job(source, tmp_path / "out.csv")
    before = run_job(session, job).read_bytes()
    job.target.unlink()
    assert run_job(session, job).read_bytes() == before
    assert server.num_asked == 2


def test_parquet_keeps_the_rows_types_and_gives_answers_theirs(session: Session, tmp_path: Path) -> None:
    source = tmp_path / "notes.parquet"
    pq.write_table(pa.table({"n": pa.array([1, None], pa.int16()), "text": ["ab", "c [bad]"]}), source)
    target = run_job(session, make_job(source, tmp_path / "out.parquet", prompt_column="text", schema=SCHEMA))
    table = pq.read_table(target)
    kinds = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert kinds == {
        "n": "int16",
        "text": "string",
        "age": "int64",
        "warm": "bool",
        "parts": "string",
        "error": "string",
        "finish_reason": "string",
    }
    assert table.column("age").to_pylist() == [2, None]
    assert table.column("n").to_pylist() == [1, None]


def test_embeddings_of_a_csv_file_become_lists_in_parquet(session: Session, tmp_path: Path) -> None:
    source = tmp_path / "notes.csv"
    source.write_text("text\nabc\nd [bad]\n")
    target = run_job(session, make_job(source, tmp_path / "out.parquet", endpoint="embeddings"))
    table = pq.read_table(target)
    assert str(table.schema.field("embedding").type) == "list<element: float>"
    assert table.column("embedding").to_pylist() == [[3.0, 0.5], None]


def test_a_file_of_objects_takes_a_template(session: Session, server: BatchServer, tmp_path: Path) -> None:
    source = write_requests(tmp_path / "in.jsonl", {"a": 1, "b": "x"}, {"a": 2, "b": "y"})
    target = run_job(session, make_job(source, tmp_path / "out.tsv", template="{a}{b}", system="Be brief."))
    rows = list(csv.DictReader(target.read_text().splitlines(), delimiter="\t"))
    assert [row["answer"] for row in rows] == ["You said: 1x", "You said: 2y"]
    assert server.bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}


def test_more_rows_than_are_written_at_once_are_all_there(session: Session, tmp_path: Path) -> None:
    source = tmp_path / "notes.csv"
    source.write_text("text,late\n" + "".join(f"q{i},{'x' if i > 1100 else ''}\n" for i in range(1200)))
    target = run_job(session, make_job(source, tmp_path / "out.parquet", template="{text}"))
    table = pq.read_table(target)
    assert table.column("answer").to_pylist() == [f"You said: q{i}" for i in range(1200)]
    assert table.column("late").to_pylist()[1100:1102] == [None, "x"]


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("in.jsonl", "", {}, "There are no rows in .*in.jsonl"),
        ("in.csv", "text\n", {}, "There are no rows in .*in.csv"),
        (
            "in.jsonl",
            '{"text": "a"}\n\n{"txt": "b"}\n',
            {"template": "{text}"},
            "no column 'text' in line 3 of in.jsonl; it has txt",
        ),
        (
            "in.jsonl",
            '{"text": "a"}\n{"txt": "b"}\n',
            {"prompt_column": "text"},
            "no column 'text' in line 2 of in.jsonl",
        ),
        ("in.csv", 'text,n\n"a\nb",1\n,2\n', {"template": "{text}"}, r"\(NaN\) in line 4 of in.csv"),
        ("in.jsonl", "{}\n", {"template": "{x}"}, "no such column"),
        ("in.jsonl", '{"text": "a"}\nnonsense\n', {}, "Line 2 of .*in.jsonl isn't JSON"),
        ("in.jsonl", "[1]\n", {}, "Line 1 of .* is no JSON object"),
        ("in.csv", "text\na\n\xff", {}, None),
        ("in.csv", "a,a\n1,2\n", {"template": "{a}"}, "two columns of the same name"),
        ("in.csv", "text\na,b\n", {}, "Line 2 of .* has more cells"),
        (
            "in.csv",
            "text,n\na,1\n,2\n",
            {"template": "{text}"},
            r"'text' is empty \(NaN\) in line 3 of in.csv",
        ),
        ("in.csv", "answer\na\n", {"prompt_column": "answer"}, "have a column 'answer' already"),
        ("in.parquet", "no parquet", {}, r"in.parquet can't be read: .*[^.]\.$"),
        ("in.docx", "x", {}, "can't be read as rows"),
    ],
)
def test_files_that_cannot_be_read_are_told_before_anything_is_sent(
    session: Session,
    server: BatchServer,
    tmp_path: Path,
    name: str,
    content: str,
    options: dict[str, Any],
    message: str | None,
) -> None:
    source = tmp_path / name
    source.write_text(content, encoding="latin-1" if message is None else "utf-8")
    with pytest.raises(BatchError, match=message or "isn't UTF-8 text"):
        run_job(session, make_job(source, tmp_path / "out.csv", **options))
    assert server.num_asked == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"body": {"messages": []}, "url": "/v1/images"}, "its url is '/v1/images'"),
        ({"method": "GET"}, "its method is 'GET'"),
        ({"custom_id": 7}, "its custom_id isn't a text"),
        ({"body": {"stream": True}}, "it asks for a stream"),
    ],
)
def test_a_request_that_cannot_be_sent_is_told_with_its_number(
    session: Session, server: BatchServer, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    source = write_requests(
        tmp_path / "in.jsonl", make_request("a", "one"), {**make_request("b", "two"), **change}
    )
    with pytest.raises(BatchInputError, match=rf"Request 2 of .*in.jsonl can't be sent: {message}"):
        run_job(session, make_job(source, tmp_path / "out.jsonl"))
    assert server.num_asked == 0


def test_two_rows_of_one_custom_id_are_told(session: Session, tmp_path: Path) -> None:
    source = write_requests(tmp_path / "in.jsonl", *(make_request(i, "x") for i in ("a", "b", "a")))
    with pytest.raises(BatchInputError, match="'a' occurs twice, in rows 0 and 2"):
        run_job(session, make_job(source, tmp_path / "out.jsonl"))


def test_an_id_that_names_another_row_is_told(session: Session, tmp_path: Path) -> None:
    source = write_requests(tmp_path / "in.jsonl", make_request("row-1", "x"), make_request("a", "y"))
    with pytest.raises(BatchInputError, match="is the name of another row"):
        run_job(session, make_job(source, tmp_path / "out.jsonl"))


def test_whole_requests_take_no_template(session: Session, tmp_path: Path) -> None:
    source = write_requests(tmp_path / "in.jsonl", make_request("a", "x"))
    with pytest.raises(BatchInputError, match="take no template"):
        run_job(session, make_job(source, tmp_path / "out.jsonl", template="{a}"))


@pytest.mark.parametrize(
    ("name", "message"), [("in.csv", "the same file"), ("out.docx", "can't be written as")]
)
def test_a_target_that_cannot_be_is_told(session: Session, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "in.csv").write_text("text\na\n")
    with pytest.raises(BatchFileError, match=message):
        run_job(session, make_job(tmp_path / "in.csv", tmp_path / name))


def test_a_missing_file_is_told(session: Session, tmp_path: Path) -> None:
    with pytest.raises(BatchInputError, match="There is no file"):
        run_job(session, make_job(tmp_path / "in.csv", tmp_path / "out.csv"))


def test_a_file_that_changes_while_the_batch_runs_is_told(
    session: Session, server: BatchServer, tmp_path: Path
) -> None:
    source = tmp_path / "notes.csv"
    source.write_text("text\n" + "".join(f"q{i}\n" for i in range(5000)))
    run = make_file_run(session, make_job(source, tmp_path / "out.jsonl"), RunOptions(concurrency=2))
    source.write_text("text\nq0\nother\n")
    with pytest.raises(BatchError, match="Row 1 changed while the batch ran"):
        run.start().wait()
    run.close()
    source.write_text("text\nq0\n")
    run = make_file_run(session, make_job(source, tmp_path / "o2.jsonl"), RunOptions())
    source.write_text("text\nq0\nq1\n")
    with pytest.raises(BatchError, match=r"changed while|had 1 rows"):
        run.start().wait()
    run.close()
