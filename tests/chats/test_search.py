from __future__ import annotations

from curc_llm.chats import ChatStore
from curc_llm.chats.query import Query
from curc_llm.chats.search import make_snippet


def say(store: ChatStore, *texts: str, title: str = "") -> str:
    writer = store.create(**({"title": title} if title else {}))
    for number, text in enumerate(texts):
        (writer.append_answer if number % 2 else writer.append_question)(text)
    return writer.chat.chat_id


def test_a_hit_tells_message_place_and_snippet(store: ChatStore) -> None:
    long = "Before. " * 50 + "The Weibull law has a shape parameter. " + "After. " * 50
    chat_id = say(store, "What is it?", long)
    hit = store.search("weibull").hits[0]
    chat = store.open(chat_id)
    assert hit.summary.chat_id == chat_id
    assert hit.message_id == chat.path[1].message_id
    assert chat.path[1].content[hit.start : hit.start + 7] == "Weibull"
    assert hit.snippet.startswith("…")
    assert hit.snippet.endswith("…")
    assert [hit.snippet[begin:end] for begin, end in hit.marks] == ["Weibull"]


def test_all_words_must_be_in_the_chat_but_not_in_one_message(store: ChatStore) -> None:
    chat_id = say(store, "Weibull?", "A shape.")
    say(store, "Weibull alone")
    found = store.search("shape weibull")
    assert [hit.summary.chat_id for hit in found.hits] == [chat_id]


def test_the_message_with_most_of_the_words_is_shown(store: ChatStore) -> None:
    say(store, "login", "the login node", "node")
    hit = store.search("login node").hits[0]
    assert hit.snippet == "the login node"
    assert len(hit.marks) == 2


def test_the_latest_come_first_and_all_are_counted(store: ChatStore) -> None:
    for number in range(5):
        writer = store.create()
        writer.add_lines(
            [{"id": "q", "parent": None, "role": "user", "at": 100.0 + number, "content": f"word {number}"}]
        )
    found = store.search("WORD", limit=2)
    assert found.num_chats == 5
    assert [hit.snippet for hit in found.hits] == ["word 4", "word 3"]


def test_branches_that_are_not_shown_are_searched_too(store: ChatStore) -> None:
    writer = store.create()
    writer.append_question("About penguins")
    writer.append_question("About geese", parent=None)
    assert store.search("penguins").num_chats == 1


def test_a_title_is_found(store: ChatStore) -> None:
    say(store, "Hello", title="Budget of May")
    hit = store.search("budget").hits[0]
    assert (hit.message_id, hit.snippet) == ("", "Budget of May")


def test_a_new_title_is_found(store: ChatStore) -> None:
    store.rename(say(store, "Hello"), "Königsberg")
    assert store.search("KÖNIGSBERG").num_chats == 1


def test_nothing_asked_is_nothing_found(store: ChatStore) -> None:
    say(store, "Hello")
    assert store.search("  ").num_chats == 0


def test_a_hostile_text_makes_a_harmless_snippet() -> None:
    snippet, marks = make_snippet("\x1b[2J\u202eevil\x00 word\n\nnext", Query(("word",)), 10)
    assert snippet == "[2J evil word next"
    assert [snippet[begin:end] for begin, end in marks] == ["word"]
