"""Card, picker, launch form, figures and batch used by clicking, in real JupyterLab 4 and Notebook 7."""

from __future__ import annotations

import time
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Page, expect

from tests.browser import wait_for_clipboard
from tests.fakes.fake_session import FakeSession
from tests.notebook.jupyter import CONTEXT, Face, Jupyter, find_secrets

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CONNECT = "import curc_llm\nsession = curc_llm.connect()"


@pytest.mark.parametrize("face", ["lab", "notebooks"])
def test_connect_shows_the_card_and_the_session_answers(
    lab: Jupyter, lab_page: Page, fresh_page: Page, lab_session: FakeSession, face: Face
) -> None:
    lab.write(f"card-{face}.ipynb", [CONNECT, "print(session.chat('Hi'))", "session"])
    notebook = lab.open(lab_page if face == "lab" else fresh_page, f"card-{face}.ipynb", face)
    notebook.run_all()
    card = notebook.panel(0)
    expect(card).to_contain_text("curc-guide")
    expect(card).to_contain_text("Ready")
    expect(notebook.cell(1)).to_contain_text("You said: Hi")
    expect(notebook.panel(2)).to_contain_text(lab_session.url)  # the session as a last line: the same card


def test_endpoint_key_and_snippet_go_to_the_clipboard(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession
) -> None:
    lab.write("copy.ipynb", [CONNECT])
    notebook = lab.open(lab_page, "copy.ipynb")
    notebook.run_all()
    card = notebook.panel(0)
    card.get_by_role("button", name="Copy the endpoint").click()
    expect(card.get_by_role("button", name="Copied").first).to_be_visible()
    wait_for_clipboard(lab_page, lambda text: text == lab_session.url)
    card.get_by_role("button", name="Copy key").click()
    expect(card.get_by_role("button", name="Copied", exact=True).last).to_be_visible()
    wait_for_clipboard(lab_page, lambda text: text == lab_session.key)
    card.get_by_text("Use it from elsewhere").click()
    card.get_by_role("tab", name="LangChain").click()
    expect(card.get_by_role("tabpanel")).to_contain_text("ChatOpenAI")
    lab_page.keyboard.press("ArrowRight")
    expect(card.get_by_role("tab", name="LlamaIndex")).to_be_focused()
    card.get_by_role("button", name="Copy this").click()
    snippet = wait_for_clipboard(lab_page, lambda text: "llama_index" in text)
    assert lab_session.key not in snippet


def test_no_secret_is_in_the_saved_notebook_nor_in_its_html(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession
) -> None:
    cells = [CONNECT, "session.metrics_widget()", "session.chat('Hi')", "repr(session), session.key_file"]
    lab.write("saved.ipynb", [*cells, "session.chat('Hi', model='nobody')"])
    notebook = lab.open(lab_page, "saved.ipynb")
    notebook.run_all()
    notebook.panel(0).get_by_role("button", name="Copy key").click()
    expect(notebook.panel(0).get_by_role("button", name="Copied", exact=True)).to_be_visible()
    text = notebook.save()
    assert "application/vnd.jupyter.widget-state+json" in text  # the widgets are saved with it
    assert find_secrets(text, lab_session.key) == []
    page, _ = HTMLExporter().from_notebook_node(nbformat.reads(text, as_version=4))
    assert "curc-guide" in page
    assert find_secrets(page, lab_session.key) == []


def test_an_error_is_its_sentence_alone(lab: Jupyter, lab_page: Page, lab_state: Path) -> None:
    lab.write("error.ipynb", [CONNECT, "session.chat('Hi')"])
    notebook = lab.open(lab_page, "error.ipynb")
    notebook.run_all()
    said = notebook.cell(1).locator(".jp-OutputArea-output").inner_text().splitlines()
    assert said == [
        "SessionNotReadyError: No session is connected yet.",
        "Launch one in the widget above.",
        "The full traceback: %tb",
    ]


def test_picking_among_several_connects(lab: Jupyter, lab_page: Page, lab_session: FakeSession) -> None:
    with FakeSession(lab.state_dir, "local-second", models=("other",)) as second:
        second.load()
        lab.write("pick.ipynb", [CONNECT])
        notebook = lab.open(lab_page, "pick.ipynb")
        notebook.run_all()
        panel = notebook.panel(0)
        expect(panel.get_by_role("row")).to_have_count(3)
        expect(panel).to_contain_text("Loading")
        panel.get_by_role("button", name="Connect to local-second").click()
        expect(panel).to_contain_text("Loading the model into memory")
        second.get_ready()
        expect(panel).to_contain_text(second.url)


def test_the_end_of_the_session_is_shown_and_another_can_be_launched(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession
) -> None:
    lab.write("end.ipynb", [CONNECT])
    notebook = lab.open(lab_page, "end.ipynb")
    notebook.run_all()
    panel = notebook.panel(0)
    expect(panel).to_contain_text("Ready")
    lab_session.end("wall_time", "Its time was up.", "Ask for more hours.")
    expect(panel).to_contain_text("The session has ended")
    expect(panel).to_contain_text("Its time was up.")
    panel.get_by_role("button", name="Launch again").click()
    expect(panel.get_by_label("Model", exact=True)).to_be_visible()
    expect(panel).to_contain_text("The session has ended")  # the card stays above the form
    panel.get_by_role("button", name="Not now").click()
    expect(panel.get_by_label("Model", exact=True)).to_have_count(0)


def test_stop_asks_first(lab: Jupyter, lab_page: Page, lab_state: Path) -> None:
    with FakeSession(lab_state) as fake:
        stop = "type(session).stop = lambda self: open(self.key_file.parent / 'stopped', 'w').close()"
        lab.write("stop.ipynb", [CONNECT, stop])
        notebook = lab.open(lab_page, "stop.ipynb")
        notebook.run_all()
        panel, mark = notebook.panel(0), fake.paths.root / "stopped"
        panel.get_by_role("button", name="Stop the session").click()
        panel.get_by_role("button", name="Keep it").click()
        assert not mark.exists()
        panel.get_by_role("button", name="Stop the session").click()
        panel.get_by_role("button", name="End it").click()
        deadline = time.monotonic() + 10
        while not mark.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_launch_by_clicking_from_the_form_to_the_session_while_the_kernel_stays_free(
    lab: Jupyter, lab_page: Page, lab_state: Path
) -> None:
    lab.write("launch.ipynb", [CONNECT, "print(session.chat('Hi'))", "1 + 1"])
    notebook = lab.open(lab_page, "launch.ipynb")
    notebook.run_all()
    panel = notebook.panel(0)
    expect(panel).to_contain_text("Fits on")
    panel.get_by_label("Model", exact=True).select_option("llama-3.1-405b-instruct")
    notebook.run_cell(2)
    expect(notebook.output(2)).to_contain_text("2")
    expect(panel.get_by_label("GPUs")).not_to_have_value("")
    panel.get_by_label("Hours").fill("900")
    expect(panel).to_contain_text("This doesn't work")
    expect(panel.get_by_role("button", name="Launch", exact=True)).to_be_disabled()
    panel.get_by_label("Model", exact=True).select_option("qwen3-8b")
    panel.get_by_label("Hours").fill("2")
    expect(panel).to_contain_text("SU for 2 h")
    panel.get_by_label("Account").fill("ucb-general")
    lab.slurm.queue("77", "PENDING", "Priority")
    panel.get_by_role("button", name="Launch", exact=True).click()
    expect(panel).to_contain_text("Waiting in the queue")
    expect(panel).to_contain_text("Others are before it in the queue")
    assert "--account=ucb-general" in lab.slurm.called("sbatch")[-1]
    # The job begins: another process writes its record.
    folder = next((lab_state / "sessions").iterdir())
    with FakeSession(lab_state, folder.name, slurm_job_id="77", models=("qwen3-8b",)) as fake:
        lab.slurm.queue("77", "RUNNING")
        expect(panel).to_contain_text(fake.url)
        notebook.run_cell(1)
        expect(notebook.cell(1)).to_contain_text("You said: Hi")


def test_after_a_restart_the_old_card_says_so_and_connect_works_again(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession
) -> None:
    lab.write("restart.ipynb", [CONNECT])
    notebook = lab.open(lab_page, "restart.ipynb")
    notebook.run_all()
    expect(notebook.panel(0)).to_contain_text("Ready")
    notebook.restart()
    panel = notebook.panel(0)
    if panel.count():  # the last state stays; its buttons tell
        panel.get_by_role("button", name="Copy key").click()
        expect(notebook.cell(0)).to_contain_text("The notebook's kernel doesn't answer.")
    notebook.run_all()
    expect(notebook.panel(0)).to_contain_text("Ready")


def test_live_figures_move(lab: Jupyter, lab_page: Page, lab_session: FakeSession) -> None:
    lab.write("metrics.ipynb", [CONNECT, "session.metrics_widget()"])
    notebook = lab.open(lab_page, "metrics.ipynb")
    notebook.run_all()
    panel = notebook.panel(1)
    expect(panel).to_contain_text("Tokens/s, last 10 s")
    expect(panel).to_contain_text("First token")
    assert panel.get_by_role("img").count() >= 2


def test_a_batch_is_cancelled_by_its_button(lab: Jupyter, lab_page: Page, lab_session: FakeSession) -> None:
    rows = "run = session.map(['[silent] one', '[silent] two'] * 20, wait=False, concurrency=1)"
    show = "from curc_llm.notebook.batch import BatchWidget\nBatchWidget(run)"
    lab.write("batch.ipynb", [CONNECT, rows, show])
    notebook = lab.open(lab_page, "batch.ipynb")
    notebook.run_all()
    panel = notebook.panel(2)
    expect(panel).to_contain_text("Batch: running")
    panel.get_by_role("button", name="Cancel").click()
    expect(panel).to_contain_text("Batch: stopped")
    expect(panel).to_contain_text("kept in")


def test_a_cell_that_waits_for_its_batch_is_ended_by_the_batch_s_button(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession
) -> None:
    lab.write("map.ipynb", [CONNECT, "session.map(['[silent] row'] * 40, concurrency=1)", "print('went on')"])
    notebook = lab.open(lab_page, "map.ipynb")
    notebook.start_all()
    panel = notebook.panel(1)
    expect(panel).to_contain_text("1 of 40")
    expect(notebook.cell(1).locator(".jp-InputPrompt")).to_contain_text("*")  # the cell waits
    panel.get_by_role("button", name="Cancel").click()
    expect(panel).to_contain_text("Batch: stopped")
    said = notebook.cell(1).locator(".jp-OutputArea-output").last
    expect(said).to_contain_text("BatchStoppedError: The batch was stopped.")
    expect(said).to_contain_text("of 40 rows are done and kept in")
    expect(said).to_contain_text("Run the same again to go on where it stopped.")
    expect(notebook.cell(2).locator(".jp-OutputArea-output")).to_have_count(0)  # as after any error
    assert 1 < len(lab_session.requests) < 40


def test_many_widgets_are_light_and_outlive_their_kernel(
    lab: Jupyter, fresh_page: Page, lab_session: FakeSession
) -> None:
    many = (
        "from IPython.display import display\nfrom curc_llm.notebook.markdown import MarkdownView\n"
        "for number in range(20):\n    view = MarkdownView()\n    display(view)\n"
        "    view.text = f'Answer **{number}**'\n    view.finish()"
    )
    numbers = [str(number) for number in range(20)]
    lab.write("many.ipynb", [many])
    notebook = lab.open(fresh_page, "many.ipynb", "notebooks")
    notebook.run_all()
    expect(fresh_page.locator(".curc-markdown strong")).to_have_text(numbers, timeout=90_000)
    for _ in range(10):  # Jupyter's own saving, now and then, may have come between
        saved = notebook.save()
        missing = [number for number in numbers if f"Answer **{number}**" not in saved]
        if not missing:
            break
    assert missing == []
    assert len(saved) < 1_100_000  # the page's code once, and 20 kB for each
    fresh_page.evaluate(f"() => {CONTEXT}.shutdown()")
    fresh_page.reload()
    notebook.wait_until_idle()
    expect(fresh_page.locator(".curc-markdown strong")).to_have_text(numbers, timeout=90_000)


def test_after_the_page_is_loaded_anew_the_card_still_works(
    lab: Jupyter, lab_page: Page, lab_session: FakeSession
) -> None:
    lab.write("reload.ipynb", [CONNECT])
    notebook = lab.open(lab_page, "reload.ipynb")
    notebook.run_all()
    expect(notebook.panel(0)).to_contain_text("Ready")
    notebook.save()
    lab_page.reload()
    notebook.wait_until_idle()
    panel = notebook.panel(0)
    expect(panel).to_contain_text("Ready")
    panel.get_by_role("button", name="Copy key").click()
    expect(panel.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    lab_session.end("idle", "Nobody used it.")
    expect(panel).to_contain_text("Nobody used it.")
