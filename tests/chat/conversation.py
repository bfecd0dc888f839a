"""What a person does and sees on the chat page."""

from __future__ import annotations

import contextlib
import re
import time
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    TimeoutError,  # noqa: A004 - Playwright's own
    expect,
)

from curc_llm.chats.store import ChatStore
from tests.fakes.chat_process import ChatProcess
from tests.fakes.fake_gateway import OWNER, FakeGateway

DAY_S = 86400
# A closed side panel stands beside the window, or is hidden.
IS_WITHIN = """(element) => {
    const place = element.getBoundingClientRect();
    const isSeen = getComputedStyle(element).visibility === "visible";
    return isSeen && place.width > 0 && place.right <= innerWidth + 1;
}"""


def open_context(browser: Browser, site: FakeGateway, **options: Any) -> BrowserContext:
    """A browser window of its own, of somebody who is logged in at the portal where there is one."""
    context = browser.new_context(**options)
    context.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    if site.front:
        site.front.log_in(context, OWNER)
    return context


def box(page: Page) -> Locator:
    """Where messages are written."""
    return page.locator("#curc-message textarea")


def send(page: Page, text: str) -> None:
    """Writes and sends. While an answer comes, Enter sends nothing and the text stays."""
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    box(page).fill(text)
    box(page).press("Enter")


def answers(page: Page) -> Locator:
    """The model's texts, without what folds."""
    return page.locator("#curc-chat [data-testid=bot] > .message-content")


def questions(page: Page) -> Locator:
    """The person's texts."""
    return page.locator("#curc-chat [data-testid=user]")


def asides(page: Page) -> Locator:
    """What folds: reasoning, figures, notices."""
    return page.locator("#curc-chat .thought-group .title")


def told(page: Page) -> Locator:
    """What the page said at once, such as why something wasn't done."""
    return page.locator("#curc-told [role=alert], #curc-told [role=status]")


def chats(page: Page) -> Locator:
    """The saved chats in the list, by their titles."""
    return page.locator("#curc-chats .curc-open")


def ask_and_see(page: Page, text: str, answer: str = "Hello there.") -> None:
    """Sends, and waits until the whole answer is there and saved."""
    before = questions(page).all_inner_texts()
    send(page, text)
    # Without this, the answer to the question before could be taken for this one's.
    expect(questions(page)).not_to_have_text(before, use_inner_text=True)
    expect(answers(page).last).to_have_text(answer)
    expect(asides(page).last).to_contain_text("first token")
    # The last of the answer's updates: nothing is drawn anew after it.
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def open_attach_menu(page: Page) -> None:
    """Opens the menu of what can be attached, once Gradio no longer draws the page anew."""
    expect(page.locator("#curc-chats").locator(".curc-none, .curc-item").first).to_be_visible()
    page.get_by_label("Attach files").click()


def choose_option(page: Page, field: Locator, name: str) -> None:
    """Chooses in a field's list; once more where the list closed itself.

    What is known of the models comes a moment after the page, and Gradio draws the lists anew for it.
    """
    option = page.get_by_role("option", name=name)
    for _ in range(10):
        field.click()
        with contextlib.suppress(TimeoutError):
            option.click(timeout=5000)
            return
    raise AssertionError(f"{name} couldn't be chosen")


def choose_in_menu(page: Page, title: str, action: str) -> None:
    """Opens the menu of a saved chat and chooses."""
    row = page.locator("#curc-chats .curc-item", has=page.get_by_title(title, exact=True))
    row.locator("summary").click()
    row.get_by_role("button", name=action, exact=True).click()


def open_tab(page: Page, name: str) -> None:
    """Opens the side panel at a tab."""
    tab = page.locator("#curc-settings").get_by_role("tab", name=name, exact=True, include_hidden=True)
    if not tab.evaluate(IS_WITHIN):
        page.get_by_role("button", name="Settings", exact=True).click()
    tab.click()


def find_chat_id(page: Page) -> str:
    """The id of the chat that is open, as the address has it."""
    expect(page).to_have_url(re.compile(r"#chat=[\w-]+$"))
    return page.url.partition("#chat=")[2]


def save(chat: ChatProcess, question: str, answer: str = "Yes.", days_ago: float = 0) -> str:
    """Makes a chat of an earlier session; returns its id."""
    writer = ChatStore(chat.saved).create()
    at = time.time() - days_ago * DAY_S
    lines = [{"id": "q", "parent": None, "role": "user", "content": question, "at": at}]
    lines += [{"id": "a", "parent": "q", "role": "assistant", "content": answer, "at": at, "status": "done"}]
    writer.add_lines(lines)
    return writer.chat.chat_id
