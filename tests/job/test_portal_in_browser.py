"""A session as people use it at a centre: its page through the portal's Apache, the prefix kept.

Everything but the engine is real here: supervisor, gateway, chat, Apache with the portal's rules, Chromium.
Each part of the page has finer tests in tests/chat, through Apache too, with a scripted gateway behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chat.conversation import (
    answers,
    asides,
    chats,
    choose_in_menu,
    find_chat_id,
    open_tab,
    questions,
    send,
    told,
)
from tests.job.conftest import wait_until
from tests.job.opened import Opened, open_page_session, open_window
from tests.testbed.portal.front import open_front

pytestmark = [pytest.mark.browser, pytest.mark.root, pytest.mark.slow]
SHORT = {"tokens": 5, "token_s": 0.0}
LONG = {"tokens": 3000, "token_s": 0.02}
SAID = "word0 word1 word2 word3 word4"


@dataclass
class Visit:
    """The owner's window, logged in at the portal.

    Args:
        opened: the session.
        page: its page.
        root: where the browser finds the gateway.
        asked: all addresses that the page asked for.
        wrong: what went wrong in the page.
    """

    opened: Opened
    page: Page
    root: str
    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def begin(self) -> Page:
        """A new chat, on a page as it is when it is opened."""
        self.opened.tell_engine(**SHORT)
        self.page.goto("about:blank")
        self.page.goto(f"{self.root}/chat/")
        expect(self.page.locator(".example").first).to_be_visible()
        expect(questions(self.page)).to_have_count(0)
        return self.page

    def ask(self, text: str) -> None:
        """Until the whole answer is there and saved."""
        send(self.page, text)
        expect(answers(self.page).last).to_have_text(SAID)
        expect(self.page.get_by_role("button", name="Send", exact=True)).to_be_visible()


@pytest.fixture(scope="module")
def visit(browser: Browser) -> Iterator[Visit]:
    with open_page_session("--tokens 5") as opened, open_front(opened.job.record.owner) as front:
        page = open_window(browser)
        front.log_in(page.context, opened.job.record.owner)
        root = front.find_root(opened.job.record.port or 0)
        visit = Visit(opened, page, root)
        page.on("request", lambda request: visit.asked.append(request.url))
        page.on("pageerror", lambda error: visit.wrong.append(str(error)))
        opened.log_in(page, root)
        page.locator(".example").first.wait_for()
        yield visit
        page.context.close()


def test_a_conversation_is_led_stopped_retried_and_branched(visit: Visit) -> None:
    page = visit.begin()
    visit.opened.tell_engine(**LONG)
    send(page, "Tell me much")
    expect(page).to_have_title("… Tell me much")
    expect(answers(page)).to_contain_text("word20 ")
    assert visit.opened.count_running() == 1
    page.get_by_role("button", name="Stop").click()
    expect(asides(page)).to_contain_text("stopped")
    wait_until(lambda: visit.opened.count_running() == 0, what="the end of the generation")
    expect(page).to_have_title("Tell me much")

    visit.opened.tell_engine(**SHORT)
    page.get_by_role("button", name="Retry").click()
    expect(answers(page)).to_have_text(SAID)
    expect(asides(page)).to_contain_text(re.compile(r"5 tokens.*first token"))
    page.get_by_role("button", name="Version before").click()
    expect(answers(page)).to_contain_text("word20 ")
    expect(page.get_by_role("button", name="Continue the answer")).to_be_visible()
    page.get_by_role("button", name="Next version").click()
    expect(answers(page)).to_have_text(SAID)

    # Another answer than the one that is there: the page shows an edited question before anybody has it.
    visit.opened.tell_engine(**{**SHORT, "tokens": 3})
    page.get_by_role("button", name="Edit", exact=True).click()
    page.locator(".edit-textarea").fill("Tell me less")
    page.get_by_role("button", name="Submit").click()
    expect(questions(page)).to_have_text(["Tell me less"])
    expect(answers(page)).to_have_text("word0 word1 word2")
    expect(page.locator(".curc-versions")).to_have_text("‹2/2›")
    page.reload()
    expect(questions(page)).to_have_text(["Tell me less"])
    expect(answers(page)).to_have_text("word0 word1 word2")


def test_files_go_along_by_upload_and_by_path(visit: Visit) -> None:
    page, home = visit.begin(), visit.opened.person.home
    (home / "heights.csv").write_text("city,height\nBoulder,1655\n")
    (home / "notes.md").write_text("The granite is old.")
    page.locator("#curc-composer input[type=file]").set_input_files(home / "heights.csv")
    expect(page.locator("#curc-chips .curc-chip")).to_contain_text(re.compile(r"heights.csv.*tokens"))
    page.get_by_label("Attach files").click()
    page.get_by_role("button", name="File on the cluster").click()
    path = page.get_by_role("combobox", name="File on the cluster")
    path.fill(f"{home}/not")
    expect(page.get_by_role("option")).to_have_text([re.compile("notes.md")])
    path.press("Tab")
    expect(path).to_have_value(f"{home}/notes.md")
    path.press("Enter")
    expect(page.locator("#curc-chips .curc-chip")).to_have_count(2)
    visit.ask("What is in them?")
    asked = json.dumps(visit.opened.list_asked()[-1]["messages"])
    assert "Boulder,1655" in asked
    assert "The granite is old." in asked
    expect(page.get_by_label("Attached files")).to_contain_text("heights.csv")


def test_chats_are_found_renamed_taken_out_deleted_and_brought_back(visit: Visit) -> None:
    page = visit.begin()
    visit.ask("Where do wombats live?")
    address = find_chat_id(page)
    page.get_by_label("Search all chats").fill("wombats live")
    expect(page.locator("#curc-chats .curc-snippet mark").first).to_have_text("wombats")
    expect(chats(page)).to_have_count(1)
    page.get_by_label("Search all chats").fill("")
    choose_in_menu(page, "Where do wombats live?", "Rename")
    page.get_by_role("textbox", name="New title").fill("Wombats")
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_title("Wombats")
    choose_in_menu(page, "Wombats", "Pin")
    expect(page.locator("#curc-chats .curc-group").first).to_have_text("Pinned")
    with page.expect_download() as waited:
        choose_in_menu(page, "Wombats", "Export as Markdown")
    assert SAID in Path(waited.value.path()).read_text()
    choose_in_menu(page, "Wombats", "Delete")
    expect(questions(page)).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(questions(page)).to_have_text(["Where do wombats live?"])
    assert find_chat_id(page) == address


def test_one_question_goes_to_two_settings_and_as_code_to_a_shell(visit: Visit) -> None:
    page = visit.begin()
    open_tab(page, "Settings")
    page.get_by_label("System prompt", exact=True).fill("Be brief.")
    page.get_by_role("button", name="Side by side").click()
    page.get_by_label("Answer twice, side by side").check()
    page.get_by_label("Other temperature").fill("0.9")
    before = len(visit.opened.list_asked())
    visit.ask("Which of you?")
    expect(page.locator("#curc-other [data-testid=bot] > .message-content")).to_have_text(SAID)
    both = visit.opened.list_asked()[before:]
    assert {one.get("temperature") for one in both} == {None, 0.9}
    assert {one["messages"][0]["content"] for one in both} == {"Be brief."}
    page.get_by_role("button", name="Go on with this answer").click()
    expect(page.locator(".curc-versions")).to_contain_text("/2")
    open_tab(page, "Session")
    page.get_by_role("button", name="This conversation as code").click()
    expect(page.locator(".curc-code")).to_contain_text("Which of you?")
    page.get_by_role("tab", name="curl").click()
    expect(page.locator(".curc-code")).to_contain_text(visit.opened.root)
    page.get_by_role("button", name="Close").click()


def test_the_panel_tells_of_the_session_and_gives_the_key(visit: Visit) -> None:
    page, job = visit.begin(), visit.opened.job
    open_tab(page, "Session")
    panel = page.locator("#curc-session")
    expect(panel).to_contain_text(job.record.session_id)
    expect(panel).to_contain_text(f"{visit.opened.root}/v1")
    expect(panel.get_by_role("row", name="Requests now")).to_be_visible()
    key = job.paths.api_key.read_text().strip()
    assert key not in page.content()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#curc-key")).to_have_text(key)
    page.get_by_role("button", name="Hide", exact=True).click()
    # Logs are the portal's file browser to show.
    link = panel.get_by_role("link", name=str(job.paths.logs))
    expect(link).to_have_attribute("href", f"/pun/sys/dashboard/files/fs{job.paths.logs}")
    expect(link).to_have_attribute("rel", "noopener noreferrer")


def test_an_engine_that_dies_is_told_and_its_question_asked_again(visit: Visit) -> None:
    page, job = visit.begin(), visit.opened.job
    visit.opened.tell_engine(tokens=3000, token_s=0.02)
    send(page, "Will you break?")
    expect(answers(page)).to_contain_text("word20 ")
    job.find("fake_engine.py").kill()
    expect(page.locator("#curc-chat .curc-alert")).to_be_visible()
    expect(page.locator("#curc-banner-slot")).to_contain_text(re.compile("start(ing|ed) again"))
    wait_until(lambda: job.record.engines[0].phase == "ready", what="the model's return")
    expect(page.locator("#curc-title")).to_contain_text("ready")
    visit.opened.tell_engine(**SHORT)
    page.get_by_role("button", name="Retry").last.click()
    expect(answers(page).first).to_have_text(SAID)
    expect(told(page)).to_have_count(0)


# Last: it is about all of the above.
def test_all_stayed_within_the_prefix_and_nothing_is_in_the_browser(visit: Visit) -> None:
    allowed = (*(f"{visit.root}/{path}" for path in ("chat/", "login", "key")), "data:", "blob:", "about:")
    assert len(visit.asked) > 50
    assert [url for url in visit.asked if not url.startswith(allowed)] == []
    assert visit.wrong == []
    page = visit.page
    kept = page.evaluate(
        "async () => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie,"
        " await indexedDB.databases(), await caches.keys()])"
    )
    assert kept == '[{},{},"",[],[]]'
    own = [one for one in page.context.cookies() if one["name"].startswith("curc_llm_")]
    assert [(one["path"], one["httpOnly"], one["sameSite"]) for one in own] == [
        (visit.root.removeprefix(page.url.split("/node/")[0]), True, "Lax")
    ]
    answer = page.request.get(f"{visit.root}/chat/")
    policies = [
        one["value"] for one in answer.headers_array if one["name"].lower() == "content-security-policy"
    ]
    assert len(policies) == 2  # the portal's and the page's: both hold
    assert any(policy.startswith("frame-ancestors") for policy in policies)
    assert any("'strict-dynamic'" in policy and "base-uri 'self'" in policy for policy in policies)
