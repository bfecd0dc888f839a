from __future__ import annotations

import pytest

from curc_llm.errors import CurcLlmError
from curc_llm.notebook.conversation import Conversation


def test_a_failed_answer_leaves_no_two_messages_of_one_role() -> None:
    talk = Conversation()
    talk.ask("One?")
    talk.answer({}).fail(CurcLlmError("No."))
    talk.ask("Two?")
    assert talk.make_messages() == [{"role": "user", "content": "One?\n\nTwo?"}]


def test_an_answer_that_was_stopped_goes_on_to_count() -> None:
    talk = Conversation()
    talk.ask("One?")
    reply = talk.answer({})
    reply.add("text", "Half")
    reply.stop()
    assert [m["content"] for m in talk.make_messages("Be brief.")] == ["Be brief.", "One?", "Half"]


def test_taking_back_drops_the_answer_and_keeps_the_question() -> None:
    talk = Conversation()
    talk.ask("One?")
    first = talk.answer({})
    assert talk.take_back() == first.reply_id
    assert [entry.text for entry in talk.entries] == ["One?"]
    assert talk.answer({}).reply_id > first.reply_id


def test_there_is_nothing_to_take_back_at_first() -> None:
    with pytest.raises(CurcLlmError, match="nothing to ask again"):
        Conversation().take_back()


def test_bytes_that_are_no_text_dont_reach_the_file() -> None:
    talk = Conversation()
    assert talk.ask("a\udcffb").text == "a?b"
