from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from curc_llm.client import Session, connect
from curc_llm.client.draft import Piece
from curc_llm.errors import ApiError, SessionEndedError
from curc_llm.session.record import SessionStatus, Trouble
from tests.fakes.fake_session import FakeSession

ABORT_TIMEOUT_S = 5


@pytest.fixture
async def session(fake: FakeSession) -> AsyncIterator[Session]:
    async with connect() as found:
        yield found


async def test_an_answer_can_be_awaited(session: Session) -> None:
    answer = await session.achat("Hi", system="Be brief.")
    assert answer == "You said: Hi"
    assert answer.finish_reason == "stop"


@pytest.mark.slow
async def test_several_questions_go_out_at_once(session: Session) -> None:
    began = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(session.achat(f"[silent] {n}") for n in range(4)))
    assert answers == [f"You said: [silent] {n}" for n in range(4)]
    assert asyncio.get_running_loop().time() - began < 3  # each takes a second


async def test_a_stream_gives_text_piece_by_piece_and_then_the_answer(session: Session) -> None:
    async with session.astream("one two") as stream:
        pieces = [piece async for piece in stream]
    assert pieces == ["You", " said:", " one", " two"]
    assert stream.answer == "You said: one two"
    assert stream.answer.usage is not None


async def test_reasoning_is_kept_apart_from_the_text(session: Session) -> None:
    stream = session.astream("hm [think]")
    pieces = [piece async for piece in stream.pieces()]
    assert pieces[0] == Piece("reasoning", "Let me think.")
    assert stream.answer.reasoning == "Let me think."


async def test_nothing_is_sent_before_it_is_read(fake: FakeSession, session: Session) -> None:
    async with session.astream("Hi"):
        pass
    assert fake.requests == []


async def test_a_loop_that_is_left_early_ends_the_generation(fake: FakeSession, session: Session) -> None:
    async with session.astream("[slow]") as stream:
        async for _ in stream:
            break
    assert await asyncio.to_thread(fake.aborted.wait, ABORT_TIMEOUT_S)


async def test_a_bare_loop_that_is_left_early_ends_the_generation_too(
    fake: FakeSession, session: Session
) -> None:
    async for _ in session.astream("[slow]"):
        break
    assert await asyncio.to_thread(fake.aborted.wait, ABORT_TIMEOUT_S)


async def test_a_cancelled_task_ends_the_generation(fake: FakeSession, session: Session) -> None:
    began = asyncio.Event()

    async def read() -> None:
        async for _ in session.astream("[slow]"):
            began.set()

    task = asyncio.create_task(read())
    await began.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert await asyncio.to_thread(fake.aborted.wait, ABORT_TIMEOUT_S)


async def test_a_stream_that_another_task_closes_just_ends(fake: FakeSession, session: Session) -> None:
    stream = session.astream("[slow]")
    seen = []
    async for piece in stream:
        seen.append(piece)
        if len(seen) == 5:
            closing = asyncio.create_task(stream.close())
    await closing
    assert len(seen) < 20
    assert stream.answer == "".join(seen)
    assert await asyncio.to_thread(fake.aborted.wait, ABORT_TIMEOUT_S)
    assert [piece async for piece in stream] == []


async def test_an_answer_that_breaks_off_is_an_error(session: Session) -> None:
    stream = session.astream("hello [cut]")
    with pytest.raises(ApiError, match="broke off"):
        _ = [piece async for piece in stream]
    assert stream.answer == "You said: hello [cut]"


async def test_a_session_that_ends_in_the_middle_says_why(fake: FakeSession, session: Session) -> None:
    stream = session.astream("one two [cut]")
    reason = Trouble(code="wall_time", message="Its hours are over.")
    with pytest.raises(SessionEndedError, match="Its hours are over"):  # noqa: PT012
        async for _ in stream:
            fake.change(status=SessionStatus.ENDED, reason=reason)
    assert stream.answer == "You said: one two [cut]"


async def test_refusals_are_told_as_for_ordinary_code(fake: FakeSession, session: Session) -> None:
    fake.refusals = [(429, "rate_limit_exceeded", "Slow down."), (413, "request_too_large", "Too much.")]
    with pytest.raises(ApiError, match=r"Slow down.*try again"):
        await session.achat("Hi")
    with pytest.raises(ApiError, match="Send less"):
        _ = [piece async for piece in session.astream("Hi")]


def test_each_event_loop_has_connections_of_its_own(fake: FakeSession) -> None:
    session = connect()

    clients = []

    async def ask() -> str:
        clients.append(session.async_openai)
        assert session.async_openai is clients[-1]
        try:
            return await session.achat("Hi")
        finally:
            await session.aclose()

    assert [asyncio.run(ask()), asyncio.run(ask())] == ["You said: Hi"] * 2
    assert clients[0] is not clients[1]
    assert all(client.is_closed() for client in clients)
