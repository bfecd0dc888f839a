"""Model output is hostile HTML on the portal's origin: none of it may run or fetch anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.fake_gateway import FakeGateway, Reply
from tests.fakes.hostile_outputs import Listener, load_hostile_outputs

pytestmark = pytest.mark.browser


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as found:
        yield found


def ask(page: Page, text: str = "Hi") -> None:
    # While an answer comes, Enter sends nothing and the text stays.
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.get_by_label("Your message").fill(text)
    page.get_by_label("Your message").press("Enter")


def test_nothing_of_hostile_output_runs_or_is_fetched(
    page: Page, site: FakeGateway, listener: Listener
) -> None:
    dialogs: list[str] = []
    outside: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    root = (site.url(), "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(root) else outside.append(r.url))
    for number, whole in enumerate(list_answers(listener.url)):
        site.default = Reply(f"{whole}\n\nEND {number}.", reasoning=whole)
        ask(page)
        expect(page.locator("[data-testid=bot]").get_by_text(f"END {number}.")).to_be_visible()
    for title in page.locator(".thought-group .title").all():
        title.click()
    expect(page.get_by_text("Log in").first).to_be_visible()
    page.evaluate(
        """for (const element of document.querySelectorAll("[data-testid=bot] *")) {
            element.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
            if (element.tagName === "A" && !element.href.startsWith("http")) element.click();
        }"""
    )
    assert page.evaluate("window.pwned") is None
    assert (listener.visits, dialogs, outside) == ([], [], [])
    found = page.locator("[data-testid=bot]").locator(":is(" + FORBIDDEN + ")")
    assert [element.evaluate("e => e.outerHTML") for element in found.all()] == []


def list_answers(evil: str, size: int = 14) -> list[str]:
    """A few long answers that hold them all but those that are about size."""
    texts = [entry.markdown for entry in load_hostile_outputs(evil) if not entry.is_large]
    return ["\n\n".join(texts[i : i + size]) for i in range(0, len(texts), size)]


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


def test_what_got_past_every_filter_would_still_be_stopped_by_the_policy(
    page: Page, listener: Listener
) -> None:
    attacks = {name: html.replace("EVIL", listener.url) for name, html in ATTACKS.items()}
    blocked = {name: page.evaluate(ATTEMPT, html) for name, html in attacks.items()}
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
    assert listener.visits == []


def test_the_page_cant_be_framed_by_others(page: Page, site: FakeGateway) -> None:
    answer = page.request.get(site.url())
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'nonce-" in policy
