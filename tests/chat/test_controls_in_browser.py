"""How the model is to answer, what happens when the context is full, and the conversation as code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import wait_for_clipboard
from tests.chat.conversation import (
    answers,
    asides,
    ask_and_see,
    box,
    chats,
    choose_option,
    open_tab,
    questions,
    save,
    send,
    told,
)
from tests.fakes.chat_process import ChatProcess
from tests.fakes.fake_gateway import FakeGateway, Reply, make_engine, make_record

pytestmark = pytest.mark.browser
BASE_URL = "http://h1.example:4711/v1"


def test_settings_go_into_the_request_and_wrong_ones_are_refused(page: Page, site: FakeGateway) -> None:
    open_tab(page, "Settings")
    page.get_by_label("System prompt").fill("Be brief.")
    page.get_by_label("Temperature").fill("9")
    send(page, "Hi")
    expect(told(page)).to_contain_text("Temperature can't be '9'")
    expect(box(page)).to_have_value("Hi")
    assert site.requests == []
    page.get_by_label("Temperature").fill("0")
    page.get_by_label("Top-p").fill("0,9")
    page.get_by_label("Max. tokens").fill("5")
    page.get_by_label("Seed").fill("7")
    page.get_by_role("button", name="More").click()
    page.get_by_label("Stop texts").fill("END\nSTOP")
    page.get_by_label("JSON schema").fill('{"type": "object"}')
    box(page).press("Enter")
    expect(answers(page)).to_have_text("Hello there.")
    request = site.requests[-1]
    assert request["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (request["temperature"], request["max_tokens"], request["seed"]) == (0, 5, 7)
    assert request["stop"] == ["END", "STOP"]
    assert request["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert request["top_p"] == 0.9


def test_reasoning_is_offered_in_the_models_own_levels_with_its_own_defaults(
    page: Page, site: FakeGateway, tmp_path: Path
) -> None:
    templates = {"switch": "{% if enable_thinking %}{% endif %}", "effort": "{{ reasoning_effort }}"}
    for name, template in templates.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "chat_template.jinja").write_text(template)
    (tmp_path / "effort" / "generation_config.json").write_text('{"temperature": 0.6, "top_k": 20}')
    site.record = make_record(
        engines=[
            make_engine(model=str(tmp_path / "effort")),
            make_engine(model=str(tmp_path / "switch"), served_model_name="qwen"),
        ]
    )
    page.reload()
    open_tab(page, "Settings")
    levels = page.get_by_label("Reasoning", exact=True)
    temperature = page.get_by_label("Temperature", exact=True)
    expect(temperature).to_have_attribute("placeholder", "0.6 (model's default)")
    expect(page.locator("#curc-help")).to_contain_text("The model also sets top_k 20.")
    levels.click()
    expect(page.get_by_role("option")).to_have_text(["✓ model's choice", "✓ low", "✓ medium", "✓ high"])
    page.get_by_role("option", name="high").click()
    ask_and_see(page, "Hi")
    assert site.requests[-1]["reasoning_effort"] == "high"

    # Another model is told in its own way, and what was chosen is the chat's.
    choose_option(page, page.get_by_label("Model", exact=True), "qwen")
    expect(temperature).to_have_attribute("placeholder", "1 (vLLM's default)")
    choose_option(page, levels, "off")
    send(page, "And now?")
    site.wait_for(lambda g: len(g.requests) == 2)
    assert site.requests[-1]["chat_template_kwargs"] == {"enable_thinking": False}
    assert "reasoning_effort" not in site.requests[-1]
    page.reload()
    expect(questions(page)).to_have_count(2)
    expect(levels).to_have_value("off")


def test_a_model_that_cant_be_told_has_no_control_for_it(page: Page) -> None:
    open_tab(page, "Settings")
    expect(page.get_by_label("Temperature", exact=True)).to_be_visible()
    expect(page.get_by_label("Reasoning", exact=True)).to_be_hidden()


def test_of_several_models_one_can_be_chosen(page: Page, site: FakeGateway) -> None:
    site.record = make_record(engines=[make_engine(), make_engine(served_model_name="qwen")])
    page.reload()
    open_tab(page, "Settings")
    choose_option(page, page.get_by_label("Model", exact=True), "qwen")
    expect(page.locator("h1")).to_have_text("qwen")
    expect(page.locator(".example").first).to_contain_text("segmentation fault")
    ask_and_see(page, "Hi")
    assert site.requests[-1]["model"] == "qwen"


def fill_context(page: Page, site: FakeGateway, chat: ChatProcess, num_chars: int, when_full: str) -> None:
    """Opens a chat in a context of 320 tokens, 240 of them for what is sent, and chooses what to do."""
    site.record = make_record(engines=[make_engine(max_model_len=320)])
    site.count_reply = (404, {})  # the engine doesn't count, so estimates do: four letters a token
    save(chat, "Long ago " + "x" * num_chars)
    page.reload()
    open_tab(page, "Settings")
    chats(page).first.click()
    expect(answers(page)).to_have_text("Yes.")
    choose_option(page, page.get_by_label("When the context is full"), when_full)


def test_what_is_far_too_long_is_refused_before_it_is_sent(
    page: Page, site: FakeGateway, chat: ChatProcess
) -> None:
    fill_context(page, site, chat, 1600, "Tell me")
    expect(page.locator("#curc-meter")).to_contain_text("The context is full")
    send(page, "And now?")
    expect(told(page)).to_contain_text("Not sent")
    expect(told(page)).to_contain_text("has room for 240 beside its answer")
    expect(box(page)).to_have_value("And now?")
    assert site.requests == []


def test_what_is_a_little_too_long_is_refused_in_the_conversation(
    page: Page, site: FakeGateway, chat: ChatProcess
) -> None:
    fresh = page.title()
    fill_context(page, site, chat, 700, "Tell me")
    send(page, "y" * 300)
    expect(page.locator("#curc-chat .thought-group", has=page.locator(".curc-alert"))).to_contain_text(
        "Not sent"
    )
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    assert site.requests == []
    # It lies ready to be shortened, and what is sent in its place isn't sent along with it.
    expect(box(page)).to_have_value("y" * 300)
    send(page, "Shorter")
    expect(questions(page).last).to_have_text("Shorter")
    expect(answers(page).last).to_have_text("Hello there.")
    assert [m["content"] for m in site.requests[-1]["messages"]][-2:] == ["Yes.", "Shorter"]
    page.get_by_role("button", name="New chat").click()
    expect(page).to_have_title(fresh)


def test_the_oldest_messages_are_left_out_where_that_was_chosen_and_the_page_says_so(
    page: Page, site: FakeGateway, chat: ChatProcess
) -> None:
    fill_context(page, site, chat, 700, "Leave out")
    ask_and_see(page, "y" * 300)
    expect(page.locator("#curc-chat")).to_contain_text("The model didn't see the oldest 2 messages")
    assert site.requests[-1]["messages"] == [{"role": "user", "content": "y" * 300}]
    page.reload()
    expect(page.locator("#curc-chat")).to_contain_text("The model didn't see the oldest 2 messages")


def test_the_oldest_messages_are_summarised_where_that_was_chosen_and_the_page_says_so(
    page: Page, site: FakeGateway, chat: ChatProcess
) -> None:
    fill_context(page, site, chat, 700, "Summarise")
    site.default = Reply("Sum.")
    ask_and_see(page, "y" * 300, "Sum.")
    expect(page.locator("#curc-chat")).to_contain_text(
        "The model saw the oldest 2 messages of this conversation"
    )
    summary, question = site.requests
    assert "Long ago" in summary["messages"][-1]["content"]
    assert "Sum." in question["messages"][-1]["content"]
    assert "Long ago" not in str(question["messages"])


def test_the_conversation_is_shown_as_code_that_can_be_copied(page: Page, site: FakeGateway) -> None:
    site.record = make_record(base_url=BASE_URL)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.reload()
    open_tab(page, "Settings")
    page.get_by_label("Temperature").fill("0.3")
    ask_and_see(page, "What is an SU?")
    box(page).fill("And a node?")
    open_tab(page, "Session")
    page.get_by_role("button", name="This conversation as code").click()
    code = page.locator(".curc-code")
    expect(code).to_contain_text("What is an SU?")
    expect(code).to_contain_text("And a node?")
    expect(code).to_contain_text(BASE_URL)
    expect(code).to_contain_text("0.3")
    ast.parse(code.inner_text())
    assert "sk-" not in code.inner_text()
    page.get_by_role("tab", name="curl").click()
    expect(code).to_contain_text("curl")
    page.get_by_role("button", name="Copy", exact=True).last.click()
    wait_for_clipboard(page, lambda text: "curl" in text and "And a node?" in text)
    page.get_by_role("button", name="Close").click()
    expect(code).to_have_count(0)


def test_without_an_endpoint_there_is_no_code_yet(page: Page, site: FakeGateway) -> None:
    site.record = make_record(base_url=BASE_URL)
    page.reload()
    open_tab(page, "Session")
    code = page.get_by_role("button", name="This conversation as code")
    code.wait_for()
    site.record = make_record()
    expect(code).to_have_count(0)
    # The click of somebody who was a moment faster than the page.
    page.evaluate("curc.send('code')")
    expect(told(page)).to_contain_text("no endpoint yet")


def test_figures_of_an_answer_unfold(page: Page) -> None:
    ask_and_see(page, "Hi")
    asides(page).last.click()
    expect(page.locator("#curc-chat")).to_contain_text("context used: 15 of 4,096")
