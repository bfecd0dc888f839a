"""A session that serves several models: which one a chat goes on with, and what is said of each."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.chat.conversation import answers, asides, ask_and_see, chats, choose_option, open_tab, send
from tests.fakes.fake_gateway import FakeGateway, Reply, make_engine, make_record

pytestmark = pytest.mark.browser


def serve_two(page: Page, site: FakeGateway) -> None:
    loading = make_engine(served_model_name="big", phase="loading", ready_at=None)
    site.record = make_record(engines=[make_engine(), make_engine(served_model_name="qwen"), loading])
    site.replies = {"curc-guide": Reply("I guide."), "qwen": Reply("I am qwen.")}
    page.reload()
    open_tab(page, "Settings")


def choose(page: Page, name: str) -> None:
    choose_option(page, page.get_by_label("Model", exact=True), name)
    expect(page.locator("#curc-title h1")).to_have_text(name)


def test_a_chat_goes_on_with_the_model_that_answered_last(page: Page, site: FakeGateway) -> None:
    serve_two(page, site)
    ask_and_see(page, "first", "I guide.")
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".example").first).to_be_visible()
    choose(page, "qwen")
    ask_and_see(page, "second", "I am qwen.")
    page.reload()
    expect(page.locator("#curc-title h1")).to_have_text("qwen")
    ask_and_see(page, "third", "I am qwen.")
    # The other chat has its own.
    chats(page).filter(has_text="first").click()
    expect(answers(page)).to_have_text(["I guide."])
    expect(page.locator("#curc-title h1")).to_have_text("curc-guide")
    ask_and_see(page, "fourth", "I guide.")
    assert [one["model"] for one in site.requests] == ["curc-guide", "qwen", "qwen", "curc-guide"]


def test_a_reload_keeps_a_chats_model_though_news_of_all_models_come_late(
    page: Page, site: FakeGateway
) -> None:
    serve_two(page, site)
    choose(page, "qwen")
    ask_and_see(page, "first", "I am qwen.")

    held = []

    def hold_models(route: Route) -> None:
        reply = route.fetch()
        if '"choices":[["curc-guide"' in reply.text():
            expect(answers(page)).to_have_text("I am qwen.")
            held.append(reply)
        route.fulfill(response=reply)

    page.route("**/run/predict", hold_models)
    page.reload()
    expect(page.locator("#curc-settings").get_by_label("Model", exact=True)).to_have_value("qwen")
    ask_and_see(page, "second", "I am qwen.")
    assert held
    page.unroute_all(behavior="wait")  # one may be under way: the page looks at the session all the time


def test_a_chat_with_a_model_that_is_gone_goes_on_with_one_that_is_there(
    page: Page, site: FakeGateway
) -> None:
    serve_two(page, site)
    choose(page, "qwen")
    ask_and_see(page, "first", "I am qwen.")
    site.record = make_record()
    page.reload()
    expect(answers(page)).to_have_text("I am qwen.")
    expect(page.locator("#curc-title h1")).to_have_text("curc-guide")
    ask_and_see(page, "second", "I guide.")


def test_a_message_that_waits_says_for_which_model(page: Page, site: FakeGateway) -> None:
    serve_two(page, site)
    choose(page, "big")
    send(page, "Hi")
    expect(asides(page)).to_contain_text("Waiting for big: loading the model into memory")
    choose(page, "qwen")
    expect(asides(page)).to_contain_text("Waiting for big")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_the_meter_tells_of_the_model_that_is_chosen_now(page: Page, site: FakeGateway) -> None:
    long = make_engine(served_model_name="qwen", max_model_len=8192)
    site.record = make_record(engines=[make_engine(), long])
    page.reload()
    open_tab(page, "Settings")
    ask_and_see(page, "first")
    meter = page.get_by_role("meter", name="Context used")
    expect(meter).to_have_attribute("aria-valuemax", "4096")
    choose(page, "qwen")
    expect(meter).to_have_attribute("aria-valuemax", "8192")
