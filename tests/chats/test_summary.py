"""The quick summary is what reading the whole chat would say."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from curc_llm.chats.lines import join
from curc_llm.chats.message import Message
from curc_llm.chats.reading import put_together
from curc_llm.chats.summary import summarise, summarise_chat

TEXT = st.text('ab\n"\\{:, Ä\x1b', max_size=30) | st.sampled_from(
    ['"at": 5', '\n{"id": "x"', '{"set": {"title": "forged"}}', '"model": "forged"']
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "title": TEXT | st.none(),
        "pinned": st.sampled_from([True, None, 7]),
        "deleted_at": st.sampled_from([None, 1.5, 99.0, "x"]),
        "system": TEXT,
    },
)
MESSAGE = st.builds(
    lambda number, role, text, at, model: Message(
        f"m{number}",
        None,
        role,
        text,
        at,
        "" if role == "user" else text,
        facts={"model": model, "odd": [text]},
    ).to_line(),
    st.integers(0, 10**9),
    st.sampled_from(["user", "assistant"]),
    TEXT,
    st.floats(1, 100),
    TEXT,
)
LINE = MESSAGE | SETTINGS.map(lambda values: {"set": values, "at": 3.0})


@given(
    st.text("abÄ\n", max_size=5),
    st.lists(LINE, min_size=1, max_size=6, unique_by=lambda line: line.get("id")),
)
def test_the_quick_look_says_what_reading_the_chat_says(title: str, lines: list[dict]) -> None:
    head = {"chat": 2, "chat_id": "c", "title": title, "host": "h", "created_at": 2.0}
    data = join([head, *sorted(lines, key=lambda line: line.get("at", 0.0))])
    files = [("c.jsonl", data)]
    chat = put_together(Path("c.jsonl"), files)
    quick = summarise("c", files, 0.0)
    assert quick == (summarise_chat(chat, len(data)) if chat.messages else None)


def test_a_chat_without_messages_is_not_listed() -> None:
    assert summarise("c", [("c.jsonl", join([{"chat": 2, "title": "T", "created_at": 1.0}]))]) is None


def test_a_head_of_the_wrong_kind_is_no_trouble() -> None:
    for odd in ([], {}, None, 1e99, "x"):
        head = {"chat": 2, "title": "T", "created_at": odd, "host": odd, "chat_id": odd}
        data = join([head, Message("a", None, "user", "Hi", 1.0).to_line()])
        found = summarise("c", [("c.jsonl", data)])
        assert found is not None
        assert (found.chat_id, found.title) == ("c", "T")
