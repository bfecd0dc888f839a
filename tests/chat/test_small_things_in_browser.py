"""Things that only annoy: what covers what, what comes back, what a screen reader hears by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from curc_llm.chat.markup import MARK
from tests.chat.conversation import answers, asides, ask_and_see, chats, questions, send, told
from tests.fakes.fake_gateway import FakeGateway, Reply

pytestmark = pytest.mark.browser

# What lies uppermost at the middle of each element: the element itself, or what covers it.
ARE_UPPERMOST = """(elements) => elements.map((element) => {
    const box = element.getBoundingClientRect();
    const found = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return Boolean(found) && (element.contains(found) || found.contains(element));
})"""
CONTROLS = (
    "#curc-chips .curc-chip-remove, #curc-message button, #curc-message textarea, #curc-attach-slot summary"
)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (800, 900), (390, 800)])
def test_what_is_told_covers_nothing_that_is_used(
    page: Page, tmp_path: Path, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    files = []
    for number in range(5):
        (tmp_path / f"program-{number}").write_bytes(b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)) * 8)
        (tmp_path / f"fine-{number}.txt").write_text("fine")
        files += [tmp_path / f"program-{number}", tmp_path / f"fine-{number}.txt"]
    page.locator("#curc-composer input[type=file]").set_input_files(files)
    expect(page.locator("#curc-chips .curc-chip")).to_have_count(5)
    expect(told(page)).to_have_count(3)
    expect(told(page).last).to_contain_text("program-4")
    assert all(page.locator(CONTROLS).evaluate_all(ARE_UPPERMOST))
    assert page.locator(CONTROLS).count() >= 8
    expect(told(page).last).to_be_in_viewport()
    page.get_by_role("button", name="Remove fine-4.txt").click()
    expect(page.locator("#curc-chips .curc-chip")).to_have_count(4)


def test_the_list_of_chats_comes_back_when_the_window_is_wide_again(page: Page) -> None:
    is_open = page.locator("#curc-shelf.open")
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(is_open).to_have_count(1)
    page.set_viewport_size({"width": 700, "height": 800})
    expect(is_open).to_have_count(0)
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(is_open).to_have_count(1)
    # Who closed it meant it.
    page.get_by_role("button", name="Chats", exact=True).click()
    expect(is_open).to_have_count(0)
    page.set_viewport_size({"width": 700, "height": 800})
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.locator("#curc-settings.open")).to_have_count(0)
    expect(is_open).to_have_count(0)


def test_where_a_question_is_edited_there_are_no_invisible_signs(page: Page, site: FakeGateway) -> None:
    text = "Is <b> or ![a](b) right, and $x_1$?"
    ask_and_see(page, text)
    page.get_by_role("button", name="Edit", exact=True).click()
    field = page.locator(".edit-textarea")
    expect(field).to_have_value(text)
    field.press("End")
    field.press_sequentially(" Yes?")
    field.press("Enter")
    site.wait_for(lambda g: g.requests[-1]["messages"] == [{"role": "user", "content": f"{text} Yes?"}])
    expect(questions(page)).to_contain_text(["Yes?"])


def test_a_screen_reader_hears_no_stopwatch_of_gradios(page: Page, site: FakeGateway) -> None:
    site.default = Reply("one two three", hold_after=2)
    send(page, "Hi")
    expect(answers(page)).to_have_text("one two")
    trackers = page.locator('[data-testid="status-tracker"]')
    shown = trackers.evaluate_all("(all) => all.map((one) => getComputedStyle(one).display)")
    assert set(shown) == {"none"}
    site.release()
    expect(answers(page)).to_have_text("one two three")
    expect(chats(page)).to_have_count(1)


def test_an_image_by_name_and_one_in_a_link_are_shown_as_what_was_written(
    page: Page, site: FakeGateway
) -> None:
    words = "See ![the plot][p] and [![badge](b.svg)](https://example.com/c)."
    site.default = Reply(f"{words}\n\n[p]: https://example.com/p.png")
    send(page, "Hi")
    expect(asides(page)).to_contain_text("first token")
    shown = answers(page).inner_text().replace(MARK, "").strip()
    assert shown.splitlines()[0] == "See ![the plot][p] and ![badge](b.svg)."
    assert shown.splitlines()[-1] == "[p]: https://example.com/p.png"
    links = [link.replace(MARK, "") for link in page.locator("#curc-chat .bot a").all_inner_texts()]
    assert links == ["![badge](b.svg)", "https://example.com/p.png"]


def test_the_browser_has_nothing_to_complain_of(page: Page, site: FakeGateway) -> None:
    said: list[str] = []
    page.on(
        "console", lambda message: said.append(message.text) if message.type in ("warning", "error") else None
    )
    site.default = Reply("one two three", reasoning="Hm, well", hold_after=5)
    send(page, "Hi")
    expect(answers(page)).to_contain_text("one")
    site.release()
    expect(answers(page)).to_have_text("one two three")
    expect(asides(page).last).to_contain_text("first token")
    asides(page).last.click()
    expect(page.get_by_text("Prompt:")).to_be_visible()
    assert said == []


def test_an_empty_page_is_read_from_its_beginning_in_a_low_window(page: Page) -> None:
    """As with the browser's zoom at 200 %."""
    page.set_viewport_size({"width": 640, "height": 450})
    page.reload()
    expect(page.locator(".example").first).to_be_visible()
    expect(page.get_by_role("heading", name="What can I help with?")).to_be_in_viewport()
