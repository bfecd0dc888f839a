"""Files that go with a question: by upload, paste, drop or path; shown, taken away, refused in words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from tests.attachments.conftest import make_pdf
from tests.chat.conversation import answers, ask_and_see, box, open_attach_menu, questions, send, told
from tests.fakes.fake_gateway import FakeGateway, make_engine, make_record

pytestmark = pytest.mark.browser
GIVE_FILE = """([name, words, kind]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([words], name, { type: "text/csv" }));
    const target = document.querySelector("#curc-message textarea");
    const more = { bubbles: true, cancelable: true };
    target.dispatchEvent(kind === "drop"
        ? new DragEvent("drop", { dataTransfer: transfer, ...more })
        : new ClipboardEvent("paste", { clipboardData: transfer, ...more }));
}"""


def chips(page: Page) -> Locator:
    return page.locator("#curc-chips .curc-chip")


def upload(page: Page, *files: Path) -> None:
    page.locator("#curc-composer input[type=file]").set_input_files(list(files))


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def text_of(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def test_an_uploaded_file_is_a_chip_goes_with_the_question_and_stays_with_it(
    page: Page, site: FakeGateway, tmp_path: Path
) -> None:
    upload(page, write(tmp_path, "data.csv", "city,height\nBoulder,1655\n"))
    expect(chips(page)).to_contain_text("data.csv")
    expect(chips(page)).to_contain_text("tokens")
    expect(page.locator("#curc-meter")).to_contain_text("of 4,096 tokens")
    ask_and_see(page, "What is in it?")
    sent = text_of(site.requests[-1]["messages"][-1])
    assert "Boulder,1655" in sent
    assert "data.csv" in sent
    assert "What is in it?" in sent
    expect(chips(page)).to_have_count(0)
    expect(page.get_by_label("Attached files")).to_contain_text("data.csv")
    page.reload()
    expect(page.get_by_label("Attached files")).to_contain_text("data.csv")
    ask_and_see(page, "And now?")
    assert "Boulder,1655" in text_of(site.requests[-1]["messages"][0])


def test_a_file_that_a_quick_person_attaches_counts_though_the_page_still_loads(
    page: Page, tmp_path: Path
) -> None:
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if '"data":[]' in (route.request.post_data or "") and not held:
            held.append((route, route.fetch()))  # what an empty page begins with
        else:
            route.continue_()

    page.route("**/run/predict", hold)
    page.reload()
    upload(page, write(tmp_path, "data.csv", "city,height\nBoulder,1655\n"))
    expect(page.locator("#curc-meter")).to_contain_text("of 4,096 tokens")
    ((route, response),) = held
    route.fulfill(response=response)
    expect(page.locator("#curc-chats .curc-none")).to_be_visible()
    expect(page.locator("#curc-meter")).to_contain_text("of 4,096 tokens")
    expect(chips(page)).to_contain_text("data.csv")
    page.unroute_all(behavior="wait")


def test_code_a_notebook_and_a_pdf_are_read_as_what_they_are(
    page: Page, site: FakeGateway, tmp_path: Path
) -> None:
    cell = {"cell_type": "code", "source": ["fit(shape=2)"], "metadata": {}, "outputs": []}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    (tmp_path / "paper.pdf").write_bytes(make_pdf("Granite is old"))
    upload(
        page,
        write(tmp_path, "model.py", "def weibull(): ..."),
        write(tmp_path, "fit.ipynb", json.dumps(notebook)),
        tmp_path / "paper.pdf",
    )
    expect(chips(page)).to_have_count(3)
    expect(page.locator("#curc-chips .curc-chip-icon")).to_have_text(["</>", "NB", "PDF"])
    ask_and_see(page, "Compare them")
    sent = text_of(site.requests[-1]["messages"][-1])
    assert all(words in sent for words in ("def weibull()", "fit(shape=2)", "Granite is old"))
    assert "nbformat" not in sent


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_file_is_pasted_or_dropped(page: Page, site: FakeGateway, way: str) -> None:
    page.evaluate(GIVE_FILE, ["table.csv", "a,b\n1,2\n", way])
    expect(chips(page)).to_contain_text("table.csv")
    ask_and_see(page, "Read it")
    assert "1,2" in text_of(site.requests[-1]["messages"][-1])


def test_a_chip_is_taken_away_and_its_file_isnt_sent(page: Page, site: FakeGateway, tmp_path: Path) -> None:
    upload(page, write(tmp_path, "keep.txt", "keep me"), write(tmp_path, "drop.txt", "drop me"))
    expect(chips(page)).to_have_count(2)
    page.get_by_role("button", name="Remove drop.txt").click()
    expect(chips(page)).to_have_count(1)
    ask_and_see(page, "Read it")
    sent = text_of(site.requests[-1]["messages"][-1])
    assert "keep me" in sent
    assert "drop me" not in sent


def test_a_file_of_the_cluster_is_found_by_its_path(page: Page, site: FakeGateway, tmp_path: Path) -> None:
    write(tmp_path, "results.csv", "x,y\n3,4\n")
    write(tmp_path, "other.txt", "no")
    open_attach_menu(page)
    page.get_by_role("button", name="File on the cluster").click()
    path = page.get_by_role("combobox", name="File on the cluster")
    path.fill(f"{tmp_path}/res")
    expect(page.get_by_role("option")).to_have_count(1)
    expect(page.get_by_role("option")).to_contain_text("results.csv")
    path.press("Tab")
    expect(path).to_have_value(f"{tmp_path}/results.csv")
    path.press("Enter")
    expect(chips(page)).to_contain_text("results.csv")
    ask_and_see(page, "Read it")
    assert "3,4" in text_of(site.requests[-1]["messages"][-1])


def test_the_attach_menu_stays_open_while_the_page_looks_at_the_session(page: Page) -> None:
    open_attach_menu(page)
    # As the page's own script does when another model is ready than the one it was made for.
    page.evaluate("document.getElementById('curc-look-again').click()")
    expect(page.get_by_role("button", name="File on the cluster")).to_be_visible()
    page.mouse.click(750, 300)
    expect(page.get_by_role("button", name="File on the cluster")).to_be_hidden()


def test_a_path_that_isnt_there_is_refused_where_it_was_typed_and_can_be_mended(
    page: Page, tmp_path: Path
) -> None:
    write(tmp_path, "there.csv", "x,y\n3,4\n")
    open_attach_menu(page)
    page.get_by_role("button", name="File on the cluster").click()
    dialog = page.get_by_role("dialog")
    path = dialog.get_by_role("combobox")
    path.fill(f"{tmp_path}/nothing.csv")
    page.get_by_role("button", name="Attach", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("nothing.csv")
    expect(path).to_have_value(f"{tmp_path}/nothing.csv")
    expect(path).to_be_focused()
    expect(told(page)).to_have_count(0)
    path.fill(f"{tmp_path}/there.csv")
    expect(dialog.get_by_role("alert")).to_be_hidden()
    page.get_by_role("button", name="Attach", exact=True).click()
    expect(chips(page)).to_contain_text("there.csv")
    expect(dialog).to_have_count(0)


def test_arrow_keys_and_enter_choose_how_a_path_goes_on(page: Page, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep", "one.csv", "1\n")
    write(tmp_path / "deep", "two.csv", "2\n")
    open_attach_menu(page)
    page.get_by_role("button", name="File on the cluster").click()
    path = page.get_by_role("combobox", name="File on the cluster")
    path.fill(f"{tmp_path}/")
    chosen = page.get_by_role("option", selected=True)
    expect(page.get_by_role("option")).to_have_text([re.compile("deep/")])
    expect(chosen).to_have_count(0)
    path.press("ArrowDown")
    expect(chosen).to_contain_text("deep/")
    path.press("Enter")
    expect(path).to_have_value(f"{tmp_path}/deep/")
    expect(page.get_by_role("option")).to_have_count(2)
    path.press("ArrowUp")
    expect(chosen).to_contain_text("two.csv")
    path.press("ArrowUp")
    expect(chosen).to_contain_text("one.csv")
    # What a screen reader is told is chosen.
    expect(path).to_have_attribute("aria-activedescendant", str(chosen.get_attribute("id")))
    path.press("Enter")
    expect(path).to_have_value(f"{tmp_path}/deep/one.csv")
    expect(path).to_be_focused()
    path.press("Enter")
    expect(chips(page)).to_contain_text("one.csv")


def test_a_guest_is_offered_no_files_of_the_cluster(page: Page, site: FakeGateway) -> None:
    site.user = "ana"
    page.reload()
    expect(page.locator('[data-curc-act="path"]')).to_have_count(0)
    open_attach_menu(page)
    expect(page.locator("#curc-attach-slot .curc-menu-items button")).to_have_text(["Upload files …"])
    site.user = "owner"
    page.reload()
    page.locator(".example").first.wait_for()
    open_attach_menu(page)
    expect(page.get_by_role("button", name="File on the cluster")).to_be_visible()


def test_a_refused_file_is_told_and_the_others_are_attached(page: Page, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)) * 8)
    upload(page, program, write(tmp_path, "fine.txt", "fine"))
    expect(told(page)).to_contain_text("Not attached")
    expect(told(page)).to_contain_text("program")
    expect(chips(page)).to_have_count(1)
    expect(chips(page)).to_contain_text("fine.txt")


def test_an_image_goes_to_a_model_that_sees(page: Page, site: FakeGateway, tmp_path: Path) -> None:
    site.record = make_record(engines=[make_engine(takes_images=True)])
    page.reload()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    upload(page, tmp_path / "red.png")
    expect(chips(page)).to_contain_text("red.png")
    ask_and_see(page, "Which colour?")
    parts = site.requests[-1]["messages"][-1]["content"]
    assert [part["type"] for part in parts if part["type"] == "image_url"] == ["image_url"]


def test_an_image_is_refused_at_once_where_the_model_sees_none_and_nothing_is_lost(
    page: Page, site: FakeGateway, tmp_path: Path
) -> None:
    eyes = make_engine(served_model_name="eyes", takes_images=True)
    site.record = make_record(engines=[make_engine(takes_images=False, phase="loading"), eyes])
    page.reload()
    expect(page.locator(".curc-banner-title")).to_be_visible()  # the page knows the models
    box(page).fill("Which colour?")
    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    upload(page, tmp_path / "red.png")
    expect(told(page)).to_contain_text("Not attached")
    expect(told(page)).to_contain_text("Choose eyes in the settings")
    expect(chips(page)).to_have_count(0)
    expect(box(page)).to_have_value("Which colour?")


def test_a_file_name_is_no_html(page: Page, tmp_path: Path) -> None:
    name = "<img src=x onerror=window.pwned=1>.txt"
    upload(page, write(tmp_path, name, "text"))
    expect(chips(page)).to_contain_text(".txt")
    ask_and_see(page, "Read it")
    expect(page.get_by_label("Attached files")).to_be_visible()
    assert page.evaluate("window.pwned") is None
    assert page.locator("#curc-chips img, #curc-chat .curc-files img").count() == 0


def test_a_file_alone_can_be_sent(page: Page, site: FakeGateway, tmp_path: Path) -> None:
    upload(page, write(tmp_path, "alone.txt", "only me"))
    expect(chips(page)).to_have_count(1)
    send(page, "")
    expect(answers(page)).to_have_text("Hello there.")
    expect(questions(page)).to_have_count(1)
    assert "only me" in text_of(site.requests[-1]["messages"][-1])
