"""`curc-llm share --link` as the guest meets it: a chat and a key of their own, nothing of the owner's."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from curc_llm.chats.people import open_store
from tests.job.conftest import wait_until
from tests.job.opened import Opened, answers, ask, open_page_session, open_window

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# A second an answer, unless it is stopped.
OPTIONS = "--tokens 40 --token-s 0.025"
OWNERS = "The owner asks about wombats"


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with open_page_session(OPTIONS) as session:
        writer = open_store(session.state_dir, "owner").create()
        writer.append_question(OWNERS)
        yield session


def share(opened: Opened, label: str) -> str:
    """A link, as `curc-llm share --link` prints it."""
    return opened.person.run("share", "--link", label).stdout.strip()


def call(opened: Opened, key: str, path: str = "/v1/models") -> int:
    """The status of an answer to a key."""
    request = urllib.request.Request(opened.root + path, headers={"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def enter(page: Page, link: str) -> None:
    page.goto(link)
    page.wait_for_url("**/chat/**")
    expect(page.get_by_label("Your message")).to_be_visible()


def show_key(page: Page) -> str:
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_role("tab", name="Session", exact=True).click()
    page.get_by_role("button", name="Show", exact=True).click()
    shown = page.locator("#curc-key")
    expect(shown).to_contain_text("curc-")
    return shown.inner_text()


def test_a_guest_has_a_chat_and_a_key_of_their_own_until_it_is_taken_back(
    browser: Browser, opened: Opened
) -> None:
    link = share(opened, "lab")
    page = open_window(browser)
    enter(page, link)
    owner = opened.job.record.owner
    expect(page.get_by_text(f"You are a guest in {owner}'s session")).to_be_visible()

    # Their own history, and none of the owner's.
    expect(page.locator("#curc-chats")).to_contain_text("No saved chats yet")
    page.get_by_label("Search all chats").fill("wombats")
    expect(page.locator("#curc-chats")).to_contain_text("No chat has all these words")
    page.get_by_label("Search all chats").fill("")
    ask(page, "The guest asks")
    expect(answers(page)).to_contain_text("word39")
    expect(page.locator("#curc-chats .curc-open")).to_have_text(["The guest asks"])
    page.reload()
    expect(answers(page)).to_contain_text("word39")
    assert [one.title for one in open_store(opened.state_dir, "owner").list()] == [OWNERS]

    check_no_way_to_the_owners_things(page, opened)

    key = show_key(page)
    assert key != opened.job.paths.api_key.read_text().strip()
    assert call(opened, key) == 200
    assert call(opened, key, "/metrics") == 403
    check_session_tab(page, opened)

    # Nobody else gets in by the same link.
    other = open_window(browser)
    other.goto(link)
    expect(other.locator("body")).to_contain_text("This invitation has been used")
    other.context.close()

    # Taken back while an answer comes: answer, key and page end.
    listed = json.loads(opened.person.run("share", "ls", "--json").stdout)
    assert [(one["label"], one["requests"] > 0) for one in listed] == [("lab", True)]
    page.get_by_role("button", name="Settings", exact=True).click()
    opened.tell_engine(tokens=3000)
    ask(page, "Is it still shared?")
    expect(answers(page).last).to_contain_text("word0")
    opened.person.run("share", "revoke", "lab")
    assert call(opened, key) == 401
    check_what_a_revoked_guest_sees(page, opened)
    page.reload()
    expect(page.locator("body")).to_contain_text("You aren't logged in")
    page.context.close()


def check_no_way_to_the_owners_things(page: Page, opened: Opened) -> None:
    """What a guest's browser asks for nevertheless is refused."""
    headers = {"Origin": opened.root}
    for path in ("/restart", "/keep-going"):
        answer = page.request.post(opened.root + path, headers=headers, data={"model": "one"})
        assert answer.status == 403, path
    status = page.request.get(opened.root + "/status", headers={"Accept": "application/json"})
    assert str(opened.state_dir) not in status.text()
    assert status.json()["guest"]["name"] == "lab"
    # A file of the owner's, by its path.
    secret = opened.person.home / "secret.txt"
    secret.write_text("of the owner's")
    page.get_by_label("Attach files").click()
    if page.get_by_role("button", name="File on the cluster").is_visible():
        page.get_by_role("button", name="File on the cluster").click()
        page.get_by_role("textbox", name="File on the cluster").fill(str(secret))
        page.get_by_role("button", name="Attach", exact=True).click()
        expect(page.locator("#curc-told")).to_contain_text("by the session's owner alone")
    expect(page.locator("#curc-chips .curc-chip")).to_have_count(0)
    # The owner's chat, by its id.
    chat_id = next(Path(opened.state_dir / "chats").glob("*.jsonl")).stem
    here = page.url
    page.goto("about:blank")
    page.goto(f"{opened.root}/chat/#chat={chat_id}")
    expect(page.locator("#curc-told")).to_contain_text("There is no saved chat")
    assert OWNERS not in page.content()
    page.goto("about:blank")
    page.goto(here)
    expect(answers(page)).to_contain_text("word39")


def check_what_a_revoked_guest_sees(page: Page, opened: Opened) -> None:
    """In words, without a click; what came stays to be read, and nothing goes on behind it."""
    expect(page.get_by_text("this session is no longer shared with you")).to_be_visible()
    expect(answers(page).last).to_contain_text("word0")
    wait_until(lambda: opened.count_running() == 0, what="the end of the generation")
    expect(page.get_by_text("That didn't work")).to_have_count(0)  # nothing is broken


def check_session_tab(page: Page, opened: Opened) -> None:
    """No logs, no folders, nothing to restart."""
    tab = page.locator("#curc-session")
    expect(tab).to_contain_text(opened.root)
    assert "Logs" not in tab.inner_text()
    assert str(opened.person.home) not in page.content()
    assert page.get_by_role("button", name="Start the model again").count() == 0
