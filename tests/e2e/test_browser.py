"""The chat answers in a real browser, through the real gateway, from the link that the demo prints."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Running
from tests.e2e.questions import FIRST

pytestmark = [pytest.mark.engine, pytest.mark.browser]


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
    page.wait_for_url("**/chat/**", timeout=30_000)
    return asked


def test_the_chat_answers_a_question_word_for_word(page: Page, running: Running) -> None:
    asked = log_in(page, running)
    box = page.get_by_role("textbox", name="Message").first
    expect(box).to_be_visible(timeout=30_000)
    box.fill(FIRST["question"])
    box.press("Enter")
    expect(page.locator("body")).to_contain_text(
        FIRST["answer"].split(".")[0].replace("`", ""), timeout=30_000
    )
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {running.root.split("//")[1]}
    assert "token" not in page.url
    assert all("token=" not in url.split("#")[0] for url in asked)


def test_a_login_link_works_once(page: Page, running: Running) -> None:
    link = running.person.run("endpoint", "--login-link").stdout.strip()
    page.goto(link)
    page.wait_for_url("**/chat/**", timeout=30_000)
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
