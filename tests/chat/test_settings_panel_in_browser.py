"""The settings' panel: its tabs, its help, its lists, and what it does to the page beside it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.chat.conversation import open_tab, send, told
from tests.fakes.fake_gateway import FakeGateway, make_engine, make_record

pytestmark = pytest.mark.browser


def settle(part: Locator) -> FloatRect:
    """Where it stands, once the sidebars have moved."""
    boxes = [part.bounding_box()]
    while len(boxes) < 4 or any(box != boxes[-1] for box in boxes[-4:]):
        part.page.wait_for_timeout(100)
        boxes.append(part.bounding_box())
    assert boxes[-1]
    return boxes[-1]


def left(part: Locator) -> float:
    return round(settle(part)["x"])


def test_the_tabs_stay_on_top_while_the_settings_scroll(page: Page) -> None:
    open_tab(page, "Settings")
    page.get_by_role("button", name="More").click()
    page.set_viewport_size({"width": 1280, "height": 500})
    page.get_by_label("JSON schema").scroll_into_view_if_needed()
    assert page.locator("#curc-settings .sidebar-content").evaluate("element => element.scrollTop") > 100
    tab = page.get_by_role("tab", name="Session")
    expect(tab).to_be_in_viewport(ratio=1)
    tab.click()
    expect(page.locator("#curc-session")).to_be_visible()


def test_what_folds_and_what_lists_has_one_kind_of_mark(page: Page) -> None:
    open_tab(page, "Settings")
    marks = page.evaluate(
        """() => [["summary", "::before"], [".label-wrap .icon"], [".dropdown-arrow"]].map(([name, pseudo]) =>
        getComputedStyle(document.querySelector(`#curc-settings ${name}`), pseudo).maskImage)"""
    )
    assert len(set(marks)) == 1
    assert "svg" in marks[0]
    fold = page.get_by_role("button", name="Side by side", exact=True)
    expect(fold).to_have_attribute("aria-expanded", "false")
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "true")


def test_each_field_says_what_it_wants_beside_its_name(page: Page) -> None:
    open_tab(page, "Settings")
    page.get_by_role("button", name="More").click()
    for name, words in {
        "Temperature": "more varied",
        "Seed": "the same answer",
        "Stop texts, one per line": "An answer ends before the first of them",
        "JSON schema that answers must fit": "JSON with these fields",
    }.items():
        field = page.get_by_role("textbox", name=name, exact=True)
        expect(field).to_have_accessible_description(re.compile(words))
        expect(field).not_to_have_attribute("placeholder", "")
    seed = page.get_by_label("Seed", exact=True)
    seed.fill("x")
    seed.press("Tab")
    expect(seed).to_have_attribute("aria-invalid", "true")
    seed.fill("7")
    expect(seed).to_have_accessible_description(re.compile("the same answer"))


def test_a_list_opens_when_it_is_asked_for_and_not_when_tab_comes_by(page: Page) -> None:
    open_tab(page, "Settings")
    seed, when_full = page.get_by_label("Seed", exact=True), page.get_by_label("When the context is full")
    options = page.get_by_role("option")
    seed.fill("x")
    seed.press("Tab")
    expect(when_full).to_be_focused()
    expect(page.locator("#curc-set-seed .curc-mistake")).to_be_visible()
    expect(options).to_have_count(0)
    when_full.press("ArrowDown")
    expect(options).to_have_count(3)
    when_full.press("Escape")
    expect(options).to_have_count(0)
    when_full.click()
    expect(options).to_have_count(3)
    when_full.press("Tab")
    expect(options).to_have_count(0)


def test_a_wrong_value_of_the_second_column_is_told_as_such(page: Page, site: FakeGateway) -> None:
    site.record = make_record(engines=[make_engine(), make_engine(served_model_name="qwen")])
    page.reload()
    open_tab(page, "Settings")
    page.get_by_role("button", name="Side by side").click()
    page.get_by_label("Answer twice, side by side").check()
    other = page.get_by_label("Other temperature")
    other.fill("9")
    other.press("Tab")
    sentence = "Second column: Temperature can't be '9'"
    expect(page.locator("#curc-set-other-temperature .curc-mistake")).to_contain_text(sentence)
    send(page, "Hi")
    expect(told(page)).to_contain_text(sentence)
    assert site.requests == []


def test_the_empty_page_stands_in_one_line_and_keeps_its_width_with_two_columns(page: Page) -> None:
    heading, examples = page.get_by_role("heading", name="What can I help with?"), page.locator(".examples")
    expected = left(page.locator("#curc-composer"))
    parts = (heading, page.locator(".placeholder small"), page.locator(".example").first)
    assert [left(part) for part in parts] == [expected] * 3
    open_tab(page, "Settings")
    page.get_by_role("button", name="Side by side").click()
    before = settle(examples)
    page.get_by_label("Answer twice, side by side").check()
    expect(page.locator("#curc-other")).to_have_count(1)
    assert settle(examples) == before
