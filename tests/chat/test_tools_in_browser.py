"""What helps to work with a conversation: copy, edit, rate, marked settings, refused files."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import wait_for_clipboard
from tests.chat.conversation import answers, asides, ask_and_see, box, open_tab, questions, send, told
from tests.fakes.fake_gateway import FakeGateway, Reply

pytestmark = pytest.mark.browser


def test_the_whole_conversation_is_copied_and_a_rating_outlives_a_reload(
    page: Page, site: FakeGateway
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.get_by_role("button", name="Copy conversation")).to_be_hidden()
    ask_and_see(page, "first")
    ask_and_see(page, "second")
    page.get_by_role("button", name="Copy conversation").click()
    answer = "## curc-guide\n\nHello there."
    said = f"## You\n\nfirst\n\n{answer}\n\n## You\n\nsecond\n\n{answer}"
    wait_for_clipboard(page, lambda text: text == said)
    thumbs = page.get_by_role("button", name="Dislike")
    thumbs.last.press("Enter")
    expect(thumbs.last).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(500)  # the server has answered by now
    expect(thumbs.last).to_be_focused()
    page.reload()
    expect(thumbs.last).to_have_attribute("aria-pressed", "true")
    expect(thumbs.first).to_have_attribute("aria-pressed", "false")
    # The page's own machinery is nothing for anybody who reads or speaks to it.
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    names = {node.get("name", {}).get("value") for node in nodes if not node.get("ignored")}
    assert "Your message Send" in names or "Your message" in names
    assert names & {"Command", "Chat", "Look again", "Ask the other"} == set()


def test_an_edited_message_is_wide_grows_and_is_sent_or_left_by_key(page: Page, site: FakeGateway) -> None:
    ask_and_see(page, "first")
    page.get_by_role("button", name="Edit", exact=True).click()
    field = page.locator(".edit-textarea")
    expect(field).to_be_focused()
    before = field.bounding_box()
    column = page.locator("#curc-chat .message-wrap").bounding_box()
    assert before
    assert column
    assert before["width"] > 0.9 * column["width"]
    for _ in range(4):
        field.press("Shift+Enter")
    after = field.bounding_box()
    assert after
    assert after["height"] > before["height"] + 40
    field.press("Escape")
    expect(questions(page)).to_have_text(["first"])
    expect(box(page)).to_be_focused()
    box(page).press("ArrowUp")
    field.fill("changed")
    field.press("Enter")
    expect(questions(page)).to_have_text(["changed"])
    site.wait_for(lambda g: g.requests[-1]["messages"] == [{"role": "user", "content": "changed"}])


def test_a_wrong_setting_is_marked_at_once_and_until_it_is_mended(page: Page, site: FakeGateway) -> None:
    open_tab(page, "Settings")
    field = page.get_by_label("Temperature", exact=True)
    field.fill("9")
    page.get_by_label("Seed").click()
    expect(page.locator(".curc-mistake")).to_have_text(
        "Temperature can't be '9': it is a number from 0 to 2."
    )
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description("Temperature can't be '9': it is a number from 0 to 2.")
    field.fill("0.9")
    expect(page.locator(".curc-mistake")).to_have_count(0)
    send(page, "Hi")
    expect(answers(page)).to_have_text("Hello there.")
    assert site.requests[-1]["temperature"] == 0.9


def test_json_by_a_schema_is_code_and_copied_bare(page: Page, site: FakeGateway) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    site.default = Reply('{"a": "*x*", "b": [1]}')
    open_tab(page, "Settings")
    page.get_by_role("button", name="More").click()
    page.get_by_label("JSON schema").fill('{"type": "object"}')
    send(page, "Hi")
    expect(page.locator("#curc-chat pre code")).to_have_text('{"a": "*x*", "b": [1]}\n')
    expect(asides(page)).to_contain_text("first token")
    expect(page.locator("#curc-chat pre .token.property").first).to_be_visible()
    page.get_by_role("button", name="Copy message").last.click()
    wait_for_clipboard(page, lambda text: text == '{"a": "*x*", "b": [1]}')
    send(page, "And?")
    site.wait_for(lambda g: len(g.requests) == 2)
    assert site.requests[-1]["messages"][1]["content"] == '{"a": "*x*", "b": [1]}'


def test_a_file_that_is_too_large_is_refused_in_words_and_the_others_are_attached(
    page: Page, tmp_path: Path
) -> None:
    large, small = tmp_path / "large.csv", tmp_path / "<b> & #1.csv"
    large.write_bytes(b"a,b\n1,2\n" * 2_700_000)
    small.write_text("a,b\n1,2\n")
    page.locator("#curc-composer input[type=file]").set_input_files([large, small])
    expect(told(page)).to_contain_text("large.csv has 20.6 MiB; up to 20 MiB can be uploaded.")
    expect(told(page)).to_contain_text("path on the cluster")
    expect(page.locator(".curc-chip-name")).to_have_text(["<b> & #1.csv"])
