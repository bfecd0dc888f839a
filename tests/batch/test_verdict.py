"""What an answer means for its row."""

from __future__ import annotations

import json

import pytest

from curc_llm.batch.verdict import Fate, judge, parse_retry_after
from curc_llm.batch.wire import Reply


def refuse(status: int, code: str = "", message: str = "x") -> Reply:
    return Reply(status, {}, json.dumps({"error": {"code": code, "message": message}}).encode())


@pytest.mark.parametrize(
    ("reply", "fate"),
    [
        (Reply(200, {}, b'{"choices": []}'), Fate.DONE),
        (Reply(200, {}, b"<html>"), Fate.BROKEN),
        (Reply(200, {}, b"[]"), Fate.BROKEN),
        (refuse(200), Fate.BROKEN),
        (refuse(400), Fate.FAILED),
        (refuse(413), Fate.FAILED),
        (refuse(422), Fate.FAILED),
        (refuse(404, message="Not Found"), Fate.FAILED),
        (refuse(404, message="The model `x` does not exist."), Fate.REFUSED),
        (refuse(404, "model_not_found"), Fate.REFUSED),
        (refuse(401, "invalid_api_key"), Fate.REFUSED),
        (refuse(403, "permission_denied"), Fate.REFUSED),
        (refuse(429, "rate_limit_exceeded"), Fate.BUSY),
        (refuse(503, "model_loading"), Fate.AWAY),
        (refuse(503, "session_ending"), Fate.AWAY),
        (Reply(503, {}, b""), Fate.AWAY),
        (refuse(503, "engine_failed"), Fate.BROKEN),
        (refuse(502, "engine_failed"), Fate.BROKEN),
        (refuse(500), Fate.BROKEN),
        (refuse(408, "timeout"), Fate.BROKEN),
    ],
)
def test_each_answer_has_its_fate(reply: Reply, fate: Fate) -> None:
    assert judge(reply).fate is fate


def test_what_was_said_is_kept() -> None:
    verdict = judge(refuse(400, "bad", "Too long."))
    assert (verdict.code, verdict.message) == ("bad", "Too long.")
    assert judge(Reply(400, {}, b"")).message == "The session answered with HTTP 400."
    detail = b'{"detail": "Not Found"}'
    assert judge(Reply(404, {}, detail)).message == "The session answered with HTTP 404 (Not Found)."


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("-1", 0.0), ("9999", 60.0), ("nan", None), ("soon", None), (None, None)],
)
def test_waits_are_bounded(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after({} if value is None else {"retry-after": value}) == seconds
