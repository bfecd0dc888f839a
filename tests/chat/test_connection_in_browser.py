"""The chat process can die: the page, and the conversation on it, stay."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.chat_process import ChatProcess
from tests.fakes.fake_gateway import FakeGateway, Reply

pytestmark = pytest.mark.browser


def send(page: Page, text: str) -> None:
    page.get_by_label("Your message").fill(text)
    page.get_by_label("Your message").press("Enter")


def test_a_conversation_outlives_a_chat_process_that_is_killed_in_the_middle(
    page: Page, site: FakeGateway, chat: ChatProcess
) -> None:
    answers = page.locator("[data-testid=bot] > .message-content")
    site.default = Reply("one two three", hold_after=2)
    send(page, "first")
    expect(answers).to_have_text("one two")
    chat.kill()
    expect(page.get_by_text("No connection to the session. Trying again")).to_be_visible()
    site.wait_for(lambda g: g.running == 0)
    chat.start()
    expect(page.get_by_text("No connection to the session")).to_be_hidden()
    expect(answers).to_have_text("one two")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    site.default = Reply("four")
    send(page, "second")
    expect(answers).to_have_text(["one two", "four"])
    assert [m["content"] for m in site.requests[-1]["messages"]] == ["first", "one two ", "second"]
