from __future__ import annotations

from curc_llm.client.answer import Answer, Usage
from curc_llm.errors import ApiError
from curc_llm.notebook.reply import Phase, Reply, render_line


def test_reasoning_and_text_are_kept_apart() -> None:
    reply = Reply()
    reply.add("reasoning", "Hm. ")
    assert reply.phase is Phase.REASONING
    assert reply.reasoning_s is None
    reply.add("text", "Yes")
    reply.add("text", ".")
    assert (reply.thought, reply.text, reply.phase) == ("Hm. ", "Yes.", Phase.WRITING)
    assert reply.reasoning_s is not None


def test_what_comes_after_stop_is_left_out() -> None:
    reply = Reply()
    reply.add("text", "one")
    reply.stop()
    reply.add("text", " two")
    reply.finish(Answer("one two"))
    reply.fail(ApiError("Late."))
    assert (reply.text, reply.phase, reply.trouble) == ("one", Phase.STOPPED, None)
    assert render_line(reply) == "1 token · first token 0.00 s · stopped"


def test_tokens_are_those_that_the_engine_counted() -> None:
    reply = Reply(sent_at=0.0, first_at=0.5, last_at=2.5, deltas=3, phase=Phase.WRITING)
    reply.finish(Answer("x", usage=Usage(10, 101), finish_reason="length", model="m"))
    assert render_line(reply) == "101 tokens · 50 tokens/s · first token 0.50 s · cut off at the token limit"
    assert reply.model == "m"


def test_pieces_that_come_in_one_packet_tell_no_speed() -> None:
    reply = Reply(sent_at=0.0, first_at=0.5, last_at=0.505, deltas=29, phase=Phase.DONE)
    assert render_line(reply) == "29 tokens · first token 0.50 s"


def test_a_failure_is_told_with_what_to_do() -> None:
    reply = Reply()
    reply.add("text", "half")
    reply.fail(ApiError("The engine died.", "Ask again."))
    assert reply.to_json()["trouble"] == {"message": "The engine died.", "remedy": "Ask again."}
    assert reply.to_json()["text"] == "half"


def test_lone_surrogates_cant_break_the_connection_to_the_page() -> None:
    reply = Reply()
    reply.add("text", "a\udce9b")
    assert reply.text == "a?b"


def test_what_the_session_does_meanwhile_is_told() -> None:
    reply = Reply()
    reply.load("curc-guide: loading 40 %")
    assert "curc-guide: loading 40 %" in render_line(reply)
    reply.send()
    assert render_line(reply) == "Waiting for the first token"
