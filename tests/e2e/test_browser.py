"""The chat answers in a real browser, through the real gateway, from the link that the demo prints."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Running, wait_until
from tests.e2e.questions import FIRST

pytestmark = [pytest.mark.engine, pytest.mark.browser]
ANSWER = "#curc-chat [data-testid=bot] > .message-content"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    yield context.new_page()
    context.close()


def log_in(page: Page, running: Running) -> list[str]:
    """Opens a fresh login link; returns the addresses that the page asks for from then on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(running.person.run("endpoint", "--login-link").stdout.strip())
    page.wait_for_url("**/chat/**", timeout=60_000)
    return asked


def ask(page: Page, text: str) -> None:
    """Sends a message in the chat."""
    box = page.get_by_label("Your message")
    expect(box).to_be_visible(timeout=60_000)
    box.fill(text)
    box.press("Enter")


def is_well(running: Running) -> bool:
    """Whether engine and chat answer again."""
    if running.record()["engines"][0]["phase"] != "ready":
        return False
    try:
        return urllib.request.urlopen(running.root + "/health", timeout=5).status == 200
    except OSError:
        return False


def test_the_chat_answers_a_question_word_for_word(page: Page, running: Running) -> None:
    asked = log_in(page, running)
    ask(page, FIRST["question"])
    expect(page.locator("body")).to_contain_text(
        FIRST["answer"].split(".")[0].replace("`", ""), timeout=60_000
    )
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {running.root.split("//")[1]}
    assert "token" not in page.url
    assert all("token=" not in url.split("#")[0] for url in asked)


def test_after_a_reload_the_conversation_is_there(page: Page, running: Running) -> None:
    log_in(page, running)
    ask(page, FIRST["question"])
    answer = page.locator(ANSWER)
    expect(answer).to_contain_text(FIRST["answer"].split(".")[0].replace("`", ""), timeout=60_000)
    expect(page.get_by_role("button", name="Send")).to_be_visible(timeout=60_000)
    told = answer.inner_text()
    page.reload()
    expect(answer).to_have_text(told, timeout=60_000, use_inner_text=True)


def test_what_was_seen_is_there_after_the_gateway_was_killed_in_the_middle(
    page: Page, running: Running
) -> None:
    log_in(page, running)
    process = running.find_process("curc-llm gateway")
    ask(page, FIRST["question"])
    answer = page.locator(ANSWER)
    expect(answer).not_to_be_empty(timeout=60_000)
    seen = answer.inner_text().strip()
    page.wait_for_timeout(100)
    process.kill()
    wait_until(lambda: is_well(running), 240, "the session's return")
    page.reload()
    expect(answer).to_contain_text(seen, timeout=60_000, use_inner_text=True)
    expect(page.locator("#curc-chats .curc-open").first).to_contain_text(FIRST["question"][:20])


def test_a_login_link_works_once(page: Page, running: Running) -> None:
    link = running.person.run("endpoint", "--login-link").stdout.strip()
    page.goto(link)
    page.wait_for_url("**/chat/**", timeout=60_000)
    page.context.clear_cookies()
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator("body")).to_contain_text("curc-llm endpoint", timeout=15_000)
    assert "/login" in page.url


def test_without_a_login_the_chat_says_how_to_get_in(page: Page, running: Running) -> None:
    answer = page.goto(running.facts["chat_url"])
    assert answer is not None
    assert answer.status == 401
    expect(page.locator("body")).to_contain_text("curc-llm endpoint")


def test_the_status_page_shows_the_model_and_stays_fresh(page: Page, running: Running) -> None:
    log_in(page, running)
    page.goto(running.root + "/status")
    expect(page.locator("body")).to_contain_text("curc-guide")
    expect(page.locator("body")).to_contain_text("eady")
    with page.expect_response("**/status", timeout=10_000) as answer:
        assert answer.value.status == 200
