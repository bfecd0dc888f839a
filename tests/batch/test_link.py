"""The way to a session that moves, falls silent, or will never answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from curc_llm.batch.link import Link
from curc_llm.errors import ApiError, SessionEndedError, SessionNotReadyError
from curc_llm.session.record import EnginePhase, EngineRecord, SessionStatus, Trouble
from tests.batch.batch_server import BatchServer
from tests.batch.conftest import ServerSource


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


MakeLink = Callable[..., Link]


@pytest.fixture
async def make_link(source: ServerSource) -> AsyncIterator[MakeLink]:
    links: list[Link] = []

    def make(clock: Clock | None = None, model: str = "m") -> Link:
        links.append(Link(source, frozenset({model}), 60, clock=clock or Clock()))
        return links[-1]

    yield make
    for link in links:
        link.close()
    await asyncio.sleep(0)


async def test_a_session_that_can_answer_needs_no_words(source: ServerSource, make_link: MakeLink) -> None:
    link = make_link()
    assert await link.look() == ""
    await link.load_end()
    assert link.ends_at is None


async def test_a_session_that_moved_is_followed(source: ServerSource, make_link: MakeLink) -> None:
    link = make_link()
    assert await link.look() == ""
    with BatchServer() as elsewhere:
        source.server.die()
        source.server = elsewhere
        assert await link.look() == "The session has moved."
        assert await link.look() == ""
        assert link.pool.base_url == elsewhere.url


async def test_a_session_without_an_address_is_waited_for(source: ServerSource, make_link: MakeLink) -> None:
    def not_yet() -> str:
        raise SessionNotReadyError("It has no port yet: it is queued.")

    source.base_url = not_yet  # type: ignore[method-assign]
    assert await make_link().look() == "It has no port yet: it is queued."


async def test_silence_is_borne_for_a_while(source: ServerSource, make_link: MakeLink) -> None:
    clock = Clock()
    link = make_link(clock)
    assert await link.look() == ""
    source.server.die()
    assert "can't be reached" in await link.look()
    clock.now_s = 800
    assert "can't be reached" in await link.look()
    clock.now_s = 1000
    with pytest.raises(ApiError, match="couldn't be reached for 15 minutes"):
        await link.look()
    source.server.come_back()


async def test_a_session_whose_record_cannot_be_had_is_borne_for_a_while_too(
    source: ServerSource, make_link: MakeLink
) -> None:
    link = make_link()
    assert await link.look() == ""
    source.server.die()

    def silent() -> None:
        raise ApiError("Nothing answers there.")

    source.record = silent  # type: ignore[method-assign,assignment]
    assert await link.look() == "Nothing answers there. Trying again."
    await link.load_end()
    assert link.ends_at is None


async def test_a_session_that_is_over_is_told_at_once(source: ServerSource, make_link: MakeLink) -> None:
    link = make_link()
    assert await link.look() == ""
    source.server.die()
    source.changes = {"status": SessionStatus.ENDED, "reason": Trouble(code="idle", message="It was idle.")}
    with pytest.raises(SessionEndedError, match="It was idle"):
        await link.look()


async def test_an_engine_that_was_given_up_is_told_at_once(source: ServerSource, make_link: MakeLink) -> None:
    trouble = Trouble(code="out_of_memory", message="It ran out of memory.")
    engine = EngineRecord(served_model_name="big", model="/b", phase=EnginePhase.FAILED, trouble=trouble)
    source.changes = {"engines": (engine,)}
    with pytest.raises(ApiError, match="'big' can't answer any more: It ran out of memory"):
        await make_link(model="big").look()


async def test_an_engine_that_loads_beside_others_is_waited_for(
    source: ServerSource, make_link: MakeLink
) -> None:
    engine = EngineRecord(served_model_name="big", model="/b", phase=EnginePhase.LOADING)
    source.changes = {"engines": (engine,)}
    link = make_link(model="big")
    assert "big: loading" in await link.look()
    link.close()
