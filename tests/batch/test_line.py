"""One line of the results: whatever is in it, it is one line, and reads back as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.batch.line import Identity, RowError, parse_identity, parse_line, render_line

DIGEST = bytes(range(12))


@given(
    index=st.integers(0, 10**9),
    custom_id=st.text(),
    body=st.dictionaries(st.text(), st.text() | st.integers() | st.none()),
    indent=st.sampled_from([None, 2]),
    message=st.none() | st.text(),
)
def test_a_line_reads_back_as_it_was(
    index: int, custom_id: str, body: dict[str, object], indent: int | None, message: str | None
) -> None:
    error = None if message is None else RowError("c", message)
    raw = json.dumps(body, indent=indent).encode()
    line = render_line(Identity(index, DIGEST), custom_id, status=200, request_id="r", body=raw, error=error)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    parsed = parse_line(line)
    assert parsed is not None
    identity, value = parsed
    assert (identity.index, identity.digest) == (index, DIGEST)
    assert value["custom_id"] == custom_id
    assert value["response"] == {"status_code": 200, "request_id": "r", "body": body}
    assert value["error"] == (None if message is None else {"code": "c", "message": message})


def test_an_answer_that_is_no_json_object_is_left_out() -> None:
    line = render_line(Identity(0, DIGEST), "a", status=502, body=b"<html>\n</html>")
    assert json.loads(line)["response"]["body"] is None


def test_a_row_without_an_answer_has_no_response() -> None:
    assert json.loads(render_line(Identity(0, DIGEST), "a", status=None))["response"] is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "batch_req_",
        "batch_req_1_ab",
        "batch_req_x_" + "0" * 24,
        "batch_req_1_" + "g" * 24,
        "req_1",
        None,
        7,
    ],
)
def test_ids_of_others_are_not_taken_for_ours(text: object) -> None:
    assert parse_identity(text) is None


@given(st.binary())
def test_anything_else_is_no_line(data: bytes) -> None:
    assert parse_line(data) is None
