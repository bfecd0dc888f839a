"""Model output is hostile HTML on the portal's origin: none of it may run or fetch anything."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.fake_gateway import FakeGateway, Reply

pytestmark = pytest.mark.browser


class Evil(socketserver.ThreadingTCPServer):
    """A listener that nobody should ever connect to."""

    # Chromium may open a connection ahead of a request that is then refused; only what is sent counts.
    block_on_close = False
    daemon_threads = True
    visits: ClassVar[list[bytes]] = []


class EvilHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        if sent := self.request.recv(200):
            Evil.visits.append(sent)


@pytest.fixture
def evil() -> Iterator[str]:
    Evil.visits.clear()
    with Evil(("127.0.0.1", 0), EvilHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def payloads(evil: str) -> list[str]:
    run = "window.pwned=1"
    data = "data:text/html,<script>parent.pwned=1</script>"
    return [
        f"<script>{run}</script>",
        f'<script src="{evil}/a.js"></script>',
        f'<img src="x" onerror="{run}">',
        f'<img src="{evil}/a.png">',
        f"![x]({evil}/b.png)",
        f"![x][r]\n\n[r]: {evil}/c.png",
        f"[click](javascript:{run})",
        f"<a href='javascript:{run}'>click</a>",
        f"<javascript:{run}>",
        f"[click]({data})",
        f'<svg onload="{run}"><image href="{evil}/d.png"/></svg>',
        f'<iframe src="{evil}/e"></iframe><iframe srcdoc="<script>parent.pwned=1</script>"></iframe>',
        f'<object data="{evil}/f"></object><embed src="{evil}/g">',
        f'<form action="{evil}/h"><button>Log in</button></form>',
        f"<style>body{{background:url({evil}/i.png)}}</style>",
        f'<link rel="stylesheet" href="{evil}/j.css"><meta http-equiv="refresh" content="0;url={evil}/k">',
        f'<div style="background:url({evil}/l.png)" onmouseover="{run}">x</div>',
        f"<details open ontoggle={run}>x</details>",
        f'<video src="{evil}/m" autoplay onloadstart="{run}"></video><audio src="{evil}/n"></audio>',
        f"$\\href{{javascript:{run}}}{{x}} \\includegraphics{{{evil}/o.png}}$",
        f"$$<img src=x onerror={run}>$$",
        f"```html\n<img src=x onerror={run}>\n```",
        f'```" onmouseover="{run}\n<img src=x onerror={run}>\n```',
        f'```mermaid\ngraph TD; A[<img src=x onerror={run}>]-->B; click A href "javascript:{run}"\n```',
        f"<br/><img src=x onerror={run}>`<img src=x onerror={run}>`",
        f"%%%LATEX_BLOCK_0%%% $<svg onload={run}>$",
        f"<base href='{evil}/'>",
    ]


def ask(page: Page, text: str = "Hi") -> None:
    page.get_by_label("Your message").fill(text)
    page.get_by_label("Your message").press("Enter")


def test_nothing_of_hostile_output_runs_or_is_fetched(page: Page, site: FakeGateway, evil: str) -> None:
    dialogs: list[str] = []
    outside: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    root = (site.url(), "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(root) else outside.append(r.url))
    whole = "\n\n".join(payloads(evil))
    site.default = Reply(whole + "\n\nTHE END", reasoning=whole)
    ask(page)
    expect(page.get_by_text("THE END")).to_be_visible()
    page.locator(".thought-group .title").first.click()
    expect(page.get_by_text("Log in").first).to_be_visible()
    page.evaluate(
        """for (const element of document.querySelectorAll("[data-testid=bot] *")) {
            element.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
            if (element.tagName === "A" && !element.href.startsWith("http")) element.click();
        }"""
    )
    assert page.evaluate("window.pwned") is None
    assert Evil.visits == []
    assert dialogs == []
    assert outside == []
    found = page.locator("[data-testid=bot]").locator(":is(" + FORBIDDEN + ")")
    assert [element.evaluate("e => e.outerHTML") for element in found.all()] == []


FORBIDDEN = "script, iframe, form, style, object, embed, video, audio, base, link, meta, img"


def test_a_link_to_script_leads_nowhere(page: Page, site: FakeGateway) -> None:
    site.default = Reply("[bad](javascript:window.pwned=1) [good](https://example.org/x)")
    ask(page)
    good = page.get_by_role("link", name="good")
    expect(good).to_have_attribute("href", "https://example.org/x")
    expect(good).to_have_attribute("rel", "noopener noreferrer")
    for link in page.locator("[data-testid=bot] a").all():
        assert not (link.get_attribute("href") or "").startswith("javascript")


def test_a_persons_own_html_is_shown_as_text(page: Page) -> None:
    ask(page, "<img src=x onerror=window.pwned=1> List<int>")
    expect(page.locator("[data-testid=user]")).to_contain_text("List<\u2063int>")
    assert page.evaluate("window.pwned") is None


def test_a_model_name_is_no_html(page: Page, site: FakeGateway) -> None:
    site.record["engines"][0]["served_model_name"] = "<img src=x onerror=window.pwned=1>"
    page.reload()
    expect(page.locator("h1")).to_have_text("<img src=x onerror=window.pwned=1>")
    assert page.evaluate("window.pwned") is None


ATTACKS = {
    "handler": "<img src=x onerror=window.pwned=1>",
    "image": '<img src="EVIL/a.png">',
    "frame": '<iframe src="EVIL/b"></iframe>',
    "form": '<form action="EVIL/c"><input type=submit class=go></form>',
    "inner page": '<iframe srcdoc="<script>top.pwned=1</script>"></iframe>',
    "script link": '<a href="javascript:window.pwned=1" class=go>x</a>',
    "style": '<p style="background: url(EVIL/d.png)">x</p>',
}


ATTEMPT = """async (html) => {
    const blocked = new Promise((resolve) =>
        document.addEventListener(
            "securitypolicyviolation", (e) => resolve(e.violatedDirective), { once: true }));
    const late = new Promise((resolve) => setTimeout(resolve, 1500, "nothing"));
    const place = document.createElement("div");
    document.body.append(place);
    place.innerHTML = html;
    place.querySelector(".go")?.click();
    const directive = await Promise.race([blocked, late]);
    place.remove();
    return directive;
}"""


def test_what_got_past_every_filter_would_still_be_stopped_by_the_policy(page: Page, evil: str) -> None:
    blocked = {name: page.evaluate(ATTEMPT, html.replace("EVIL", evil)) for name, html in ATTACKS.items()}
    assert blocked == {
        "handler": "script-src-attr",
        "image": "img-src",
        "frame": "frame-src",
        "form": "form-action",
        "script link": "script-src-elem",
        "style": "img-src",
        # An inner page reports to itself.
        "inner page": "nothing",
    }
    assert page.evaluate("window.pwned") is None
    assert Evil.visits == []


def test_the_page_cant_be_framed_by_others(page: Page, site: FakeGateway) -> None:
    answer = page.request.get(site.url())
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'nonce-" in policy
