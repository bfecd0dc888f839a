"""Whatever a model writes: in JupyterLab nothing of it runs, nothing is fetched, nothing gets stuck.

A notebook's page holds the token of the whole server, so a script in an answer could run any command.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from curc_llm.notebook.chat_file import ChatFile, make_head, make_line
from curc_llm.notebook.conversation import Conversation
from tests.fakes.fake_session import FakeSession
from tests.fakes.hostile_outputs import Hostile, Listener, gather, load_hostile_outputs
from tests.notebook.jupyter import Jupyter, NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.slow]

KERNEL = "window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel"
CONNECT = "from curc_llm.client.connection import connect\nsession = connect()\n"
NEVER = (
    "script", "iframe", "form", "style", "object", "embed", "video", "audio", "base", "link", "meta", "img",
    "picture", "input", "textarea", "svg:not(.curc-icon)", "[style]", "[src]", "[id]", "[onclick]",
    "[onerror]", "[onload]", "[onmouseover]",
)  # fmt: skip
FORBIDDEN = ", ".join(f"{place} {what}" for place in (".curc-markdown", ".curc-user") for what in NEVER)
# Points at everything, which also gives links their address; then clicks what isn't ours.
POKE = """() => {
    const found = [];
    for (const element of document.querySelectorAll(".curc-markdown *")) {
        for (const name of ["mouseover", "mouseenter"])
            element.dispatchEvent(new MouseEvent(name, { bubbles: true }));
        element.dispatchEvent(new PointerEvent("pointerenter"));
        element.dispatchEvent(new Event("toggle"));
        if (element.tagName === "A")
            found.push([element.protocol, element.target, element.rel, element.host]);
        else if (element.tagName !== "BUTTON") element.click?.();
    }
    return found;
}"""


class Watch:
    """What a page did that it shouldn't have."""

    def __init__(self, page: Page, lab: Jupyter) -> None:
        self.page = page
        self.dialogs: list[str] = []
        self.outside: list[str] = []
        page.evaluate("delete window.pwned")  # JupyterLab stays open from test to test
        root = (lab.url, lab.url.replace("http", "ws"), "data:", "blob:")
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda r: None if r.url.startswith(root) else self.outside.append(r.url))

    def check(self, listener: Listener) -> None:
        links = self.page.evaluate(POKE)
        self.page.wait_for_timeout(300)
        assert self.page.evaluate("window.pwned") is None
        assert (listener.visits, self.dialogs, self.outside) == ([], [], [])
        found = self.page.locator(FORBIDDEN).all()
        assert [element.evaluate("e => e.outerHTML.slice(0, 300)") for element in found] == []
        assert {protocol for protocol, *_ in links} <= {"http:", "https:", "mailto:"}
        assert {(target, rel) for _, target, rel, _ in links} <= {("_blank", "noopener noreferrer")}
        assert self.page.evaluate("location.host") not in {host for *_, host in links}
        assert len(links) > 5


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as found:
        yield found


@pytest.fixture
def small(listener: Listener) -> list[Hostile]:
    return [entry for entry in load_hostile_outputs(listener.url) if not entry.is_large]


def open_notebook(lab: Jupyter, page: Page, name: str, cell: str, data: Any) -> NotebookPage:
    """Runs a cell that finds `data` in a file."""
    (lab.root / "hostile.json").write_text(json.dumps(data))
    head = 'import json\ntexts = json.load(open("hostile.json"))\n'
    lab.write(name, [head + CONNECT + cell])
    notebook = lab.open(page, name)
    notebook.run_all()
    return notebook


def execute(notebook: NotebookPage, code: str) -> None:
    """Runs code in the kernel, without a cell."""
    run = f"async (code) => {{ await {KERNEL}.requestExecute({{ code, silent: true }}).done; }}"
    notebook.page.evaluate(run, code)


def write_chat(path: Path, title: str, texts: list[str]) -> None:
    """A saved chat in which a person says each of these, and the model says and thinks it."""
    talk = Conversation()
    for text in texts:
        talk.ask(text)
        reply = talk.answer({})
        reply.send()
        reply.add("reasoning", text)
        reply.add("text", text)
        reply.stop()
    ChatFile(path).append([make_head(title, "local-x"), *(make_line(entry) for entry in talk.entries)])


def end_of(panel: Locator) -> Locator:
    return panel.get_by_text("THE END").last


def test_there_are_at_least_eighty_and_each_has_a_name(listener: Listener) -> None:
    found = load_hostile_outputs(listener.url)
    assert len(found) >= 80
    assert len({entry.name for entry in found}) == len(found)


def test_a_chat_full_of_them(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession, small: list[Hostile], listener: Listener
) -> None:
    watch = Watch(lab_page, lab)
    # Eight in one text: a page with a thousand Markdown views takes a minute.
    texts = gather(small, 8)
    name = small[0].markdown
    write_chat(lab.root / "hostile.chat.jsonl", name, texts)
    # Some are asked, too: the session says again what it is asked.
    cell = (
        "name, *texts = texts\n"
        "chat = session.chat_widget(system=name, title=name, file='hostile.chat.jsonl')\n"
        'for text in [*texts[::6], "THE END"]:\n'
        '    chat.ask("[think]\\n\\n" + text)\n'
        "    chat.wait()\n"
        "chat"
    )
    notebook = open_notebook(lab, lab_page, "hostile-chat.ipynb", cell, [name, *texts])
    panel = notebook.panel(0)
    expect(panel.locator(".curc-user")).to_have_count(len(texts) + len(texts[::6]) + 1)
    expect(end_of(panel)).to_be_visible()
    lab_page.wait_for_timeout(1000)
    watch.check(listener)


def test_the_magic_shows_them_as_they_come(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession, small: list[Hostile], listener: Listener
) -> None:
    watch = Watch(lab_page, lab)
    cell = (
        "%load_ext curc_llm\n"
        'for text in [*texts, "THE END"]:\n'
        '    get_ipython().run_cell_magic("llm", "--raw", "x\\n\\n" + text)'
    )
    notebook = open_notebook(lab, lab_page, "hostile-magic.ipynb", cell, gather(small, 25))
    expect(notebook.cell(0).get_by_text("THE END").last).to_be_visible()
    watch.check(listener)


def show_giants(lab: Jupyter, page: Page, giants: list[Hostile]) -> dict[str, float]:
    """Name → milliseconds from the giant until the next text is seen."""
    cell = "from curc_llm.notebook.markdown import MarkdownView\nview = MarkdownView()\nview"
    texts = {entry.name: entry.markdown for entry in giants}
    notebook = open_notebook(lab, page, "giants.ipynb", cell, texts)
    took: dict[str, float] = {}
    for name in texts:
        # In two halves, as it would come; then another text, which must soon be seen.
        execute(
            notebook,
            f"text = 'x' + texts[{name!r}]\n"
            "view.text = text[: len(text) // 2]\n"
            "view.text = text\n"
            "view.finish()",
        )
        began = page.evaluate("performance.now()")
        execute(notebook, f"view.text = {'THE END of ' + name!r}")
        expect(notebook.panel(0)).to_contain_text(f"THE END of {name}")
        took[name] = page.evaluate("performance.now()") - began
    return took


@pytest.fixture
def giants(listener: Listener) -> list[Hostile]:
    return [entry for entry in load_hostile_outputs(listener.url) if entry.is_large]


def test_giants_dont_stop_the_page(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession, giants: list[Hostile]
) -> None:
    """Every fifth: a page needs seconds for some."""
    took = show_giants(lab, lab_page, giants[::5])
    assert len(took) > 10
    assert max(took.values()) < 5000, took


@pytest.mark.soak
def test_no_giant_stops_the_page(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession, giants: list[Hostile]
) -> None:
    took = show_giants(lab, lab_page, giants)
    assert max(took.values()) < 5000, took


def test_the_traps_catch(lab: Jupyter, lab_page: Page, lab_session: FakeSession, listener: Listener) -> None:
    """JupyterLab itself runs and fetches it: what the other tests find harmless isn't so by itself."""
    watch = Watch(lab_page, lab)
    cell = "from IPython.display import HTML\nHTML(texts[0])"
    html = f"<img src={listener.url}/x.png><script>top.pwned=1</script>"
    open_notebook(lab, lab_page, "traps.ipynb", cell, [html])
    lab_page.wait_for_function("window.pwned === 1")
    assert set(watch.outside) == {f"{listener.url}/x.png"}
    lab_page.wait_for_timeout(300)
    assert listener.visits
