"""How the page looks and sounds: widths, light and dark, keyboard, screen readers (WCAG 2.1 AA, axe-core)."""

from __future__ import annotations

import importlib.resources
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chat.conversation import answers, asides, ask_and_see, box, open_context, questions, save, send
from tests.fakes.chat_process import ChatProcess
from tests.fakes.fake_gateway import FakeGateway, Reply, make_engine, make_record

pytestmark = pytest.mark.browser

AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
VIEWS = {"wide": (1280, 800, "light"), "tablet": (800, 900, "dark"), "phone": (390, 800, "light")}
RICH = r"""# A heading

The mean is \(\bar{x}\), see [the page](https://example.com/x), and

\[ s^2 = \frac{1}{n-1} \sum_i (x_i - \bar{x})^2 \]

```python
def f(x: int) -> str:  # a comment
    return f"{x:.2f}" + "and a line that is a good deal longer than a phone's screen is wide, on and on"
```

| a | b | a column with a long name | and another one with a name |
|---|---|---|---|
| 1 | 2 | 3 | 4 |

- [ ] to do
- one
"""


def open_view(browser: Browser, site: FakeGateway, name: str) -> Iterator[Page]:
    width, height, scheme = VIEWS[name]
    context = open_context(browser, site, viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.goto(site.url())
    page.locator(".example").first.wait_for()
    expect(page.locator("html")).to_have_class("curc-settled")
    yield page
    context.close()


@pytest.fixture(params=list(VIEWS))
def view(request: pytest.FixtureRequest, browser: Browser, site: FakeGateway) -> Iterator[Page]:
    yield from open_view(browser, site, request.param)


@pytest.fixture
def wide(browser: Browser, site: FakeGateway) -> Iterator[Page]:
    yield from open_view(browser, site, "wide")


@pytest.fixture
def phone(browser: Browser, site: FakeGateway) -> Iterator[Page]:
    yield from open_view(browser, site, "phone")


def wait_till_moved(page: Page) -> None:
    """Until what slides or fades is where it belongs."""
    page.evaluate(
        "() => Promise.allSettled(document.getAnimations()"
        ".filter((one) => one instanceof CSSTransition).map((one) => one.finished))"
    )


def find_violations(page: Page) -> list[str]:
    """What axe-core finds; each with the rule, the element and why."""
    page.wait_for_timeout(400)  # names are given
    wait_till_moved(page)
    page.evaluate(AXE + "; 0")
    return list(
        page.evaluate(
            "async (levels) => (await axe.run({ runOnly: levels })).violations.flatMap((rule) =>"
            " rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 160)}: ${node.failureSummary}`))",
            LEVELS,
        )
    )


def open_side(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.slow
def test_axe_finds_nothing_in_the_conversation(view: Page, site: FakeGateway) -> None:
    assert find_violations(view) == []
    site.default = Reply(RICH, reasoning="Let me think. " * 20, hold_after=110, finish_reason="length")
    send(view, "Hi")
    expect(view.locator("pre code").first).to_be_visible()
    assert find_violations(view) == []
    site.release()
    expect(view.locator(".option")).to_be_visible()
    assert find_violations(view) == []
    view.get_by_role("button", name="Dislike").click()
    view.locator(".thought-group .title").first.click()
    assert find_violations(view) == []


@pytest.mark.slow
def test_axe_finds_nothing_in_sidebars_menus_and_dialogs(
    view: Page, site: FakeGateway, chat: ChatProcess
) -> None:
    site.record = make_record(base_url="http://node:8123/v1", ends_at=time.time() + 7200)
    save(chat, "One of the saved chats", days_ago=3)
    ask_and_see(view, "Hi")
    if not view.locator("#curc-shelf.open").count():
        open_side(view, "Chats")
    view.locator("#curc-chats summary").first.click()
    assert find_violations(view) == []
    view.get_by_role("button", name="Rename").click()
    assert find_violations(view) == []
    view.keyboard.press("Escape")
    view.get_by_placeholder("Search all chats").fill("Hello")
    expect(view.locator("#curc-chats mark").first).to_be_visible()
    assert find_violations(view) == []
    if view.locator("#curc-settings").bounding_box()["x"] < 1000 and view.viewport_size["width"] < 961:  # type: ignore[index]
        view.keyboard.press("Escape")
    open_side(view, "Settings")
    assert find_violations(view) == []
    view.get_by_role("tab", name="Session").click()
    expect(view.get_by_text("OpenAI-compatible endpoint")).to_be_visible()
    assert find_violations(view) == []
    view.get_by_role("button", name="This conversation as code").click()
    expect(view.locator("#curc-dialog pre")).to_contain_text("import")
    assert find_violations(view) == []


@pytest.mark.slow
def test_axe_finds_nothing_where_an_answer_is_edited_and_a_path_is_chosen(
    view: Page, chat: ChatProcess, tmp_path: Path
) -> None:
    save(chat, "Hi")
    ask_and_see(view, "Hi")
    view.get_by_role("button", name="Edit answer").click()
    field = view.get_by_role("dialog").get_by_role("textbox")
    field.fill(" ")
    field.press("Control+Enter")
    expect(view.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    assert find_violations(view) == []
    field.fill("Changed.")
    field.press("Control+Enter")
    expect(asides(view).last).to_contain_text("edited")
    assert find_violations(view) == []
    (tmp_path / "data.csv").write_text("a\n")
    (tmp_path / "deep").mkdir()
    view.get_by_label("Attach files").click()
    view.get_by_role("button", name="File on the cluster").click()
    path = view.get_by_role("combobox", name="File on the cluster")
    path.fill(f"{tmp_path}/")
    expect(view.get_by_role("option")).to_have_count(2)
    path.press("ArrowDown")
    assert find_violations(view) == []
    path.fill(f"{tmp_path}/none")
    view.get_by_role("button", name="Attach", exact=True).click()
    expect(view.get_by_role("dialog").get_by_role("alert")).to_contain_text("none")
    assert find_violations(view) == []


@pytest.mark.slow
def test_axe_finds_nothing_while_loading_warning_and_after_a_failure(view: Page, site: FakeGateway) -> None:
    site.record = make_record(engines=[make_engine(phase="loading", progress=0.4, ready_at=None)])
    expect(view.get_by_role("progressbar")).to_be_visible()
    send(view, "Early")
    expect(view.locator(".thought-group .title")).to_contain_text("Waiting for the model")
    assert find_violations(view) == []
    site.record = make_record(idle_stop_at=time.time() + 200)
    expect(answers(view)).to_have_text("Hello there.")
    expect(view.get_by_role("button", name="Keep going")).to_be_visible()
    assert find_violations(view) == []
    site.record = make_record(
        engines=[make_engine(phase="failed", trouble={"code": "oom", "message": "Full.", "remedy": "Less."})]
    )
    expect(view.get_by_role("alert")).to_contain_text("has stopped")
    assert find_violations(view) == []


def test_on_a_phone_the_sidebars_are_closed_and_lie_over_the_page(phone: Page) -> None:
    def across() -> tuple[float, float]:
        place = box(phone).bounding_box()
        assert place is not None
        return place["x"], place["width"]

    expect(phone.locator(".sidebar.open")).to_have_count(0)
    before = across()
    for name in ("Chats", "Settings"):
        open_side(phone, name)
        expect(phone.locator(".sidebar.open")).to_have_count(1)
        wait_till_moved(phone)
        assert across() == before
        phone.keyboard.press("Escape")
        expect(phone.locator(".sidebar.open")).to_have_count(0)
    open_side(phone, "Chats")
    wait_till_moved(phone)
    phone.mouse.click(370, 400)
    expect(phone.locator(".sidebar.open")).to_have_count(0)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_is_in_a_closed_sidebar_is_out_of_reach(wide: Page) -> None:
    expect(wide.locator("#curc-shelf.open")).to_have_count(1)
    expect(wide.get_by_label("System prompt", exact=True)).to_be_hidden()
    open_side(wide, "Settings")
    expect(wide.get_by_label("System prompt", exact=True)).to_be_visible()
    expect(wide.get_by_role("button", name="Settings", exact=True)).to_have_attribute("aria-expanded", "true")


def test_light_and_dark_follow_the_system(wide: Page) -> None:
    def background() -> str:
        return str(wide.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert background() == "rgb(255, 255, 255)"
    wide.emulate_media(color_scheme="dark")
    expect(wide.locator("body.dark")).to_have_count(1)
    assert background() == "rgb(20, 24, 31)"


def test_nothing_jumps_while_an_answer_streams(wide: Page, site: FakeGateway) -> None:
    empty = box(wide).bounding_box()
    site.default = Reply("word after word, " * 40, hold_after=2)
    send(wide, "Hi")
    expect(answers(wide)).to_have_text("word aft")
    places = [box(wide), questions(wide).first, answers(wide).first]
    tops = [round(place.bounding_box()["y"]) for place in places]  # type: ignore[index]
    site.release()
    expect(asides(wide).last).to_contain_text("first token")
    expect(wide.locator(".curc-meter")).to_be_visible()
    assert [round(place.bounding_box()["y"]) for place in places] == tops  # type: ignore[index]
    assert empty is not None
    assert tops[0] == round(empty["y"])


def test_a_screen_reader_hears_the_answer_once_when_it_is_done(wide: Page, site: FakeGateway) -> None:
    site.default = Reply("one two three", hold_after=2)
    log = wide.get_by_role("log").first
    send(wide, "Hi")
    expect(answers(wide)).to_have_text("one two")
    expect(log).to_have_attribute("aria-live", "off")
    expect(log).to_have_attribute("aria-busy", "true")
    expect(wide.locator("#curc-said")).to_have_text("The answer is being written.")
    site.release()
    expect(wide.locator("#curc-said")).to_have_text("Answer: one two three")
    expect(log).to_have_attribute("aria-live", "polite")


def test_the_title_says_what_goes_on(wide: Page, site: FakeGateway) -> None:
    site.default = Reply("one two three", hold_after=2)
    send(wide, "What is an SU?")
    expect(wide).to_have_title("… What is an SU?")
    site.release()
    expect(wide).to_have_title("What is an SU?")
    site.record = make_record(engines=[make_engine(phase="loading", ready_at=None)])
    expect(wide).to_have_title("Loading · What is an SU?")
    site.record = make_record(engines=[make_engine(phase="failed", ready_at=None)])
    expect(wide).to_have_title("Failed · What is an SU?")
    site.record = make_record(status="ended")
    expect(wide).to_have_title("Ended · What is an SU?")
    site.record = make_record()
    expect(wide).to_have_title("What is an SU?")


def test_the_icon_is_the_pages_own_and_can_be_drawn(wide: Page, site: FakeGateway) -> None:
    """It is in the page, so that nobody asks the portal's root for one; and it is an image."""
    asked: list[str] = []
    wide.on("request", lambda request: asked.append(request.url))
    icon = wide.locator("link[rel~=icon]")
    expect(icon).to_have_count(1)
    assert str(icon.get_attribute("href")).startswith("data:image/svg+xml,")
    size = wide.evaluate(
        """(href) => new Promise((done, fail) => {
            const image = new Image();
            image.onload = () => done([image.naturalWidth, image.naturalHeight]);
            image.onerror = () => fail(new Error("no image"));
            image.src = href;
        })""",
        icon.get_attribute("href"),
    )
    assert min(size) > 0
    wide.reload()
    expect(wide.locator(".example").first).to_be_visible()
    assert asked
    assert [url for url in asked if not url.startswith((site.url(), "data:"))] == []


def test_headings_of_an_answer_rank_below_the_pages_and_links_open_safely(
    wide: Page, site: FakeGateway
) -> None:
    site.default = Reply(RICH)
    send(wide, "Hi")
    expect(wide.locator("#curc-chat .message h1")).to_have_attribute("aria-level", "3")
    expect(wide.locator("#curc-title h1")).to_have_text("curc-guide")
    link = wide.get_by_role("link", name="the page")
    expect(link).to_have_attribute("target", "_blank")
    assert "noopener" in str(link.get_attribute("rel"))


def test_a_menu_at_the_lists_end_is_in_sight_and_goes_by_keyboard(wide: Page, chat: ChatProcess) -> None:
    for number in range(40):
        save(
            chat, f"Chat {number} with a title that is a good deal longer than the list is wide", days_ago=40
        )
    wide.reload()
    last = wide.locator("#curc-chats summary").last
    top = wide.get_by_role("button", name="New chat").bounding_box()
    last.scroll_into_view_if_needed()
    assert wide.get_by_role("button", name="New chat").bounding_box() == top
    expect(wide.get_by_placeholder("Search all chats")).to_be_in_viewport()
    last.focus()
    wide.keyboard.press("ArrowDown")
    expect(wide.get_by_role("button", name="Rename")).to_be_focused()
    wide.keyboard.press("ArrowUp")
    delete = wide.locator("details[open] [data-curc-do=delete]")
    expect(delete).to_be_focused()
    expect(delete).to_be_in_viewport(ratio=1)
    wide.keyboard.press("Escape")
    expect(delete).to_be_hidden()
    expect(last).to_be_focused()


def test_a_dragged_file_is_told_where_it_goes(wide: Page, tmp_path: Path) -> None:
    drag = (
        "(name) => { const data = new DataTransfer(); data.items.add(new File(['a,b'], 'data.csv'));"
        " document.body.dispatchEvent(new DragEvent(name,"
        " { dataTransfer: data, bubbles: true, cancelable: true })) }"
    )
    wide.evaluate(drag, "dragover")
    expect(wide.get_by_text("Drop files here")).to_be_visible()
    wide.evaluate(drag, "drop")
    expect(wide.get_by_text("Drop files here")).to_be_hidden()
    expect(wide.locator("#curc-chips")).to_contain_text("data.csv")


def test_reduced_motion_is_heeded(wide: Page, site: FakeGateway) -> None:
    wide.emulate_media(reduced_motion="reduce")
    site.record = make_record(engines=[make_engine(phase="loading", ready_at=None)])
    expect(wide.get_by_role("progressbar")).to_be_visible()
    duration = wide.locator(".curc-bar").evaluate("(bar) => getComputedStyle(bar).animationDuration")
    assert duration == "0.001s"
