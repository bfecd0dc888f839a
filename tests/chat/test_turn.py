from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from curc_llm.chat import turn as module
from curc_llm.chat.answer import Answer
from curc_llm.chat.choice import Choice
from curc_llm.chat.context import Counted
from curc_llm.chat.controls import Controls
from curc_llm.chat.figures import can_continue, render_figures
from curc_llm.chat.fit import WhenFull
from curc_llm.chat.gateway_client import GatewayClient, GatewayError
from curc_llm.chat.kept_answer import KeptAnswer
from curc_llm.chat.markup import render_json_block
from curc_llm.chat.messages import ChatMessage
from curc_llm.chat.sampling import Sampling
from curc_llm.chat.session_eyes import SessionEyes
from curc_llm.chat.session_watch import SessionWatch
from curc_llm.chat.stream import Pace
from curc_llm.chat.summary import Summary
from curc_llm.chat.turn import Turn, explain_problem
from curc_llm.chat.turn_request import TurnRequest
from curc_llm.chats.message import Message
from curc_llm.chats.store import ChatStore
from curc_llm.chats.writer import ChatWriter
from curc_llm.session.record import EnginePhase, EngineRecord, Trouble
from tests.fakes.fake_gateway import FakeGateway, Reply, make_engine, make_record

OOM = {"code": "out_of_memory", "message": "The GPU is full.", "remedy": "Use a shorter context."}


LONG = [
    {"role": "user", "content": "x" * 400},
    {"role": "assistant", "content": "y" * 400},
    {"role": "user", "content": "z" * 400},
]


@pytest.fixture
def eyes(client: GatewayClient, watch: SessionWatch) -> SessionEyes:
    return SessionEyes(client, watch)


@pytest.fixture
def writer(tmp_path: Path) -> ChatWriter:
    """A chat that has the question."""
    writer = ChatStore(tmp_path / "chats").create()
    writer.append_question("hi")
    return writer


@pytest.fixture
def keep(writer: ChatWriter) -> KeptAnswer:
    return KeptAnswer(writer, writer.chat.path[-1].message_id, {"model": "curc-guide"})


@pytest.fixture
def turn(client: GatewayClient, eyes: SessionEyes, keep: KeptAnswer) -> Turn:
    return Turn(client, eyes, Pace(), keep)


def make_request(messages: list[dict[str, Any]] | None = None, **more: Any) -> TurnRequest:
    choice = more.pop("choice", Choice("curc-guide"))
    return TurnRequest(messages or [{"role": "user", "content": "hi"}], choice, **more)


def words(messages: list[ChatMessage]) -> str:
    """All that the last rows say."""
    return " | ".join(f"{m.get('metadata', {}).get('title', '')} {m['content']}" for m in messages)


def texts(messages: list[ChatMessage]) -> list[str]:
    """What the model said."""
    return [m["content"] for m in messages if "metadata" not in m]


async def run(turn: Turn, request: TurnRequest | None = None) -> list[list[ChatMessage]]:
    async with asyncio.timeout(8):
        return [messages async for messages in turn.run(request or make_request())]


async def test_a_turn_ends_with_the_answer_shown_and_saved_with_its_figures(
    turn: Turn, writer: ChatWriter
) -> None:
    assert texts((await run(turn))[-1]) == ["Hello there."]
    saved = ChatStore(writer.main.parent).open(writer.chat.chat_id).path[-1]
    assert (saved.content, saved.status, saved.model) == ("Hello there.", "done", "curc-guide")
    assert (saved.facts["prompt_tokens"], saved.facts["completion_tokens"]) == (12, 3)


async def test_the_request_holds_what_was_set_and_asks_for_usage(gateway: FakeGateway, turn: Turn) -> None:
    choice = Choice("curc-guide", controls=Controls(sampling=Sampling(temperature=0.0, seed=1)))
    request = make_request(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        choice=choice,
        user="ada",
    )
    await run(turn, request)
    assert gateway.requests == [
        {
            "model": "curc-guide",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.0,
            "seed": 1,
        }
    ]
    assert "ada" in gateway.users


@pytest.mark.slow
async def test_a_message_waits_while_the_model_loads_and_is_then_sent(
    gateway: FakeGateway, turn: Turn
) -> None:
    gateway.record = make_record(status="starting", engines=[make_engine(phase="loading", progress=0.43)])
    steps = turn.run(make_request())
    waiting = await anext(steps)
    assert "Waiting for the model: loading the model into memory (43%)" in words(waiting)
    assert gateway.requests == []
    gateway.record = make_record()
    last = [messages async for messages in steps][-1]
    assert texts(last) == ["Hello there."]
    assert len(gateway.requests) == 1


@pytest.mark.slow
async def test_a_gateway_that_says_not_yet_is_asked_again(gateway: FakeGateway, turn: Turn) -> None:
    refusal = {"error": {"message": "Starting again.", "code": "engine_restarting"}}
    gateway.default = Reply(status=503, body=refusal)
    task = asyncio.create_task(run(turn))
    await asyncio.to_thread(gateway.wait_for, lambda g: len(g.requests) == 1)
    gateway.default = Reply("Here I am.")
    assert texts((await task)[-1]) == ["Here I am."]


DIED = Reply(status=502, body={"error": {"message": "It died before it answered.", "code": "engine_failed"}})


@pytest.mark.slow
async def test_an_engine_that_was_dead_already_is_asked_again_once(
    gateway: FakeGateway, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEAD_ALREADY_S", 60)
    gateway.default = DIED
    task = asyncio.create_task(run(turn))
    await asyncio.to_thread(gateway.wait_for, lambda g: len(g.requests) == 1)
    gateway.default = Reply("Here I am.")
    assert texts((await task)[-1]) == ["Here I am."]


@pytest.mark.slow
@pytest.mark.parametrize(("dead_already_s", "num_asked"), [(60, 2), (0, 1)], ids=["dead already", "asked"])
async def test_an_engine_that_dies_again_or_of_a_question_is_told(
    gateway: FakeGateway,
    turn: Turn,
    writer: ChatWriter,
    monkeypatch: pytest.MonkeyPatch,
    dead_already_s: float,
    num_asked: int,
) -> None:
    monkeypatch.setattr(module, "DEAD_ALREADY_S", dead_already_s)
    gateway.default = DIED
    await run(turn)
    assert writer.chat.path[-1].facts["trouble"]["message"] == "It died before it answered."
    assert len(gateway.requests) == num_asked


async def test_a_model_that_gave_up_is_told_with_its_remedy_and_nothing_is_sent(
    gateway: FakeGateway, turn: Turn
) -> None:
    gateway.record = make_record(engines=[make_engine(phase="failed", trouble=OOM)])
    last = (await run(turn))[-1]
    assert "The GPU is full." in words(last)
    assert "Use a shorter context." in words(last)
    assert gateway.requests == []


async def test_an_engine_that_dies_in_the_middle_leaves_its_text_and_the_reason(
    gateway: FakeGateway, turn: Turn, writer: ChatWriter
) -> None:
    gateway.default = Reply(
        "Half of", error={"message": "The engine stopped.", "code": "engine_failed"}, hold_after=1
    )
    task = asyncio.create_task(run(turn))
    await asyncio.to_thread(gateway.wait_for, lambda g: g.running == 1)
    gateway.record = make_record(engines=[make_engine(phase="restarting", trouble=OOM)])
    gateway.release()
    assert texts((await task)[-1]) == ["Half of"]
    saved = writer.chat.path[-1]
    assert (saved.content, saved.status) == ("Half of", "failed")
    assert saved.facts["trouble"]["message"] == "The engine stopped. The GPU is full."
    assert "It is being started again: retry" in saved.facts["trouble"]["remedy"]


async def test_stop_while_waiting_takes_the_message_back(gateway: FakeGateway, turn: Turn) -> None:
    gateway.record = make_record(engines=[make_engine(phase="compiling")])
    steps = turn.run(make_request())
    await anext(steps)
    turn.stop()
    last = [messages async for messages in steps][-1]
    assert "Stopped before the model answered" in words(last)
    assert gateway.requests == []


async def test_an_ended_session_isnt_waited_for(gateway: FakeGateway, turn: Turn) -> None:
    reason = {"code": "idle", "message": "Nobody used it for 30 minutes.", "remedy": ""}
    gateway.record = make_record(status="ended", reason=reason)
    assert "Nobody used it" in words((await run(turn))[-1])


@pytest.mark.slow
async def test_before_the_first_token_the_page_says_that_it_waits(gateway: FakeGateway, turn: Turn) -> None:
    gateway.default = Reply("one", hold_after=0)
    steps = turn.run(make_request())
    assert "Waiting for the first token" in words(await anext(steps))
    turn.stop()
    assert [messages async for messages in steps]


async def test_nothing_is_saved_of_an_answer_that_never_began(
    gateway: FakeGateway, turn: Turn, writer: ChatWriter
) -> None:
    gateway.record = make_record(engines=[make_engine(phase="failed", trouble=OOM)])
    await run(turn)
    assert [message.role for message in writer.chat.path] == ["user"]


async def test_a_stopped_answer_is_saved_as_far_as_it_came(
    gateway: FakeGateway, turn: Turn, writer: ChatWriter
) -> None:
    gateway.default = Reply("one two three", hold_after=2)
    task = asyncio.create_task(run(turn))
    await asyncio.to_thread(gateway.wait_for, lambda g: g.running == 1)
    await asyncio.sleep(0.2)  # the two pieces come
    turn.stop()
    await task
    assert (writer.chat.path[-1].content, writer.chat.path[-1].status) == ("one two ", "stopped")


async def test_an_answer_goes_on_from_what_was_cut_off(
    gateway: FakeGateway, client: GatewayClient, eyes: SessionEyes, writer: ChatWriter
) -> None:
    question = writer.chat.path[-1]
    first = writer.append_answer("One", parent=question.message_id, status="stopped")
    keep = KeptAnswer(writer, question.message_id, {}, first)
    gateway.default = Reply(" two")
    last = (await run(Turn(client, eyes, Pace(), keep), make_request(begins_with=first)))[-1]
    assert texts(last) == ["One two"]
    request = gateway.requests[-1]
    assert request["messages"][-1] == {"role": "assistant", "content": "One"}
    assert (request["continue_final_message"], request["add_generation_prompt"]) == (True, False)
    assert [message.content for message in writer.chat.path] == ["hi", "One two"]


def make_full(policy: WhenFull, kept: list[Summary]) -> TurnRequest:
    """A conversation of 312 tokens by estimate; 240 have room."""
    choice = Choice("curc-guide", controls=Controls(when_full=policy), max_model_len=320)
    return make_request(list(LONG), choice=choice, keep_summary=kept.append)


async def test_too_long_a_conversation_is_refused_with_what_can_be_done(
    gateway: FakeGateway, turn: Turn
) -> None:
    gateway.count_reply = (404, {})
    last = (await run(turn, make_full(WhenFull.REFUSE, [])))[-1]
    assert "Not sent: all of it takes about 312 tokens" in words(last)
    assert gateway.requests == []


async def test_what_was_left_out_is_said_and_saved(
    gateway: FakeGateway, turn: Turn, writer: ChatWriter
) -> None:
    gateway.count_reply = (404, {})
    last = (await run(turn, make_full(WhenFull.TRIM, [])))[-1]
    assert "The model didn't see the oldest 2 messages" in words(last)
    assert gateway.requests[-1]["messages"] == LONG[2:]
    assert "didn't see the oldest 2" in writer.chat.path[-1].facts["note"]


async def test_a_summary_is_written_shown_and_kept(gateway: FakeGateway, turn: Turn) -> None:
    gateway.count_reply = (404, {})
    gateway.default = Reply("Short.")
    kept: list[Summary] = []
    shown = await run(turn, make_full(WhenFull.SUMMARISE, kept))
    assert any("Summarising what came before" in words(rows) for rows in shown)
    assert "as a summary" in words(shown[-1])
    assert [summary.text for summary in kept] == ["Short."]
    assert "Short." in gateway.requests[-1]["messages"][0]["content"]


async def test_a_summary_that_fails_sends_nothing_and_says_why(gateway: FakeGateway, turn: Turn) -> None:
    gateway.count_reply = (404, {})
    gateway.default = Reply(status=400, body={"error": {"message": "No.", "code": "bad_request"}})
    last = (await run(turn, make_full(WhenFull.SUMMARISE, [])))[-1]
    assert "couldn't be summarised" in words(last)
    assert len(gateway.requests) == 1


def test_what_the_engine_counted_before_counts() -> None:
    counted = Counted(LONG[:1], 500, 40)
    choice = Choice("m", max_model_len=4096)
    assert make_request(list(LONG), choice=choice, counted=counted).use.counted_tokens == 540


def test_an_answer_that_goes_on_is_shown_with_its_beginning() -> None:
    first = Message("a", "q", "assistant", "One", 0.0, reasoning="Hm")
    shown = make_request(begins_with=first).go_on(Answer(text=" two"))
    assert (shown.text, shown.reasoning) == ("One two", "Hm")
    assert make_request().go_on(Answer(text="two")).text == "two"
    assert "continue_final_message" not in make_request().to_json()


def test_a_reason_that_the_gateway_gave_already_isnt_said_twice() -> None:
    engine = EngineRecord(served_model_name="m", model="m", phase=EnginePhase.FAILED, trouble=Trouble(**OOM))
    told = explain_problem(GatewayError("It stopped: The GPU is full.", code="engine_failed"), engine)
    assert told.message == "It stopped: The GPU is full."
    assert told.remedy.startswith("Use a shorter context. ")
    assert "Start the model again" in told.remedy
    guest = explain_problem(GatewayError("It stopped.", code="engine_failed"), engine, "lab-mate")
    assert "Start the model again" not in guest.remedy


def test_a_request_that_was_itself_wrong_isnt_blamed_on_the_engine() -> None:
    engine = EngineRecord(
        served_model_name="m", model="m", phase=EnginePhase.RESTARTING, trouble=Trouble(**OOM)
    )
    problem = GatewayError("Too many tokens.", code="context_length_exceeded")
    assert explain_problem(problem, engine) is problem


async def test_an_answer_whose_page_was_closed_says_so_and_can_go_on(
    gateway: FakeGateway, turn: Turn, writer: ChatWriter
) -> None:
    gateway.default = Reply("one two three", hold_after=2)
    steps = turn.run(make_request())
    async for messages in steps:
        if texts(messages) == ["one two "]:
            break
    await steps.aclose()
    answer = writer.chat.path[-1]
    assert render_figures(answer).endswith("broken off: the page was closed")
    assert can_continue(answer)


async def test_the_engines_count_is_learnt_also_when_it_says_too_long(
    gateway: FakeGateway, turn: Turn
) -> None:
    gateway.count_reply = (200, {"count": 300, "max_model_len": 320, "tokens": []})
    counts: list[int] = []
    choice = Choice("curc-guide", max_model_len=320)
    request = make_request(list(LONG), choice=choice, learn_count=lambda _, tokens: counts.append(tokens))
    last = (await run(turn, request))[-1]
    assert "Not sent" in words(last)
    assert counts == [300]


async def test_json_by_a_schema_is_shown_as_code(
    gateway: FakeGateway, turn: Turn, writer: ChatWriter
) -> None:
    gateway.default = Reply('{"a": "*x*"}')
    choice = Choice("curc-guide", controls=Controls(json_schema={"type": "object"}))
    last = (await run(turn, make_request(choice=choice)))[-1]
    assert texts(last) == [render_json_block('{"a": "*x*"}')]
    assert writer.chat.path[-1].content == '{"a": "*x*"}'
