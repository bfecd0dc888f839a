"""The chat process can die: the page, and the conversation on it, stay."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.chats.conftest import wait_until
from tests.fakes.chat_process import ChatProcess
from tests.fakes.fake_gateway import OWNER, FakeGateway, Reply

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
    # On the page it may be sooner than on the disk: a kill may cost the last 100 ms.
    wait_until(lambda: any("two" in part.read_text() for part in chat.saved.glob("*.part")))
    chat.kill()
    expect(page.get_by_text("No connection to the session. Trying again")).to_be_visible()
    site.wait_for(lambda g: g.running == 0)
    chat.start()
    expect(page.get_by_text("No connection to the session")).to_be_hidden()
    expect(answers).to_have_text("one two")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    # The page knows again what became of it, without a reload.
    expect(page.get_by_role("button", name="Continue the answer")).to_be_visible()
    expect(page.get_by_role("button", name="first")).to_be_visible()
    expect(page.get_by_label("Context used")).to_be_visible()
    site.default = Reply("four")
    send(page, "second")
    expect(answers).to_have_text(["one two", "four"])
    assert [m["content"] for m in site.requests[-1]["messages"]] == ["first", "one two ", "second"]


def test_who_is_logged_out_is_told_and_goes_on_once_they_are_in_again(page: Page, site: FakeGateway) -> None:
    if site.front is None:
        pytest.skip("there is no Apache here, so nobody logs in")
    answers = page.locator("[data-testid=bot] > .message-content")
    send(page, "first")
    expect(answers).to_have_text("Hello there.")
    page.context.clear_cookies()
    notice = page.get_by_text("Your login has expired")
    send(page, "second")
    expect(notice).to_be_visible()
    expect(page.get_by_text("That didn't work")).to_have_count(0)
    site.front.log_in(page.context, OWNER)
    expect(notice).to_be_hidden()
    expect(answers).to_have_text(["Hello there."] * 2)
