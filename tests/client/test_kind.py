"""A model that is asked for what it can't do is told as such, not as "HTTP 404"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from curc_llm.client import Session
from curc_llm.errors import ApiError
from tests.fakes.fake_session import FakeSession


@pytest.fixture
def both(fake: FakeSession) -> FakeSession:
    """A session with a model that writes and one that makes vectors, whose engines refuse with a bare 404."""
    writer = fake.record.engines[0]
    embedder = writer.model_copy(update={"served_model_name": "demo-embed", "runner": "pooling"})
    fake.change(engines=(writer, embedder))
    fake.refusals = [(404, "", "")]
    return fake


NO_CHAT = r"demo-embed makes vectors; it doesn't chat\. Models that chat here: curc-guide\."


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda session: session.chat("x", model="demo-embed"), NO_CHAT),
        (lambda session: session.stream("x", model="demo-embed"), NO_CHAT),
        (
            lambda session: session.complete("x", model="demo-embed"),
            "makes vectors; it doesn't continue texts",
        ),
        (
            lambda session: session.embed(["a"], model="curc-guide"),
            r"curc-guide writes text; it makes no vectors\. Models that make vectors here: demo-embed\.",
        ),
    ],
)
def test_a_model_of_the_wrong_kind_is_told_with_those_of_the_right_one(
    both: FakeSession, session: Session, ask: Callable[[Session], Any], said: str
) -> None:
    with pytest.raises(ApiError, match=said) as caught:
        ask(session)
    assert caught.value.status == 404


async def test_it_is_told_in_an_event_loop_too(both: FakeSession, session: Session) -> None:
    with pytest.raises(ApiError, match=NO_CHAT):
        await session.achat("x", model="demo-embed")


def test_without_any_of_the_right_kind_it_says_none(fake: FakeSession, session: Session) -> None:
    fake.refusals = [(404, "", "")]
    with pytest.raises(ApiError, match=r"make vectors here: none\."):
        session.embed("a", model="curc-guide")


def test_another_refusal_of_the_right_model_stays_as_it_is(both: FakeSession, session: Session) -> None:
    both.refusals = [(400, "bad_request", "Plain words.")]
    with pytest.raises(ApiError, match=r"^Plain words\.$"):
        session.chat("x", model="curc-guide")
