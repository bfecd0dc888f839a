"""The owner exchanges the model on the page, and adapters stand in the list of models."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.chat.conversation import ask_and_see, choose_option, open_tab
from tests.fakes.fake_gateway import FakeGateway, Reply, make_engine, make_record

pytestmark = pytest.mark.browser

FITTING: list[dict[str, Any]] = [
    {"model": "mine", "uses": ["chat"], "weights_gib": 0.5, "max_model_len": 4096, "is_here": True},
    {"model": "qwen3-8b", "uses": ["chat"], "weights_gib": 15.3, "max_model_len": 32768, "is_here": False},
    {"model": "qwen3-0.6b", "uses": ["chat"], "weights_gib": 1.1, "max_model_len": 32768, "is_here": True},
]


def show_swap(site: FakeGateway, step: str, **engine: Any) -> None:
    """What the supervisor shows of an exchange."""
    swap = {"from_model": "curc-guide", "to_model": "qwen3-8b", "phase": step, "detail": "1.0 of 15.3 GiB"}
    site.record = make_record(engines=[make_engine(swap=swap, **engine)])


def test_the_owner_chooses_what_fits_and_follows_the_exchange(page: Page, site: FakeGateway) -> None:
    site.fitting, site.on_swap = FITTING, lambda: show_swap(site, "downloading")
    open_tab(page, "Settings")
    page.get_by_role("button", name="Exchange curc-guide for another model").click()
    dialog = page.get_by_role("dialog", name="Exchange curc-guide")
    expect(dialog.get_by_role("listitem")).to_have_count(3)
    expect(dialog.get_by_role("button", name="Exchange", exact=True)).to_be_disabled()
    dialog.get_by_role("textbox").fill("qwen 8b")
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    expect(dialog.get_by_role("listitem")).to_contain_text("15.3 GiB to download, context of 32,768 tokens")
    dialog.get_by_role("button", name="qwen3-8b").click()
    dialog.get_by_role("button", name="Exchange", exact=True).click()
    banner = page.locator(".curc-banner")
    expect(banner).to_contain_text("qwen3-8b takes the place of curc-guide: downloading 1.0 of 15.3 GiB")
    expect(banner).to_contain_text("curc-guide still answers.")
    assert site.swaps == [{"model": "qwen3-8b", "engine": "curc-guide"}]
    ask_and_see(page, "still there?")
    show_swap(site, "starting", served_model_name="qwen3-8b", phase="loading", ready_at=None)
    expect(banner).to_contain_text("qwen3-8b takes the place of curc-guide: loading the model into memory")
    site.record = make_record(engines=[make_engine(served_model_name="qwen3-8b")])
    expect(page.locator("#curc-title h1")).to_have_text("qwen3-8b")
    expect(banner).to_have_count(0)
    ask_and_see(page, "and now?")
    assert [one["model"] for one in site.requests] == ["curc-guide", "qwen3-8b"]


def test_a_refusal_is_told_beside_the_name_which_stays(page: Page, site: FakeGateway) -> None:
    site.fitting, site.swap_refusal = FITTING, "It needs 80 GiB, and the GPU has 40."
    open_tab(page, "Settings")
    page.get_by_role("button", name="Exchange curc-guide").click()
    dialog = page.get_by_role("dialog", name="Exchange curc-guide")
    box = dialog.get_by_role("textbox")
    box.fill("deepseek-v3")
    box.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("It needs 80 GiB, and the GPU has 40.")
    expect(box).to_have_value("deepseek-v3")
    expect(box).to_be_focused()
    # Another name is another try: the refusal goes, and what is accepted closes the dialog.
    site.swap_refusal = ""
    box.fill("mine")
    expect(dialog.get_by_role("alert")).to_have_count(0)
    box.press("Enter")
    expect(dialog).to_have_count(0)
    assert site.swaps == [{"model": "mine", "engine": "curc-guide"}]


@pytest.mark.parametrize("size", [(1280, 720), (800, 600), (400, 700)])
def test_of_a_long_list_only_the_list_scrolls(page: Page, site: FakeGateway, size: tuple[int, int]) -> None:
    name = "some-organisation/a-model-with-a-long-name-"
    site.fitting = [{**FITTING[1], "model": f"{name}{i}"} for i in range(40)]
    page.set_viewport_size({"width": 1280, "height": 720})
    open_tab(page, "Settings")
    page.get_by_role("button", name="Exchange curc-guide").click()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    dialog = page.get_by_role("dialog", name="Exchange curc-guide")
    whole = "box => box.scrollHeight <= box.clientHeight && box.scrollWidth <= box.clientWidth"
    assert dialog.evaluate(whole)
    expect(dialog.get_by_role("button", name="Exchange", exact=True)).to_be_in_viewport(ratio=1)
    shown = dialog.get_by_role("list")
    assert shown.evaluate("box => box.clientHeight > 120 && box.scrollWidth <= box.clientWidth")
    dialog.get_by_role("listitem").last.scroll_into_view_if_needed()
    expect(dialog.get_by_role("listitem").last).to_be_in_viewport(ratio=1)


def test_a_guest_is_offered_no_exchange(page: Page, site: FakeGateway) -> None:
    site.user = "ana"
    page.goto(site.url())
    open_tab(page, "Settings")
    expect(page.get_by_label("System prompt", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Exchange curc-guide")).to_have_count(0)


def test_an_adapter_that_is_added_is_a_model_to_choose(page: Page, site: FakeGateway) -> None:
    site.replies = {"pirate": Reply("Arr."), "curc-guide": Reply("I guide.")}
    ask_and_see(page, "first", "I guide.")
    site.record = make_record(engines=[make_engine(adapters=[{"name": "pirate", "source": "/a"}])])
    open_tab(page, "Settings")
    choose_option(page, page.get_by_label("Model", exact=True), "pirate (adapter of curc-guide)")
    expect(page.locator("#curc-title h1")).to_have_text("pirate")
    ask_and_see(page, "second", "Arr.")
    assert [one["model"] for one in site.requests] == ["curc-guide", "pirate"]
