from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from curc_llm.notebook.reply import Reply
from curc_llm.notebook.reply_panel import ReplyPanel


class Board(ReplyPanel):
    def __init__(self) -> None:
        self.replies = [Reply(1), Reply(2)]
        super().__init__()
        self.show(now=True)

    def list_replies(self) -> Sequence[Reply]:
        return self.replies

    def make_state(self) -> dict[str, Any]:
        return {"replies": [reply.to_json() for reply in self.replies]}


@pytest.fixture
def board() -> Board:
    return Board()


def follow(board: Board) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    board.observe(lambda change: seen.append(change["new"]), names="live")
    return seen


def test_only_what_is_new_is_sent(board: Board) -> None:
    seen = follow(board)
    board.replies[0].add("text", "a" * 1000)
    board.grow()
    time.sleep(0.12)
    board.replies[0].add("text", "bc")
    board.grow()
    time.sleep(0.12)
    assert [part["text"] for live in seen for part in live["parts"]] == ["a" * 1000, "bc"]
    assert [live["seq"] for live in seen] == [1, 2]


@pytest.mark.slow
def test_a_long_answer_is_sent_ten_times_a_second_at_most(board: Board) -> None:
    seen = follow(board)
    began = time.monotonic()
    while time.monotonic() - began < 1:
        board.replies[1].add("text", "word ")
        board.grow()
        time.sleep(0.0005)
    time.sleep(0.15)
    assert len(seen) <= 12
    assert "".join(part["text"] for live in seen for part in live["parts"]) == board.replies[1].text


def test_what_is_sent_later_follows_upon_the_state(board: Board) -> None:
    seen = follow(board)
    board.replies[0].add("text", "one")
    board.grow()
    board.replies[0].add("text", " two")
    board.show(now=True)
    assert board.state["replies"][0]["text"] == "one two"
    time.sleep(0.12)
    board.replies[0].add("text", " three")
    board.grow()
    assert seen[-1]["seq"] == board.state["seq"] + 1
    assert seen[-1]["parts"][0]["text"] == " three"


def test_a_page_that_missed_something_gets_it_all(board: Board) -> None:
    board.replies[0].add("text", "one")
    board.grow()
    assert board._act("resend", None) == {"result": {}}
    assert board.state["replies"][0]["text"] == "one"
    assert board.state["seq"] == board.live["seq"]
