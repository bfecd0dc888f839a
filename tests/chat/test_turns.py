from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from curc_llm.chat.choice import Choice
from curc_llm.chat.gateway_client import GatewayClient
from curc_llm.chat.kept_answer import KeptAnswer
from curc_llm.chat.session_eyes import SessionEyes
from curc_llm.chat.session_watch import SessionWatch
from curc_llm.chat.turn_request import TurnRequest
from curc_llm.chat.turns import Turns
from curc_llm.chats.store import ChatStore
from curc_llm.chats.writer import ChatWriter
from tests.fakes.fake_gateway import FakeGateway, Reply

REQUEST = TurnRequest([{"role": "user", "content": "hi"}], Choice("curc-guide"))


@pytest.fixture
def turns(client: GatewayClient, watch: SessionWatch) -> Turns:
    return Turns(client, SessionEyes(client, watch))


@pytest.fixture
def writer(tmp_path: Path) -> ChatWriter:
    writer = ChatStore(tmp_path).create()
    writer.append_question("hi")
    return writer


@pytest.fixture
def keep(writer: ChatWriter) -> KeptAnswer:
    return KeptAnswer(writer, writer.chat.path[-1].message_id, {})


async def test_a_page_runs_one_turn_and_stop_finds_it(
    gateway: FakeGateway, turns: Turns, keep: KeptAnswer, writer: ChatWriter
) -> None:
    gateway.default = Reply("one two three", hold_after=1)
    steps = turns.run("page-1", REQUEST, keep)
    await anext(steps)
    assert turns.is_running("page-1")
    turns.stop("page-2")
    assert turns.is_running("page-1")
    turns.stop("page-1")
    assert [rows async for rows in steps]
    assert not turns.is_running("page-1")
    assert writer.chat.path[-1].status in ("stopped", "done")


async def test_a_turn_that_is_dropped_shows_nothing_more(
    gateway: FakeGateway, turns: Turns, keep: KeptAnswer
) -> None:
    gateway.default = Reply("one two three", hold_after=1)
    steps = turns.run("page-1", REQUEST, keep)
    await anext(steps)
    turns.stop("page-1", silently=True)
    assert [rows async for rows in steps] == []
    await asyncio.to_thread(gateway.wait_for, lambda g: g.aborted == 1)


async def test_a_page_that_goes_away_ends_its_turn_and_what_came_is_saved(
    gateway: FakeGateway, turns: Turns, keep: KeptAnswer, writer: ChatWriter
) -> None:
    gateway.default = Reply("one two three", hold_after=2)
    steps = turns.run("page-1", REQUEST, keep)
    async for rows in steps:
        if "one two" in str(rows):
            break
    await steps.aclose()
    assert not turns.is_running("page-1")
    assert writer.chat.path[-1].content == "one two "
