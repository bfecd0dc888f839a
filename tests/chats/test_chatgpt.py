"""ChatGPT's export, by the shape that public sources describe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curc_llm.chats import ChatStore
from curc_llm.chats.taking_in import take_in
from tests.chats.test_taking_in import load


def node(name: str, parent: str | None, role: str = "", text: object = None, **more: object) -> dict:
    content = text if isinstance(text, dict) else {"content_type": "text", "parts": [text]}
    message = {"id": name, "author": {"role": role}, "create_time": 1706745600.5, "content": content, **more}
    return {"id": name, "parent": parent, "children": [], "message": message if role else None}


def make(*nodes: dict, current: str = "") -> list[dict]:
    mapping = {one["id"]: one for one in nodes}
    return [{"title": "Units", "create_time": 1706745600.0, "mapping": mapping, "current_node": current}]


ROOT = node("root", None)
HIDDEN = node(
    "sys", "root", "system", "", weight=0.0, metadata={"is_visually_hidden_from_conversation": True}
)
QUESTION = node("q", "sys", "user", "What is an SU?")
ANSWER = node("a", "q", "assistant", "A unit.", metadata={"model_slug": "gpt-4o"}, recipient="all")


def test_a_conversation_is_taken_in(store: ChatStore) -> None:
    assert load(store, make(ROOT, HIDDEN, QUESTION, ANSWER, current="a")) == [
        [("user", "What is an SU?"), ("assistant", "A unit.")]
    ]
    one = store.list()[0]
    assert (one.title, one.created_at, one.updated_at, one.model) == (
        "Units",
        1706745600.0,
        1706745600.5,
        "gpt-4o",
    )


def test_all_branches_are_kept_and_the_current_one_is_shown(store: ChatStore) -> None:
    edited, later = node("q2", "sys", "user", "And a GPU?"), node("a2", "q2", "assistant", "A processor.")
    talk = make(ROOT, HIDDEN, QUESTION, ANSWER, edited, later, current="a")
    assert load(store, talk)[0][0] == ("user", "What is an SU?")
    chat = store.open(store.list()[0].chat_id)
    assert [m.content for m in chat.list_versions(chat.path[0].message_id)] == [
        "What is an SU?",
        "And a GPU?",
    ]


def test_tools_images_and_settings_are_left_out_and_the_talk_stays_whole(store: ChatStore) -> None:
    profile = node("p", "root", "user", {"content_type": "user_editable_context", "user_profile": "x"})
    image = {"content_type": "multimodal_text", "parts": [{"asset_pointer": "x"}, "Look at this"]}
    thoughts = node("t", "i", "assistant", {"content_type": "thoughts", "thoughts": []})
    call = node("call", "t", "assistant", "search()", recipient="browser")
    tool = node("tool", "call", "tool", "result")
    code = node("c", "tool", "assistant", {"content_type": "code", "text": "x = 1"})
    only_image = node(
        "o", "c", "user", {"content_type": "multimodal_text", "parts": [{"asset_pointer": "y"}]}
    )
    talk = make(
        ROOT, profile, node("i", "p", "user", image), thoughts, call, tool, code, only_image, current="o"
    )
    assert load(store, talk) == [[("user", "Look at this"), ("assistant", "```\nx = 1\n```")]]
    # The tool's answer and the image alone; settings and thoughts are nothing that anybody said.
    assert take_in(store, json.dumps(talk).encode()).num_left_out == 2


def test_several_conversations_are_several_chats(store: ChatStore) -> None:
    talk = make(ROOT, HIDDEN, QUESTION, current="q")
    assert len(load(store, talk * 3)) == 3


@pytest.mark.parametrize(
    "odd",
    [
        {"x": {"parent": "x", "message": {}}},
        {"x": {"parent": "y", "message": None}, "y": {"parent": "x", "message": None}},
        {"x": None, "y": 7, "z": []},
        {"x": {"parent": [], "message": {"author": [], "content": "x", "metadata": 7}}},
        {
            "x": {
                "parent": None,
                "message": {"author": {"role": "user"}, "content": {"content_type": [], "parts": {}}},
            }
        },
    ],
)
def test_odd_nodes_are_no_trouble(store: ChatStore, odd: dict, tmp_path: Path) -> None:
    talk = make(ROOT, HIDDEN, QUESTION, ANSWER, current="nowhere")
    talk[0]["mapping"] |= odd
    assert load(store, talk)[0][0] == ("user", "What is an SU?")
