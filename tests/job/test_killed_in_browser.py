"""kill -9 of chat, gateway, engine and tab in the middle of an answer: all but the last 100 ms is kept."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from os import kill

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.job.conftest import wait_until
from tests.job.opened import Opened, answers, ask, open_page_session, open_window

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# Twelve seconds an answer, so that it is killed in the middle on a busy machine, too: "word0 word1 …".
OPTIONS = "--tokens 600 --token-s 0.02"
LOST_MS = 100


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with open_page_session(OPTIONS) as session:
        yield session


@pytest.fixture(scope="module")
def window(browser: Browser, opened: Opened) -> Iterator[Page]:
    """A window that is logged in."""
    page = open_window(browser)
    opened.log_in(page)
    yield page
    page.context.close()


@pytest.fixture
def page(window: Page, opened: Opened) -> Iterator[Page]:
    """A tab of it, with a new chat."""
    tab = window.context.new_page()
    tab.goto(opened.root + "/chat/")
    # A chat process that starts on a busy machine takes its time; the page loads itself until it is there.
    tab.get_by_label("Your message").wait_for(timeout=120_000)
    yield tab
    tab.close()


def watch_answer(page: Page, text: str) -> str:
    """Asks; what the answer was when it was last looked at, which is longer ago than what may be lost."""
    ask(page, text)
    expect(answers(page)).to_contain_text("word30 ")
    seen = answers(page).inner_text().strip()
    page.wait_for_timeout(LOST_MS)
    return seen


def check_is_there(page: Page, question: str, seen: str) -> None:
    """The conversation as somebody finds it who opens it again."""
    expect(page.locator("#curc-chat [data-testid=user]")).to_have_text([question])
    expect(answers(page)).to_contain_text(seen)
    expect(page.locator("#curc-chats .curc-open").first).to_contain_text(question)


def answers_at(address: str) -> bool:
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError as error:
        return isinstance(error, urllib.error.HTTPError) and error.code < 500


def find_renderers(browser: Browser) -> list[int]:
    """The processes that show pages."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return [one["id"] for one in found if one["type"] == "renderer"]


def test_after_the_chat_was_killed(page: Page, opened: Opened) -> None:
    seen = watch_answer(page, "Will the chat die?")
    chat = opened.job.find("curc_llm.chat")
    chat.kill()
    chat.wait(10)
    # Who reloads at once sees that it is starting, and then the conversation.
    page.reload()
    check_is_there(page, "Will the chat die?", seen)
    expect(page.locator("#curc-chat")).to_contain_text("broke off")
    expect(page.get_by_role("button", name="Continue the answer")).to_be_visible()


def test_after_the_gateway_was_killed(page: Page, opened: Opened) -> None:
    seen = watch_answer(page, "Will the gateway die?")
    gateway = opened.job.find("curc-llm gateway")
    gateway.kill()
    gateway.wait(10)
    wait_until(lambda: answers_at(opened.root + "/health"), what="the gateway's return")
    page.reload()
    check_is_there(page, "Will the gateway die?", seen)


def test_after_the_engine_was_killed(page: Page, opened: Opened) -> None:
    seen = watch_answer(page, "Will the engine die?")
    opened.job.find("fake_engine.py").kill()
    expect(page.locator("#curc-chat .curc-alert")).to_be_visible()
    check_is_there(page, "Will the engine die?", seen)
    page.reload()
    check_is_there(page, "Will the engine die?", seen)
    # The same question waits until the engine is back.
    page.get_by_role("button", name="Retry").last.click()
    expect(page.locator(".curc-versions")).to_have_text("‹2/2›")
    expect(answers(page).first).to_contain_text("word10 ")


# Last: it ends all pages of this browser.
def test_after_the_tab_was_killed(page: Page, window: Page, browser: Browser, opened: Opened) -> None:
    seen = watch_answer(page, "Will the tab die?")
    address, cookies = page.url, window.context.cookies()
    renderers = find_renderers(browser)
    with page.expect_event("crash"):
        for pid in renderers:
            kill(pid, signal.SIGKILL)
    again = open_window(browser)
    again.context.add_cookies(cookies)
    again.goto(address)
    check_is_there(again, "Will the tab die?", seen)
    expect(again.get_by_role("button", name="Continue the answer")).to_be_visible()
    again.context.close()
