"""Two thousand saved chats: the page comes at once, and each of them can be found."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.chat.conversation import DAY_S, answers, chats, save
from tests.fakes.chat_process import ChatProcess

pytestmark = pytest.mark.browser
COUNT = 2000
# How soon they come, benchmarks/chats.py measures.


def save_many(chat: ChatProcess) -> None:
    """Files as the chat itself writes them, the first of them again and again with other words."""
    chat_id = save(chat, "Question 0 about wombats", "Answer 0.", days_ago=1)
    model = chat.saved / f"{chat_id}.jsonl"
    text = model.read_text()
    for number in range(1, COUNT):
        other_id = f"{chat_id[:-4]}{number:04d}"
        changed = text.replace(chat_id, other_id).replace("Question 0", f"Question {number}")
        lines = [json.loads(line) for line in changed.splitlines()]
        for line in lines:
            earlier = {
                name: line[name] - number * DAY_S / 50 for name in ("at", "created_at") if name in line
            }
            line.update(earlier)
        (chat.saved / f"{other_id}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_two_thousand_chats_are_listed_and_searched_at_once(page: Page, chat: ChatProcess) -> None:
    save_many(chat)
    page.reload()
    expect(chats(page)).to_have_count(60)
    page.get_by_role("button", name=re.compile("Show more .1,94. older")).click()
    expect(chats(page)).to_have_count(560)
    page.get_by_role("button", name=re.compile("Show more .1,44. older")).click()
    expect(chats(page)).to_have_count(1060)
    # A thousand chats take a busy machine's browser a while to draw.
    page.get_by_label("Search all chats").fill("question 1777", timeout=90_000)
    expect(chats(page)).to_have_count(1)
    chats(page).click()
    expect(answers(page)).to_have_text("Answer 0.")
    expect(page).to_have_title("Question 1777 about wombats")
