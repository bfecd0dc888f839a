from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curc_llm.attachments import Attachment, from_facts, list_attachments, to_facts
from curc_llm.chats import ChatStore

PICTURE = Attachment("p.png", "image", "", "8 x 8 pixels.", "data:image/png;base64,AA==", 9, 1)
CODE = Attachment("a.py", "code", "x = 1", "", "", 5, language="python")


@pytest.mark.parametrize("attachment", [PICTURE, CODE])
def test_what_is_kept_comes_back(attachment: Attachment) -> None:
    assert from_facts(to_facts(attachment)) == attachment


def test_attachments_are_kept_with_the_question_of_a_chat(tmp_path: Path) -> None:
    store = ChatStore(tmp_path)
    writer = store.create()
    writer.append_question("Look", attachments=[to_facts(PICTURE), to_facts(CODE)])
    (question,) = store.open(writer.chat.chat_id).path
    assert list_attachments(question.facts["attachments"]) == [PICTURE, CODE]
    (summary,) = store.list()
    assert (summary.title, summary.num_messages, summary.model) == ("Look", 1, "")
    assert summary.num_bytes > len(CODE.text) + len(PICTURE.image)


@pytest.mark.parametrize(
    "facts",
    [
        None,
        "a",
        {},
        {"name": "a", "kind": "program"},
        {"name": "a", "kind": []},
        {"kind": "image"},
        {"kind": "image", "image": "https://evil.example/x.png"},
        {"kind": "image", "image": "data:image/svg+xml;base64,AA=="},
        {"kind": "image", "image": 'data:image/png;base64,AA=="><script>'},
        {"kind": "image", "image": "data:image/png;base64," + "A" * 8_000_001},
    ],
)
def test_what_is_no_attachment_is_left_out(facts: Any) -> None:
    assert from_facts(facts) is None
    assert list_attachments([facts]) == []


def test_nothing_of_an_imported_file_is_believed() -> None:
    found = from_facts(
        {
            "name": "../<b>\n\u202ex",
            "kind": "text",
            "text": "t",
            "num_bytes": -1,
            "image": "https://evil.example",
            "image_tokens": 5,
            "language": "```evil",
            "note": 7,
        }
    )
    assert found == Attachment("<b> x", "text", "t")
    noted = from_facts({"name": "a", "kind": "text", "text": "t", "note": "one\n\n# two"})
    assert noted is not None
    assert noted.note == "one # two"
    assert list_attachments("odd") == []
    assert len(list_attachments([{"kind": "text"}] * 1000)) == 50
