"""Saved chats: found again, changed, taken out and in, and there after anything died."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.chat.conversation import (
    answers,
    asides,
    ask_and_see,
    box,
    chats,
    choose_in_menu,
    find_chat_id,
    open_tab,
    questions,
    save,
    send,
    told,
)
from tests.fakes.chat_process import ChatProcess
from tests.fakes.fake_gateway import FakeGateway, Reply, make_engine, make_record

pytestmark = pytest.mark.browser


def begin(page: Page) -> None:
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".example").first).to_be_visible()
    expect(questions(page)).to_have_count(0)


def test_chats_stand_by_date_and_a_click_opens_one(page: Page, chat: ChatProcess) -> None:
    save(chat, "An old one", "It was long ago.", days_ago=90)
    save(chat, "Of last week", days_ago=5)
    page.reload()
    ask_and_see(page, "Of now")
    expect(page.locator("#curc-chats .curc-group")).to_have_text(["Today", "Last 7 days", "Older"])
    expect(chats(page)).to_have_text(["Of now", "Of last week", "An old one"])
    expect(page.locator("#curc-chats [aria-current=true]")).to_contain_text("Of now")
    chats(page).last.click()
    expect(questions(page)).to_have_text(["An old one"])
    expect(answers(page)).to_have_text("It was long ago.")
    expect(page.locator("#curc-chats [aria-current=true]")).to_contain_text("An old one")
    expect(page).to_have_title("An old one")


def test_an_old_chat_goes_on_with_what_was_said_with_another_model_too(
    page: Page, site: FakeGateway, chat: ChatProcess
) -> None:
    save(chat, "An old one", "It was long ago.", days_ago=90)
    site.record = make_record(engines=[make_engine(served_model_name="qwen")])
    page.reload()
    expect(page.locator("h1")).to_have_text("qwen")
    chats(page).first.click()
    expect(answers(page)).to_have_text("It was long ago.")
    ask_and_see(page, "And now?")
    told_to_model = [m["content"] for m in site.requests[-1]["messages"]]
    assert told_to_model == ["An old one", "It was long ago.", "And now?"]
    assert site.requests[-1]["model"] == "qwen"
    expect(chats(page)).to_have_count(1)


def test_a_reload_and_another_tab_show_the_same_chat(page: Page, context: BrowserContext) -> None:
    ask_and_see(page, "Keep this")
    find_chat_id(page)
    page.reload()
    expect(questions(page)).to_have_text(["Keep this"])
    expect(answers(page)).to_have_text("Hello there.")
    other = context.new_page()
    other.goto(page.url)
    expect(answers(other)).to_have_text("Hello there.")
    ask_and_see(other, "From the other tab")
    other.close()
    page.reload()
    expect(questions(page)).to_have_text(["Keep this", "From the other tab"])


def test_search_finds_titles_and_texts_with_a_snippet(page: Page, chat: ChatProcess) -> None:
    save(chat, "Fit a distribution", "The shape parameter of a Weibull tells how failure rates change.")
    save(chat, "Weather in Boulder", "Sunny.")
    page.reload()
    expect(chats(page)).to_have_count(2)
    search = page.get_by_label("Search all chats")
    search.fill("weibull")
    expect(page.locator("#curc-chats [role=status]")).to_have_text("1 chat")
    expect(page.locator("#curc-chats .curc-snippet mark")).to_have_text("Weibull")
    expect(chats(page)).to_contain_text("shape parameter")
    search.fill("weather")
    expect(chats(page)).to_contain_text(["Weather in Boulder"])
    search.fill("nothing like it")
    expect(page.locator("#curc-chats")).to_contain_text("No chat has all these words.")
    search.fill("")
    expect(chats(page)).to_have_count(2)


def test_a_chat_is_renamed(page: Page) -> None:
    ask_and_see(page, "Hi")
    choose_in_menu(page, "Hi", "Rename")
    page.get_by_role("textbox", name="New title").fill("A <b>better</b> title")
    page.get_by_role("button", name="Save").click()
    expect(chats(page)).to_have_text(["A <b>better</b> title"])
    expect(page).to_have_title("A <b>better</b> title")
    page.reload()
    expect(chats(page)).to_have_text(["A <b>better</b> title"])


def test_a_pinned_chat_stands_first(page: Page, chat: ChatProcess) -> None:
    save(chat, "Old but dear", days_ago=20)
    page.reload()
    ask_and_see(page, "New")
    choose_in_menu(page, "Old but dear", "Pin")
    expect(page.locator("#curc-chats .curc-group")).to_have_text(["Pinned", "Today"])
    expect(chats(page)).to_have_text(["Old but dear", "New"])
    choose_in_menu(page, "Old but dear", "Unpin")
    expect(page.locator("#curc-chats .curc-group")).to_have_text(["Today", "Last 30 days"])


def test_a_menu_stays_open_when_the_list_is_drawn_anew(
    page: Page, site: FakeGateway, chat: ChatProcess
) -> None:
    site.default = Reply("one two three", hold_after=2)
    save(chat, "Old but dear", days_ago=20)
    page.reload()
    send(page, "New")
    expect(answers(page)).to_have_text("one two")
    item = page.locator("#curc-chats .curc-item", has_text="Old but dear")
    item.locator("summary").click()
    item.get_by_role("button", name="Pin", exact=True).focus()
    site.release()
    expect(chats(page)).to_have_text(["New", "Old but dear"])
    expect(item.get_by_role("button", name="Pin", exact=True)).to_be_focused()
    item.get_by_role("button", name="Pin", exact=True).click()
    expect(page.locator("#curc-chats .curc-group")).to_have_text(["Pinned", "Today"])


def test_a_deleted_chat_comes_back_with_undo(page: Page) -> None:
    ask_and_see(page, "Dear to me")
    choose_in_menu(page, "Dear to me", "Delete")
    expect(page.locator("#curc-chats")).to_contain_text("Deleted “Dear to me”.")
    expect(chats(page)).to_have_count(0)
    expect(questions(page)).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(chats(page)).to_have_text(["Dear to me"])
    expect(answers(page)).to_have_text("Hello there.")


def test_deleting_another_chat_leaves_the_open_one(page: Page, chat: ChatProcess) -> None:
    save(chat, "Another")
    page.reload()
    ask_and_see(page, "Open")
    choose_in_menu(page, "Another", "Delete")
    expect(chats(page)).to_have_text(["Open"])
    expect(answers(page)).to_have_text("Hello there.")


@pytest.mark.parametrize(
    ("action", "name", "words"),
    [
        ("Export as Markdown", ".md", "Hello there."),
        ("Export as JSON", ".json", '"content": "Hello there."'),
        ("Export as Notebook", ".ipynb", "Hello there."),
    ],
)
def test_a_chat_is_exported(page: Page, action: str, name: str, words: str) -> None:
    ask_and_see(page, "Take me out")
    with page.expect_download() as waited:
        choose_in_menu(page, "Take me out", action)
    assert waited.value.suggested_filename.endswith(name)
    text = Path(waited.value.path()).read_text()
    assert "Take me out" in text
    assert words in text
    if name != ".md":
        json.loads(text)


def test_an_exported_chat_is_imported_and_opened(page: Page, tmp_path: Path) -> None:
    ask_and_see(page, "There and back")
    with page.expect_download() as waited:
        choose_in_menu(page, "There and back", "Export as JSON")
    file = tmp_path / "chat.json"
    waited.value.save_as(file)
    choose_in_menu(page, "There and back", "Delete")
    expect(chats(page)).to_have_count(0)
    page.locator("#curc-shelf input[type=file]").set_input_files(file)
    expect(chats(page)).to_have_text(["There and back"])
    expect(told(page)).to_contain_text("Imported")
    expect(answers(page)).to_have_text("Hello there.")
    expect(page.locator(".curc-item[aria-current]")).to_contain_text("There and back")
    ask_and_see(page, "And on")
    expect(answers(page)).to_have_count(2)


def test_an_import_doesnt_end_the_answer_that_is_being_written(
    page: Page, site: FakeGateway, chat: ChatProcess, tmp_path: Path
) -> None:
    file = tmp_path / "chat.json"
    file.write_text(json.dumps([{"role": "user", "content": "From elsewhere"}]))
    site.default = Reply("one two three", hold_after=2)
    send(page, "Hi")
    expect(answers(page)).to_have_text("one two")
    page.locator("#curc-shelf input[type=file]").set_input_files(file)
    expect(chats(page)).to_contain_text(["From elsewhere"])
    site.release()
    expect(answers(page)).to_have_text("one two three")
    expect(questions(page)).to_have_text(["Hi"])


def test_a_file_that_is_no_chat_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "notes.json"
    file.write_text('{"my": "notes"}')
    page.locator("#curc-shelf input[type=file]").set_input_files(file)
    expect(told(page)).to_contain_text("Not imported")
    expect(told(page)).to_contain_text("notes.json")
    expect(chats(page)).to_have_count(0)


def test_a_link_to_a_chat_that_is_gone_says_so(page: Page, site: FakeGateway) -> None:
    page.goto("about:blank")
    page.goto(f"{site.url()}#chat=nosuchchat")
    expect(told(page).first).to_contain_text("There is no saved chat 'nosuchchat'.")
    # Once: what was closed stays away.
    page.get_by_role("button", name="Close the notice").click()
    page.wait_for_timeout(1200)  # two times as long as the page waits before it asks again
    assert told(page).count() == 0


def test_settings_belong_to_their_chat(page: Page, site: FakeGateway) -> None:
    open_tab(page, "Settings")
    page.get_by_label("Temperature").fill("0.3")
    page.get_by_label("System prompt").fill("Be brief.")
    ask_and_see(page, "First chat")
    begin(page)
    ask_and_see(page, "Second chat")
    page.get_by_title("First chat", exact=True).click()
    expect(questions(page)).to_have_text(["First chat"])
    expect(page.get_by_label("Temperature")).to_have_value("0.3")
    expect(page.get_by_label("System prompt")).to_have_value("Be brief.")
    ask_and_see(page, "Still so?")
    site.wait_for(lambda g: g.requests[-1]["messages"][-1]["content"] == "Still so?")
    assert site.requests[-1]["temperature"] == 0.3
    assert site.requests[-1]["messages"][0] == {"role": "system", "content": "Be brief."}


def test_opening_another_chat_ends_the_answer_and_keeps_what_came(
    page: Page, site: FakeGateway, chat: ChatProcess
) -> None:
    save(chat, "Another", "Its answer.")
    page.reload()
    site.default = Reply("one two three", hold_after=2)
    send(page, "Cut short")
    expect(answers(page)).to_have_text("one two")
    page.get_by_title("Another", exact=True).click()
    expect(answers(page)).to_have_text("Its answer.")
    site.wait_for(lambda g: g.running == 0)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(answers(page)).to_have_text("Its answer.")
    page.get_by_title("Cut short", exact=True).click()
    expect(answers(page)).to_have_text("one two")


def test_a_closed_tab_keeps_what_came(context: BrowserContext, site: FakeGateway) -> None:
    site.default = Reply("one two three", hold_after=2)
    page = context.new_page()
    page.goto(site.url(""))  # Apache tells of a closed tab only with the next token
    send(page, "Closed early")
    expect(answers(page)).to_have_text("one two")
    chat_id = find_chat_id(page)
    page.close()
    site.wait_for(lambda g: g.running == 0)
    again = context.new_page()
    again.goto(f"{site.url()}#chat={chat_id}")
    expect(answers(again)).to_have_text("one two")
    expect(again.get_by_role("button", name="Continue the answer")).to_be_visible()
    again.close()


def test_a_chat_outlives_its_process_and_the_answer_goes_on(
    page: Page, site: FakeGateway, chat: ChatProcess
) -> None:
    site.default = Reply("one two three", hold_after=2)
    send(page, "Killed")
    expect(answers(page)).to_have_text("one two")
    page.wait_for_timeout(150)  # what came longer than 100 ms ago is on the disk
    chat.kill()
    site.wait_for(lambda g: g.running == 0)
    chat.start()
    page.reload()
    expect(answers(page)).to_have_text("one two")
    expect(asides(page).last).to_contain_text("broke off")
    site.default = Reply("three")
    page.get_by_role("button", name="Continue the answer").click()
    expect(answers(page)).to_have_text("one two three")
    assert site.requests[-1]["messages"][-1] == {"role": "assistant", "content": "one two "}
    expect(box(page)).to_be_editable()
