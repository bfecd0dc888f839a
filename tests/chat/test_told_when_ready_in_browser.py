"""A person who waits for the model elsewhere is told by the browser when it is ready, if they asked."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.chat.conversation import open_tab
from tests.fakes.fake_gateway import FakeGateway, make_engine, make_record

pytestmark = pytest.mark.browser
# Headless Chromium shows no notices, and takes each page for visible.
NOTE = """() => {
    window.notices = [];
    window.Notification = class {
        static requestPermission() { return Promise.resolve(window.answer ?? "granted"); }
        constructor(title, options) { window.notices.push([title, options.body]); }
    };
}"""
GO_AWAY = "() => Object.defineProperty(document, 'hidden', { configurable: true, get: () => window.isAway })"


def load(site: FakeGateway) -> None:
    engine = make_engine(phase="loading", progress=0.4, ready_at=None)
    site.record = make_record(status="starting", engines=[engine])


def test_the_browser_tells_once_when_the_model_is_ready(page: Page, site: FakeGateway) -> None:
    load(site)
    page.reload()
    expect(page.locator("#curc-title")).to_contain_text("oading")
    page.evaluate(NOTE)
    page.evaluate(GO_AWAY)
    open_tab(page, "Session")
    ask = page.locator("[data-curc-act=notify]")
    page.evaluate("window.answer = 'denied'")
    ask.click()
    expect(ask).to_have_text("Your browser doesn't allow it")
    page.evaluate("window.answer = 'granted'")
    ask.click()
    expect(ask).to_have_text("You will be told while this page is open")
    page.evaluate("window.isAway = true")
    site.record = make_record()
    expect(page.locator("#curc-title")).to_contain_text("ready")
    page.wait_for_timeout(1200)  # the page looks once more
    assert page.evaluate("window.notices") == [["The model is ready", "curc-guide"]]
