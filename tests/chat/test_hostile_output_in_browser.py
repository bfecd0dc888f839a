"""Model output is hostile HTML on the portal's origin: none of it may run or fetch anything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from string import ascii_uppercase

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.fake_gateway import FakeGateway, Reply, make_engine
from tests.fakes.hostile_outputs import Listener, gather, load_hostile_outputs, name_culprits

pytestmark = pytest.mark.browser


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as found:
        yield found


def ask(page: Page, text: str = "Hi") -> None:
    # While an answer comes, Enter sends nothing and the text stays. By their places: a hostile text may say
    # that it is the box.
    expect(page.locator("#curc-message .submit-button")).to_be_visible()
    page.locator("#curc-message textarea").fill(text)
    page.locator("#curc-message textarea").press("Enter")


class Watch:
    """What a page did that it shouldn't have, and whose doing it was."""

    def __init__(self, page: Page, site: FakeGateway, listener: Listener) -> None:
        self.page = page
        self.entries = load_hostile_outputs(listener.url)
        self.small = [entry for entry in self.entries if not entry.is_large]
        self._listener = listener
        self._outside: list[str] = []
        root = (site.url(), "data:", "blob:")
        page.on("dialog", lambda dialog: (self._outside.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda r: None if r.url.startswith(root) else self._outside.append(r.url))

    def check(self) -> None:
        """Pokes at all that is shown, then asserts that nothing came of it."""
        self._address = self.page.evaluate("location.href")
        links = self.page.evaluate(POKE)
        self.page.wait_for_timeout(300)
        pwned = self.page.evaluate("window.pwned")
        traces = [*([] if pwned is None else [pwned]), *self._listener.visits, *self._outside]
        assert name_culprits(self.entries, traces) == []
        assert name_culprits(self.entries, self.page.evaluate(FIND, FORBIDDEN)) == []
        assert self.page.evaluate("location.href") == self._address
        assert {(target, rel) for _, target, rel in links} <= {("_blank", "noopener noreferrer")}
        assert len(links) > 5


# Gradio's own buttons in a message copy code; nothing else may be there that does, loads or looks like ours.
FORBIDDEN = (
    "script, iframe, form, style, object, embed, video, audio, base, link, meta, img, picture, "
    "input:not([type=checkbox][disabled]), textarea, template, slot, dialog, select, gradio-app, svg, "
    "[id], [name], [src], [srcset], [background], "
    "[contenteditable], [autofocus], [accesskey], [data-curc-do], [data-curc-value], [class*=curc-], "
    "[onclick], [onerror], [onload], [onmouseover], [onfocus]"
)
FIND = """(forbidden) => {
    const found = [];
    for (const message of document.querySelectorAll("[data-testid=bot], [data-testid=user]"))
        for (const element of message.querySelectorAll(forbidden)) {
            if (element.closest("button, .katex svg")) continue;
            const before = document.createRange();
            before.setStart(message, 0);
            before.setEndBefore(element);
            const numbers = before.toString().match(/E\\d+:/g) ?? ["before the first"];
            found.push(numbers.at(-1) + " " + element.outerHTML.slice(0, 200));
        }
    return found;
}"""
# Points at everything, then clicks it, but for links to elsewhere, which would open windows.
POKE = """() => {
    const found = [];
    for (const element of document.querySelectorAll("[data-testid=bot] *, [data-testid=user] *")) {
        for (const name of ["mouseover", "mouseenter", "pointerover"])
            element.dispatchEvent(new MouseEvent(name, { bubbles: true }));
        element.dispatchEvent(new Event("toggle"));
        const link = element.closest("a[href]");
        if (link && link.origin !== location.origin && link.protocol.startsWith("http")) {
            if (link === element) found.push([link.protocol, link.target, link.rel]);
        } else if (!element.closest("button")) element.click?.();
    }
    return found;
}"""


@pytest.mark.slow
def test_nothing_of_hostile_output_runs_or_is_fetched(
    page: Page, site: FakeGateway, listener: Listener
) -> None:
    watch = Watch(page, site, listener)
    for number, whole in enumerate(gather(watch.small, 25)):
        end = f"whole-{ascii_uppercase[number]}-whole"
        site.default = Reply(f"{whole}\n\n{end}", reasoning=whole, piece_chars=200)
        ask(page, f"{number}\n\n{whole}")
        expect(page.locator("[data-testid=bot]").get_by_text(end)).to_be_visible()
    for title in page.locator(".thought-group .title").all():
        title.click()
    expect(page.get_by_text("Log in").first).to_be_visible()
    watch.check()
    # What a link opens is a window without an address, which the browser blocks.
    others = [other for other in page.context.pages if other != page]
    assert {other.url for other in others} <= {"about:blank", "about:blank#blocked"}
    for other in others:
        other.close()


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


def test_models_with_hostile_names_are_text(page: Page, site: FakeGateway, listener: Listener) -> None:
    watch = Watch(page, site, listener)
    # The list shows a hundred at most.
    names = [entry.markdown for entry in watch.small if "\0" not in entry.markdown][-90:]
    site.record["engines"] = [make_engine(served_model_name=name) for name in names]
    page.reload()
    expect(page.locator("h1")).to_have_text(names[0])
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Model", exact=True).click()
    expect(page.get_by_role("option")).to_have_count(len(names))
    assert page.locator("#curc-top, #curc-settings").locator(":is(script, img, iframe, form)").count() == 0
    assert page.evaluate("window.pwned") is None
    assert listener.visits == []


@pytest.mark.soak
def test_giants_dont_stop_the_page(page: Page, site: FakeGateway, listener: Listener) -> None:
    # Every sixth: a giant takes Gradio's Markdown up to 25 s on a busy machine.
    giants = [entry for entry in Watch(page, site, listener).entries if entry.is_large][::6]
    for entry in giants:
        site.default = Reply(entry.markdown + "\n\nEND", piece_chars=len(entry.markdown) // 2 + 1)
        ask(page)
        # In the conversation's own markup, not by what is visible: a hundred thousand characters are below.
        wait_until_whole(page)
        page.evaluate("document.querySelector('.curc-new').click()")
        expect(page.locator(".example").first).to_be_visible()
    assert len(giants) > 5
    assert page.evaluate("window.pwned") is None


def wait_until_whole(page: Page) -> None:
    """The page's policy forbids what `page.wait_for_function` does with a text."""
    deadline = time.monotonic() + GIANT_S
    while not page.evaluate(IS_WHOLE):
        assert time.monotonic() < deadline, "the answer isn't there"
        page.wait_for_timeout(100)


# No figure is claimed by it: on a busy machine Gradio's own Markdown takes 25 s for a giant line of code.
GIANT_S = 120
IS_WHOLE = """!!document.querySelector(".submit-button")
    && document.querySelector(".bot")?.textContent.includes("END")"""


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
