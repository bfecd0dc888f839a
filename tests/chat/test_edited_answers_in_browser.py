"""An answer that a person changes: a version of its own, from which the conversation goes on."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.chat.conversation import answers, asides, ask_and_see, box
from tests.fakes.fake_gateway import FakeGateway, Reply

pytestmark = pytest.mark.browser


def test_an_answer_is_edited_kept_beside_the_models_own_and_gone_on_from(
    page: Page, site: FakeGateway
) -> None:
    site.default = Reply("Use 2 < 3, not *it*.")
    ask_and_see(page, "first", "Use 2 < 3, not it.")
    page.get_by_role("button", name="Edit answer").click()
    field = page.get_by_role("dialog").get_by_role("textbox", name="Edit the answer")
    expect(field).to_be_focused()
    expect(field).to_have_value("Use 2 < 3, not *it*.")
    field.fill("Use 4.")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(answers(page)).to_have_text("Use 4.")
    expect(asides(page)).to_contain_text(["edited"])
    expect(page.locator(".curc-versions")).to_have_text("‹2/2›")
    site.default = Reply("Hello there.")
    ask_and_see(page, "second")
    assert [m["content"] for m in site.requests[-1]["messages"]] == ["first", "Use 4.", "second"]
    page.reload()
    expect(answers(page).first).to_have_text("Use 4.")
    page.get_by_role("button", name="Version before").click()
    expect(answers(page)).to_have_text(["Use 2 < 3, not it."])


def test_an_empty_answer_is_refused_in_the_dialog_and_escape_leaves_it_as_it_was(
    page: Page, site: FakeGateway
) -> None:
    ask_and_see(page, "Hi")
    page.get_by_role("button", name="Edit answer").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(" ")
    dialog.get_by_role("textbox").press("Control+Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("The answer is empty.")
    dialog.get_by_role("textbox").press("Escape")
    expect(dialog).to_have_count(0)
    expect(answers(page)).to_have_text("Hello there.")
    expect(page.locator(".curc-versions")).to_have_count(0)
    box(page).fill("still there")
    assert len(site.requests) == 1


def test_escape_asks_once_before_it_drops_what_was_changed(page: Page) -> None:
    ask_and_see(page, "Hi")
    page.get_by_role("button", name="Edit answer").click()
    dialog = page.get_by_role("dialog")
    field = dialog.get_by_role("textbox")
    field.fill("A long new text.")
    field.press("Escape")
    expect(dialog.get_by_role("alert")).to_contain_text("press Esc once more to drop them")
    expect(field).to_have_value("A long new text.")
    # Who goes on writing is asked again.
    field.press("End")
    field.press_sequentially("!")
    field.press("Escape")
    expect(field).to_have_value("A long new text.!")
    field.press("Escape")
    expect(dialog).to_have_count(0)
    # What wasn't changed needs no question, and a dialog can be opened again.
    page.get_by_role("button", name="Edit answer").click()
    expect(field).to_have_value("Hello there.")
    field.press("Escape")
    expect(dialog).to_have_count(0)
