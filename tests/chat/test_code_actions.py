from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.chat.code_actions import ABOUT_DRAFT, ABOUT_EMPTY, ABOUT_LAST, choose_question
from curc_llm.chat.desk import Desk
from curc_llm.chats.store import ChatStore


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(ChatStore(tmp_path), "owner", "page")


def test_after_an_answer_the_code_asks_the_last_question_again(desk: Desk) -> None:
    desk.writer.append_question("What is an SU?")
    desk.writer.append_answer("A unit of")
    question, about = choose_question(desk, "  ")
    assert [message.content for message in desk.find_path(question)] == ["What is an SU?"]
    assert about == ABOUT_LAST


def test_what_stands_in_the_box_comes_after_the_answer(desk: Desk) -> None:
    desk.writer.append_question("What is an SU?")
    desk.writer.append_answer("A unit.")
    question, about = choose_question(desk, "And a node?")
    told = [message.content for message in desk.find_path(question)]
    assert told == ["What is an SU?", "A unit.", "And a node?"]
    assert about == ABOUT_DRAFT


def test_the_question_of_an_empty_conversation_is_said_to_be_a_placeholder(desk: Desk) -> None:
    question, about = choose_question(desk, "")
    assert (question.content, about) == ("Hello", ABOUT_EMPTY)
    assert "placeholder" in about
    assert not desk.path


def test_no_comment_has_a_mark_that_a_shell_acts_on() -> None:
    assert not set("'\"`$!;()<>|&*?") & set(ABOUT_DRAFT + ABOUT_LAST + ABOUT_EMPTY)
