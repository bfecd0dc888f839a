"""A long saved chat is opened at its end, and stays there while it is drawn."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from curc_llm.chats.store import ChatStore
from tests.chat.conversation import chats
from tests.chat.test_reading_back_in_browser import left_px, turn_wheel
from tests.fakes.chat_process import ChatProcess

pytestmark = pytest.mark.browser
CODE = "\n".join(f"print({number}, 'a line of code that is as long as lines are')" for number in range(500))


def save_long(chat: ChatProcess) -> None:
    lines: list[dict[str, object]] = []
    for number in range(100):
        text = f"```python\n{CODE}\n```\n\nThe very end." if number == 99 else f"Answer {number}.\n\n" * 20
        before = f"a{number - 1}" if number else None
        question = {"id": f"q{number}", "parent": before, "role": "user", "content": f"Question {number}"}
        answer = {"id": f"a{number}", "parent": f"q{number}", "role": "assistant", "content": text}
        lines += [{**question, "at": 1.0 + number}, {**answer, "at": 1.5 + number, "status": "done"}]
    ChatStore(chat.saved).create().add_lines(lines)


def test_a_long_chat_is_opened_at_its_end(page: Page, chat: ChatProcess) -> None:
    save_long(chat)
    page.reload()
    chats(page).first.click()
    expect(page.get_by_text("The very end.")).to_be_in_viewport()
    turn_wheel(page, -3000)
    assert left_px(page) > 1000
    page.get_by_role("button", name="New chat").click()
    expect(page.get_by_text("The very end.")).to_have_count(0)
    chats(page).first.click()
    expect(page.get_by_text("The very end.")).to_be_in_viewport()
    assert left_px(page) < 80
