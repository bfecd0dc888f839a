from __future__ import annotations

from curc_llm.chats.chat import Chat, make_title

QUESTION = {"id": "q", "parent": None, "role": "user", "content": "What is an SU?", "at": 1}
ANSWER = {"id": "a", "parent": "q", "role": "assistant", "content": "It", "status": "unfinished", "at": 2}


def make(*lines: dict) -> Chat:
    chat = Chat("c")
    chat.take_all(lines)
    return chat


def test_a_later_line_takes_the_place_of_the_first() -> None:
    chat = make(QUESTION, ANSWER, {**ANSWER, "content": "It is a unit.", "status": "done", "parent": "x"})
    assert [(m.content, m.status, m.parent) for m in chat.path][-1] == ("It is a unit.", "done", "q")
    assert len(chat.messages) == 2


def test_an_edited_question_keeps_both_branches() -> None:
    chat = make(QUESTION, ANSWER, {**QUESTION, "id": "q2", "content": "And a GPU?", "at": 3})
    assert [m.content for m in chat.path] == ["And a GPU?"]
    assert [m.content for m in chat.list_versions("q2")] == ["What is an SU?", "And a GPU?"]
    chat.take({"show": "a"})
    assert [m.message_id for m in chat.path] == ["q", "a"]
    assert chat.tip == "a"


def test_the_title_is_the_one_given_else_the_first_question() -> None:
    chat = make(QUESTION)
    assert chat.title == "What is an SU?"
    chat.take({"chat": 2, "title": "Units"})
    assert chat.title == "Units"
    chat.take({"set": {"title": "Cost"}})
    assert chat.title == "Cost"
    chat.take({"set": {"title": None}})
    assert chat.title == "Units"


def test_settings_count_by_their_last_value() -> None:
    chat = make({"set": {"pinned": True, "system": "A", "deleted_at": 5}}, {"set": {"system": "B"}})
    assert (chat.is_pinned, chat.system, chat.deleted_at) == (True, "B", 5.0)
    chat.take({"set": {"pinned": None, "deleted_at": None, "system": None}})
    assert (chat.is_pinned, chat.system, chat.deleted_at) == (False, "", None)


def test_a_mark_is_kept_with_its_message() -> None:
    chat = make(
        QUESTION, {**ANSWER, "model": "m"}, {"mark": "a", "facts": {"rating": 1}}, {"mark": "x", "facts": {}}
    )
    assert chat.messages["a"].facts == {"model": "m", "rating": 1}
    assert chat.messages["a"].model == "m"


def test_a_hostile_title_is_one_harmless_line() -> None:
    assert make_title("a\x1b[2J\n\u202egnp.exe\x00 b") == "a [2J gnp.exe b"
    assert len(make_title("x" * 10_000)) == 80


def test_values_of_the_wrong_kind_are_no_trouble() -> None:
    odd = [[], {}, "x", 1e99, -1, True, None, 7]
    for value in odd:
        chat = make(
            QUESTION,
            {"chat": value, "title": value, "created_at": value},
            {"set": value},
            {"set": {"title": value, "pinned": value, "system": value, "deleted_at": value}},
            {"show": value},
            {"mark": value, "facts": value},
            {**ANSWER, "status": value, "reasoning": value, "at": value, "parent": value},
            {"id": value, "role": value, "content": value, "at": 1},
        )
        assert chat.messages["q"].content == "What is an SU?"
        assert isinstance(chat.title, str)
        assert chat.path


def test_a_long_title_ends_after_a_word_and_says_that_there_is_more() -> None:
    title = make_title(
        "Compare the throughput of the two quantisations on one node, and explain the difference"
    )
    assert title == "Compare the throughput of the two quantisations on one node, and explain the…"
    assert make_title("x" * 10_000) == "x" * 79 + "…"
    assert make_title("y" * 80) == "y" * 80
