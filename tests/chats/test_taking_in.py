from __future__ import annotations

import json

import pytest

from curc_llm.chats import ChatImportError, ChatStore, ChatWriter, taking_in
from curc_llm.chats.export import render_json
from curc_llm.chats.taking_in import take_in


def load(store: ChatStore, value: object, name: str = "a.json") -> list[list[tuple[str, str]]]:
    taken = take_in(store, json.dumps(value).encode(), name)
    return [[(m.role, m.content) for m in store.open(chat_id).path] for chat_id in taken.chat_ids]


def test_an_export_comes_back_with_branches_and_settings(store: ChatStore, writer: ChatWriter) -> None:
    first = writer.chat.path[0]
    writer.append_question("What is a GPU?", parent=None)
    writer.show(first.message_id)
    writer.set(pinned=True, title="Units")
    data = render_json(store.open(writer.chat.chat_id)).encode()
    taken = take_in(store, data, "a.json")
    assert taken.text == "Imported 1 chat with 3 messages."
    before, after = store.open(writer.chat.chat_id), store.open(taken.chat_ids[0])
    assert [m.content for m in after.path] == [m.content for m in before.path]
    assert [m.content for m in after.messages.values()] == [m.content for m in before.messages.values()]
    assert after.path[1].model == "llama"
    assert (after.title, after.system, after.is_pinned) == ("Units", "Be brief.", True)
    assert after.created_at == before.created_at
    assert not set(after.messages) & set(before.messages)
    assert {one.created_at for one in store.list()} == {before.created_at}


def test_a_deleted_chat_that_was_exported_comes_back_undeleted(store: ChatStore, writer: ChatWriter) -> None:
    store.delete(writer.chat.chat_id)
    take_in(store, render_json(store.open(writer.chat.chat_id)).encode())
    assert len(store.list()) == 1


def test_a_chats_own_file_is_taken_in(store: ChatStore, writer: ChatWriter) -> None:
    taken = take_in(store, store.find_file(writer.chat.chat_id).read_bytes(), "x.jsonl")
    assert [m.content for m in store.open(taken.chat_ids[0]).path] == ["What is an SU?", "A service unit."]
    assert len(store.list()) == 2


def test_messages_of_the_openai_api_are_taken_in(store: ChatStore) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {}}],
        },
        {"role": "assistant", "content": "I see.", "reasoning": "Hm."},
        {"role": "tool", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": []},
    ]
    talk = [("user", "Look"), ("assistant", "I see.")]
    assert load(store, messages) == [talk]
    assert load(store, {"messages": messages, "title": "T"}) == [talk]
    assert load(store, [{"messages": messages}, {"messages": messages}]) == [talk, talk]
    taken = take_in(store, json.dumps(messages).encode())
    assert taken.text == "Imported 1 chat with 2 messages. 2 messages that are no text were left out."
    chat = store.open(taken.chat_ids[0])
    assert chat.system == "Be brief."
    assert chat.path[1].reasoning == "Hm."


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("talk.md", b"# Chat", "talk.md is Markdown or text: who said what in it can only be guessed."),
        ("talk.ipynb", b"{}", "talk.ipynb is a notebook."),
        ("export.zip", b"PK\x03\x04...", "export.zip is a ZIP file."),
        ("a.json", b"{", "a.json is no JSON that can be read."),
        ("a.json", b"[" * 100_000, "a.json is no JSON that can be read."),
        ("a.json", b"\xff\xfe", "a.json is no JSON that can be read."),
        ("a.json", b"7", "a.json isn't a chat in any form that is known here."),
        ("a.json", b"[]", "a.json isn't a chat in any form that is known here."),
        ("a.json", b'{"model": "x"}', "a.json isn't a chat in any form that is known here."),
        ("a.json", b'{"messages": []}', "There is no message in a.json."),
        ("a.json", b'[{"mapping": {}}]', "There is no message in a.json."),
    ],
)
def test_what_cannot_be_taken_in_is_told_with_what_can(
    store: ChatStore, name: str, data: bytes, message: str
) -> None:
    with pytest.raises(ChatImportError) as caught:
        take_in(store, data, name)
    assert caught.value.message == message
    assert caught.value.remedy
    assert not store.folder.exists()


def test_what_is_too_large_is_told(store: ChatStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_in, "MOST_BYTES", 10)
    with pytest.raises(ChatImportError, match="are read at once"):
        take_in(store, b"[" + b" " * 100 + b"]", "a.json")


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, [[]], {"role": "user"}, {"role": [], "content": {}}])
def test_odd_values_within_are_no_trouble(store: ChatStore, odd: object) -> None:
    good = {"role": "user", "content": "Hi"}
    assert load(store, {"messages": [good, odd]}) == [[("user", "Hi")]]
    own = {
        "format": "curc-llm chat",
        "messages": [odd, {**good, "id": "1"}],
        "settings": odd,
        "shown": odd,
        "title": odd,
    }
    assert load(store, own) == [[("user", "Hi")]]
