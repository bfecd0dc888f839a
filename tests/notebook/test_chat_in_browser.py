"""Chat, comparison and %%llm used by clicking and typing, in real JupyterLab 4 and Notebook 7."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.fakes.fake_session import FakeSession
from tests.notebook.jupyter import Face, Jupyter, NotebookPage, find_secrets

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CONNECT = "from curc_llm.client.connection import connect\nsession = connect()\n"
CHAT = CONNECT + "chat = session.chat_widget()\nchat"
SLEEP = "import time\nfor _ in range(1200):\n    time.sleep(0.05)"


def open_chat(lab: Jupyter, page: Page, name: str, *cells: str, face: Face = "lab") -> NotebookPage:
    """A notebook whose first cell has run and shows a chat."""
    lab.write(name, [CHAT, *cells])
    notebook = lab.open(page, name, face)
    run(notebook, 0)
    expect(notebook.panel(0).get_by_label("Your message")).to_be_visible()
    return notebook


def run(notebook: NotebookPage, number: int) -> None:
    notebook.cell(number).locator(".cm-content").click()
    notebook.page.keyboard.press("Control+Enter")


def ask(panel: Locator, text: str) -> None:
    panel.get_by_label("Your message").fill(text)
    panel.get_by_label("Your message").press("Enter")


def replies(panel: Locator) -> Locator:
    return panel.get_by_role("group", name="Answer")


@pytest.mark.parametrize("face", ["lab", "notebooks"])
def test_an_answer_is_drawn_what_was_said_goes_along_and_no_key_is_saved(
    lab: Jupyter, lab_page: Page, fresh_page: Page, lab_session: FakeSession, face: Face
) -> None:
    page = lab_page if face == "lab" else fresh_page
    notebook = open_chat(lab, page, f"chat-{face}.ipynb", "print(chat.messages)", face=face)
    panel = notebook.panel(0)
    ask(panel, "[think] [code]")
    expect(panel.get_by_role("heading", name="Title")).to_be_visible()
    expect(panel.locator(".curc-code")).to_contain_text("print(1)")
    expect(replies(panel)).to_contain_text("first token")
    panel.get_by_text("Reasoning").click()
    expect(panel.get_by_text("Let me think.")).to_be_visible()
    ask(panel, "Two")
    expect(replies(panel).last).to_contain_text("You said: Two")
    assert len(lab_session.requests[-1]["body"]["messages"]) == 3
    run(notebook, 1)
    expect(notebook.output(1)).to_contain_text("You said: Two")
    saved = notebook.save()
    assert "You said: Two" in saved
    assert find_secrets(saved, lab_session.key) == []


def test_the_kernel_is_free_while_an_answer_comes_and_stop_ends_the_generation(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession
) -> None:
    notebook = open_chat(lab, lab_page, "free.ipynb", "print(6 * 7)")
    panel = notebook.panel(0)
    ask(panel, "[slow]")
    expect(panel).to_contain_text("word5")
    assert notebook.kernel_status == "idle"
    run(notebook, 1)
    expect(notebook.output(1)).to_contain_text("42")
    expect(panel.get_by_label("Stop", exact=True)).to_be_visible()
    began = time.monotonic()
    panel.get_by_label("Stop", exact=True).click()
    assert lab_session.aborted.wait(1)
    assert time.monotonic() - began < 1
    expect(replies(panel)).to_contain_text("stopped")
    ask(panel, "Next")
    expect(replies(panel).last).to_contain_text("You said: Next")


def test_stop_and_send_work_while_another_cell_runs(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession
) -> None:
    notebook = open_chat(lab, lab_page, "busy.ipynb", SLEEP)
    panel = notebook.panel(0)
    run(notebook, 1)
    lab_page.wait_for_timeout(300)
    ask(panel, "[slow]")
    expect(panel).to_contain_text("word3")
    panel.get_by_label("Your message").press("Escape")
    assert lab_session.aborted.wait(1)
    expect(notebook.cell(1).locator(".jp-InputPrompt")).to_contain_text("*")  # it is still running
    expect(replies(panel)).to_contain_text("stopped")


def test_keys_write_send_and_leave_the_notebook_alone(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession
) -> None:
    notebook = open_chat(lab, lab_page, "keys.ipynb", "1", "2")
    panel = notebook.panel(0)
    message = panel.get_by_label("Your message")
    message.click()
    lab_page.keyboard.type("ddaabb")  # the notebook's shortcuts: delete, insert above, insert below
    lab_page.keyboard.press("Shift+Enter")
    lab_page.keyboard.type("two")
    assert message.input_value() == "ddaabb\ntwo"
    assert notebook.page.locator(".jp-Notebook .jp-Cell").count() == 3
    lab_page.keyboard.press("Enter")
    expect(replies(panel)).to_contain_text("You said: ddaabb")
    assert message.input_value() == ""


def test_settings_are_checked_and_used(lab: Jupyter, lab_page: Page, lab_session: FakeSession) -> None:
    notebook = open_chat(lab, lab_page, "settings.ipynb")
    panel = notebook.panel(0)
    panel.get_by_role("button", name="Settings").click()
    panel.get_by_label("System prompt").fill("Be brief.")
    panel.get_by_label("Temperature").fill("hot")
    panel.get_by_label("Temperature").press("Tab")
    expect(panel).to_contain_text("Temperature can't be 'hot'")
    panel.get_by_label("Seed").fill("7")  # another that holds doesn't hide what is wrong
    panel.get_by_label("Seed").press("Tab")
    ask(panel, "Hi")
    expect(notebook.output(0)).to_contain_text("Mend it in the settings above")
    expect(panel.get_by_label("Temperature")).to_be_focused()
    assert lab_session.requests == []
    panel.get_by_label("Temperature").fill("0,5")
    panel.get_by_label("Temperature").press("Tab")
    expect(notebook.output(0)).not_to_contain_text("can't be")
    panel.get_by_label("Your message").press("Enter")
    expect(replies(panel)).to_contain_text("You said: Hi")
    sent = lab_session.requests[-1]["body"]
    assert sent["temperature"] == 0.5
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}


def test_retry_new_chat_and_keep(lab: Jupyter, lab_page: Page, lab_session: FakeSession) -> None:
    notebook = open_chat(lab, lab_page, "retry.ipynb")
    panel = notebook.panel(0)
    lab_session.refusals.append((429, "rate_limit_exceeded", "Too many requests."))
    ask(panel, "Hi")
    expect(panel.locator(".curc-error")).to_contain_text("Too many requests.")
    panel.get_by_role("button", name="Ask again for another answer").click()
    expect(replies(panel)).to_contain_text("You said: Hi")
    expect(replies(panel)).to_have_count(1)
    panel.get_by_role("button", name="Keep this chat in a file").click()
    expect(panel).to_contain_text("kept in")
    panel.get_by_role("button", name="New chat").click()
    expect(replies(panel)).to_have_count(0)
    assert len(list((lab.state_dir / "chats").iterdir())) == 1


def test_a_page_that_is_loaded_anew_in_the_middle_shows_all_of_the_answer(
    lab: Jupyter, fresh_page: Page, lab_session: FakeSession
) -> None:
    notebook = open_chat(lab, fresh_page, "reload.ipynb", "chat")
    ask(notebook.panel(0), "[slow]")
    expect(notebook.panel(0)).to_contain_text("word8")
    run(notebook, 1)  # displayed twice: the second one begins in the middle, too
    expect(notebook.panel(1)).to_contain_text("word1 word2 word3")
    notebook.save()
    fresh_page.reload()
    expect(notebook.panel(0)).to_contain_text("word1 word2 word3")
    before = replies(notebook.panel(0)).inner_text()
    expect(notebook.panel(0)).to_contain_text(f"word{before.count('word') + 5}")
    notebook.panel(1).get_by_label("Stop", exact=True).click()
    expect(replies(notebook.panel(0))).to_contain_text("stopped")


def test_without_its_kernel_a_chat_says_so_and_works_again_after_a_rerun(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession
) -> None:
    notebook = open_chat(lab, lab_page, "gone.ipynb")
    panel = notebook.panel(0)
    ask(panel, "One")
    expect(replies(panel)).to_contain_text("You said: One")
    notebook.restart()
    ask(panel, "Two")
    expect(notebook.output(0)).to_contain_text("run this cell again")
    expect(panel).to_contain_text("You said: One")  # what was said stays
    assert panel.get_by_label("Your message").input_value() == "Two"  # so does what was typed
    run(notebook, 0)
    expect(replies(notebook.panel(0))).to_have_count(0)
    ask(notebook.panel(0), "Three")
    expect(replies(notebook.panel(0))).to_contain_text("You said: Three")


def test_a_kernel_that_dies_in_the_middle_of_an_answer_is_told_without_a_click(
    lab: Jupyter, fresh_page: Page, lab_session: FakeSession
) -> None:
    notebook = open_chat(lab, fresh_page, "dies.ipynb", "import os\nos.kill(os.getpid(), 9)")
    panel = notebook.panel(0)
    ask(panel, "[slow]")
    expect(panel).to_contain_text("word3")
    run(notebook, 1)
    expect(notebook.output(0)).to_contain_text("The notebook's kernel doesn't answer.")
    expect(notebook.output(0)).to_contain_text("If the kernel was restarted, run this cell again.")
    expect(panel).to_contain_text("word1 word2 word3")  # what had come stays


def test_a_session_that_loads_or_ends_is_told_in_place(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession
) -> None:
    notebook = open_chat(lab, lab_page, "ends.ipynb")
    panel = notebook.panel(0)
    lab_session.load()
    ask(panel, "Hi")
    expect(replies(panel)).to_contain_text("loading 40 %")
    lab_session.get_ready()
    expect(replies(panel)).to_contain_text("You said: Hi")
    lab_session.end(message="Its time was up.", code="wall_time")
    ask(panel, "Hi")
    expect(panel.locator(".curc-error").last).to_contain_text("Its time was up.")


def test_a_comparison_answers_side_by_side(lab: Jupyter, lab_page: Page, lab_session: FakeSession) -> None:
    lab.write(
        "compare.ipynb", [CONNECT + "both = session.compare({'temperature': 0}, {'temperature': 1})\nboth"]
    )
    notebook = lab.open(lab_page, "compare.ipynb")
    run(notebook, 0)
    panel = notebook.panel(0)
    expect(panel.get_by_role("button", name="Ask all")).to_be_visible()
    notebook.wait_until_idle()  # the cell is done, so nothing of it is drawn anew
    panel.get_by_label("Question").fill("Why?")
    panel.get_by_label("Question").press("Enter")
    for name in ("temperature 0", "temperature 1"):
        expect(panel.get_by_role("group", name=name)).to_contain_text("You said: Why?")
        expect(panel.get_by_role("group", name=name)).to_contain_text("first token")
    # Both at one moment: the page may still scroll.
    columns = panel.locator(".curc-column-answer")
    expect(columns).to_have_count(2)
    first, second = columns.evaluate_all("all => all.map((one) => one.getBoundingClientRect().toJSON())")
    assert first["x"] < second["x"]
    assert first["y"] == second["y"]


def test_the_magics_answer_has_a_button_to_stop_it(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession
) -> None:
    lab.write("magic.ipynb", ["%load_ext curc_llm", "%%llm\n[slow]", "print('done', len(_llm) > 10)"])
    notebook = lab.open(lab_page, "magic.ipynb")
    run(notebook, 0)
    run(notebook, 1)
    expect(notebook.cell(1)).to_contain_text("word3")
    notebook.cell(1).get_by_role("button", name="Stop", exact=True).last.click()
    assert lab_session.aborted.wait(1)
    notebook.wait_until_idle()
    run(notebook, 2)
    expect(notebook.output(2)).to_contain_text("done True")
