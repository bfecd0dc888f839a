"""A growing answer is followed to its end, unless the person reads back; the end brings them along again."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.chat.conversation import asides, send
from tests.fakes.fake_gateway import FakeGateway, Reply

pytestmark = pytest.mark.browser
LINES = "\n\n".join(f"Line {number}." for number in range(300))
AT_ONCE = 400
BOX = "#curc-chat .bubble-wrap"
LEFT = "(box) => box.scrollHeight - box.scrollTop - box.clientHeight"


def left_px(page: Page) -> float:
    """How far it is to the end of the conversation, in pixels."""
    return float(page.locator(BOX).evaluate(LEFT))


def top_px(page: Page) -> float:
    return float(page.locator(BOX).evaluate("(box) => box.scrollTop"))


def turn_wheel(page: Page, down_px: int) -> None:
    """Returns once the conversation has gone, and stands still."""
    page.locator(BOX).hover()
    before = top_px(page)
    page.mouse.wheel(0, down_px)
    wait_for(page, lambda: top_px(page) != before)
    wait_for_rest(page)


def wait_for_rest(page: Page) -> None:
    """Until nothing has moved for 300 ms."""
    tops = [top_px(page)]
    while len(tops) < 4 or len(set(tops[-4:])) > 1:
        page.wait_for_timeout(100)
        tops.append(top_px(page))


def wait_for(page: Page, is_so: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"{top_px(page)} px from the top, {left_px(page)} px from the end"
        page.wait_for_timeout(50)


def ask_half(page: Page, site: FakeGateway, text: str) -> None:
    """Asks; half of the answer has come, and the page shows its end."""
    site.hold()
    num_pieces = len(LINES) // AT_ONCE // 2
    last_whole = LINES[: AT_ONCE * num_pieces].split("\n\n")[-2]
    site.default = Reply(LINES, piece_chars=AT_ONCE, hold_after=num_pieces)
    send(page, text)
    expect(page.locator("#curc-chat .bot-row").last).to_contain_text(last_whole)
    wait_for(page, lambda: left_px(page) < 80)
    wait_for_rest(page)


def come_to_the_end(page: Page, site: FakeGateway, count: int) -> None:
    site.release()
    expect(page.locator("#curc-chat .bot-row").last).to_contain_text("Line 299.")
    expect(asides(page)).to_have_count(count)
    wait_for_rest(page)


def test_who_reads_back_stays_there_and_who_comes_to_the_end_follows_again(
    page: Page, site: FakeGateway
) -> None:
    ask_half(page, site, "Many lines, please")
    turn_wheel(page, -700)
    place = top_px(page)
    assert left_px(page) > 500
    come_to_the_end(page, site, 1)
    assert top_px(page) == pytest.approx(place, abs=2)
    assert left_px(page) > 2000

    # Who asks sees the answer come, wherever they were before.
    ask_half(page, site, "Once more")
    turn_wheel(page, -700)
    assert left_px(page) > 500
    turn_wheel(page, 5000)
    come_to_the_end(page, site, 2)
    assert left_px(page) < 80


def test_what_gets_shorter_and_longer_at_once_is_nobody_who_reads_back(page: Page, site: FakeGateway) -> None:
    ask_half(page, site, "Many lines, please")
    page.evaluate("""() => {
        const box = document.querySelector("#curc-chat .bubble-wrap");
        const content = box.querySelector(".message-wrap");
        content.querySelector(".user-row").style.display = "none";
        box.scrollTop; // the browser has gone up with it
        content.style.paddingBottom = "900px";
    }""")
    wait_for(page, lambda: left_px(page) < 80)
    come_to_the_end(page, site, 1)
    assert left_px(page) < 80
