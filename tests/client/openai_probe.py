"""Uses all of the client against a fake session, with whatever openai is installed; prints `all works`.

`python openai_probe.py FOLDER`, with this repository and its `src` on the path. Needs no pytest: it runs in
environments that hold the base install and one version of openai.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from curc_llm.client import Session, connect
from curc_llm.errors import ApiError
from tests.fakes.fake_session import FakeSession


def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def use_plain(fake: FakeSession, session: Session) -> None:
    answer = session.chat("Hi [think]", system="Be brief.", temperature=0, top_k=5, max_completion_tokens=9)
    assert answer == "You said: Hi [think]"
    assert answer.reasoning == "Let me think."
    assert answer.usage is not None
    assert fake.requests[-1]["body"]["top_k"] == 5
    assert session.complete("Once") == "You said: Once"
    assert session.models() == ["writer", "embedder"]
    assert session.embed(["a", "bcd"], dimensions=3) == [[0.0, 1.0, 0.5], [1.0, 3.0, 0.5]]
    fake.replies = [{"content": "[1, 2]"}]
    assert session.json("Which?", list[int]) == [1, 2]


def use_streams(fake: FakeSession, session: Session) -> None:
    with session.stream("one two [think]") as stream:
        assert list(stream) == ["You", " said:", " one", " two", " [think]"]
    assert stream.answer.reasoning == "Let me think."
    assert stream.answer.usage is not None
    closed = session.stream("[slow]")
    next(iter(closed))
    closed.close()
    assert fake.aborted.wait(5)


def use_tools(fake: FakeSession, session: Session) -> None:
    function = {"name": "add", "arguments": '{"a": 1, "b": 2}'}
    wish = {"tool_calls": [{"id": "c1", "type": "function", "function": function}]}
    fake.replies = [wish, {"content": "3"}]
    assert session.run_tools("1 + 2?", [add]) == "3"
    fake.replies = [wish]
    with session.stream("1 + 2?", tools=[add]) as stream:
        list(stream)
    assert stream.answer.tool_calls[0].arguments == {"a": 1, "b": 2}


def use_failures(fake: FakeSession, session: Session) -> None:
    for refusal, told in (
        ((429, "rate_limit_exceeded", "Slow down."), "try again"),
        ((413, "request_too_large", "Too much."), "Send less"),
        ((404, "model_not_found", "No such model."), "'writer'"),
    ):
        fake.refusals = [refusal]
        assert told in _fail(lambda: session.chat("Hi"))
    fake.refusals = [(503, "overloaded", "Busy.")]
    assert session.chat("Hi", retries=2) == "You said: Hi"
    assert "broke off" in _fail(lambda: list(session.stream("[cut]")))
    assert "The engine died" in _fail(lambda: list(session.stream("[error]")))
    with connect(timeout_s=0.2) as hasty:
        assert "fell silent" in _fail(lambda: hasty.chat("[silent]"))


def _fail(ask: object) -> str:
    try:
        ask()  # type: ignore[operator]
    except ApiError as error:
        return str(error)
    raise AssertionError("it didn't fail")


async def use_async(fake: FakeSession) -> None:
    async with connect() as session:
        assert await asyncio.gather(*map(session.achat, ["a", "b"])) == ["You said: a", "You said: b"]
        async with session.astream("one two") as stream:
            assert [piece async for piece in stream] == ["You", " said:", " one", " two"]
        fake.aborted.clear()
        async for _ in session.astream("[slow]"):
            break
        assert await asyncio.to_thread(fake.aborted.wait, 5)


def main() -> None:
    import openai

    with FakeSession(Path(sys.argv[1]), models=("writer", "embedder")) as fake:
        writer, embedder = fake.record.engines
        fake.change(engines=(writer, embedder.model_copy(update={"runner": "pooling"})))
        with connect() as session:
            for use in (use_plain, use_streams, use_tools, use_failures):
                use(fake, session)
        asyncio.run(use_async(fake))
        fake.hang_up()
        with connect() as session:
            assert "can't be reached" in _fail(lambda: session.chat("Hi", model="writer"))
    print(f"all works with openai {openai.__version__}")


if __name__ == "__main__":
    main()
