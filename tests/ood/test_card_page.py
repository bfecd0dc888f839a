"""The card in Chromium: what is open stays open, plain http copies, a strict policy hurts nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.ood.card_bench import Card, make_engine, make_record
from tests.ood.template_bench import make_app

pytestmark = [pytest.mark.slow, pytest.mark.browser]
# As the portal's with csp_enabled.
STRICT = "default-src 'self'; script-src 'nonce-portal'; style-src 'self' 'nonce-portal'"
# The portal draws cards by innerHTML, then makes each script anew so that it runs (setInnerHTML of 4.2.3).
PORTAL = """<!doctype html><meta charset="utf-8"><body><div id="cards"></div><script nonce="portal">
function draw(html) {
  const at = document.getElementById("cards");
  at.innerHTML = html;
  at.querySelectorAll("script").forEach(old => {
    const made = document.createElement("script");
    made.textContent = old.textContent;
    old.replaceWith(made);
  });
}
document.addEventListener("copy", () => { window.copied = getSelection().toString(); });
</script>"""


class Handler(BaseHTTPRequestHandler):
    """Serves the portal's page, with or without its content security policy."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        if self.path == "/strict":
            self.send_header("Content-Security-Policy", STRICT)
        self.end_headers()
        self.wfile.write(PORTAL.encode())

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """An address without https; a name, so that it isn't the secure context that 127.0.0.1 is."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://portal.test:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two sessions' ways in, on one page."""
    home = tmp_path_factory.mktemp("home")
    app = make_app(home / "app")
    drawn = []
    for index in range(2):
        card = Card(home / str(index), app)
        if index:
            card.staged = card.staged.rename(card.staged.with_name("3d0c9b11-1111-4222-8333-123456789abc"))
        ready = make_engine(phase="ready", ready_at=time.time(), served_model_name=f"model-{index}")
        card.begin(make_record(status="ready", engines=(ready,)))
        card.connect()
        drawn.append(card.draw("running")["view"])
    return drawn


def show(tab: Page, address: str, views: list[str]) -> partial[None]:
    tab.goto(address)
    draw = partial(tab.evaluate, "html => draw(html)", "".join(views))
    draw()
    return draw


def await_noted(tab: Page) -> None:
    """Returns once the page has noted what is open: browsers tell of it a moment after the click."""
    tab.wait_for_function("""() => [...document.querySelectorAll("details[data-llm-keep]")].every(
        box => box.open === (sessionStorage.getItem("curc-llm:" + box.id) === "open"))""")


def test_what_is_open_stays_open_when_the_card_is_drawn_anew(tab: Page, base: str, views: list[str]) -> None:
    draw = show(tab, base, views)
    second = tab.locator(".curc-llm").nth(1)
    second.locator("summary", has_text="Python").click()
    second.locator("summary", has_text="API key").click()
    await_noted(tab)
    for _ in range(3):
        draw()
    opened = tab.locator("details[open] > summary").all_inner_texts()
    assert opened == ["API key", "Python"]
    second.locator("summary", has_text="curl").click()  # one example at a time
    await_noted(tab)
    draw()
    assert tab.locator("details[open] > summary").all_inner_texts() == ["API key", "curl"]
    assert not tab.locator(".curc-llm").nth(0).locator("details[open]").count()


@pytest.mark.parametrize("button", ["endpoint", "model", "key", "code-curl", "code-python", "code-tunnel"])
def test_each_copy_button_copies_its_field_without_https(
    tab: Page, base: str, views: list[str], button: str
) -> None:
    draw = show(tab, base, views)
    draw()  # handlers are bound once, however often a card is drawn
    assert not tab.evaluate("window.isSecureContext")
    card = tab.locator(".curc-llm").nth(1)
    card.locator("details").evaluate_all("all => all.forEach(d => d.removeAttribute('name'))")
    card.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
    tab.evaluate("window.copied = ''")
    one = card.locator(f"[data-llm-copy$='-{button}']")
    one.click()
    wanted = tab.evaluate(
        "id => { const e = document.getElementById(id); return e.value ?? e.textContent; }",
        one.get_attribute("data-llm-copy"),
    )
    assert wanted
    assert tab.evaluate("window.copied") == wanted
    assert one.inner_text() == "Copied"


def test_under_a_policy_without_scripts_all_can_still_be_selected(
    tab: Page, base: str, views: list[str]
) -> None:
    said: list[str] = []
    tab.on("pageerror", lambda error: said.append(str(error)))
    show(tab, f"{base}/strict", views)
    card = tab.locator(".curc-llm").nth(0)
    assert not card.locator("[data-llm-copy]:visible").count()
    card.locator("summary", has_text="API key").click()
    key = card.locator("input[id$='-key']")
    assert key.is_visible()
    assert str(key.input_value()).startswith("curc-K")
    card.locator("summary", has_text="Notebook").click()
    assert card.locator("pre[id$='-code-notebook']").is_visible()
    assert card.locator("button", has_text="Open chat").is_enabled()
    assert said == []


def test_everything_is_reached_with_the_keyboard_and_has_a_name(
    tab: Page, base: str, views: list[str]
) -> None:
    show(tab, base, views[:1])
    tab.locator("button", has_text="Open chat").focus()
    reached = []
    for _ in range(20):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.id.split('-').slice(6).join('-')"))
    wanted = [
        "endpoint",
        "copy-endpoint",
        "model",
        "copy-model",
        "key-box-title",
        "tab-curl-title",
        "tab-tunnel-title",
    ]
    assert [name for name in wanted if name in reached] == wanted
    unnamed = tab.locator("button, input:not([type=hidden]), summary").evaluate_all(
        """all => all.filter(e =>
            !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim())).length"""
    )
    assert unnamed == 0
