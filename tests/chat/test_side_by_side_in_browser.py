"""One question, two answers: in columns, at the same time, each with its own model and settings."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.chat.conversation import answers, ask_and_see, choose_option, open_tab, questions, send
from tests.fakes.fake_gateway import FakeGateway, Reply, make_engine, make_record

pytestmark = pytest.mark.browser


def other_answers(page: Page) -> Locator:
    return page.locator("#curc-other [data-testid=bot] > .message-content")


def compare(page: Page, site: FakeGateway) -> None:
    """Asks two models from now on, the second with a temperature of its own."""
    site.record = make_record(engines=[make_engine(), make_engine(served_model_name="qwen")])
    site.replies = {
        "curc-guide": Reply("one two three", hold_after=2),
        "qwen": Reply("ab cd ef", hold_after=1),
    }
    page.reload()
    open_tab(page, "Settings")
    page.get_by_role("button", name="Side by side").click()
    page.get_by_label("Answer twice, side by side").check()
    choose_option(page, page.get_by_label("Other model"), "qwen")
    page.get_by_label("Other temperature").fill("0.9")


def columns(page: Page) -> tuple[dict[str, float], dict[str, float]]:
    first, second = (page.locator(name).bounding_box() for name in ("#curc-chat", "#curc-other"))
    assert first
    assert second
    return dict(first), dict(second)


def test_two_models_answer_at_once_and_the_second_answer_can_be_taken(page: Page, site: FakeGateway) -> None:
    compare(page, site)
    send(page, "Hi")
    expect(answers(page)).to_have_text("one two")
    expect(other_answers(page)).to_have_text("ab c")
    assert {(one["model"], one.get("temperature")) for one in site.requests} == {
        ("curc-guide", None),
        ("qwen", 0.9),
    }
    left, right = columns(page)
    assert left["x"] + left["width"] <= right["x"]
    assert left["width"] > 250
    assert right["width"] > 250
    inner = page.locator("#curc-chat > .wrapper").bounding_box()
    assert inner
    assert (inner["x"], inner["width"]) == (left["x"], left["width"]), "the head stands beside the answer"
    assert left["y"] + 20 < inner["y"] < left["y"] + 60
    page.set_viewport_size({"width": 390, "height": 800})
    above, below = columns(page)
    assert above["y"] + above["height"] <= below["y"]
    assert below["x"] + below["width"] <= 390
    page.set_viewport_size({"width": 1500, "height": 900})
    site.release()
    expect(answers(page)).to_have_text("one two three")
    expect(other_answers(page)).to_have_text("ab cd ef")
    page.get_by_role("button", name="Go on with this answer").click()
    expect(answers(page)).to_have_text("ab cd ef")
    expect(other_answers(page)).to_have_count(0)
    expect(page.locator("#curc-other")).to_be_hidden()  # and the answer that was taken has all the room
    expect(page.locator(".curc-versions")).to_contain_text("/2")

    # Both are told what was taken; Esc stops both.
    site.hold()
    send(page, "And now?")
    expect(answers(page).last).to_have_text("one two")
    expect(other_answers(page).last).to_have_text("ab c")
    page.keyboard.press("Escape")
    site.wait_for(lambda g: g.running == 0)
    told = [[m["content"] for m in one["messages"]] for one in site.requests[-2:]]
    assert told == [["Hi", "ab cd ef", "And now?"]] * 2
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.reload()
    expect(questions(page)).to_have_text(["Hi", "And now?"])
    expect(answers(page)).to_have_text(["ab cd ef", "one two"])
    # The other one is a click away; which of them is the first, the order of their ends says.
    page.locator(".curc-versions").first.locator("button:enabled").click()
    expect(answers(page)).to_have_text(["one two three"])

    # What was set for the second column belongs to the chat, as the first one's do, and isn't hidden.
    open_tab(page, "Settings")
    tick = page.get_by_label("Answer twice, side by side")
    other = page.get_by_label("Other temperature")
    expect(tick).to_be_visible()
    expect(tick).to_be_checked()
    expect(page.locator("#curc-title h1")).to_have_text("curc-guide")
    expect(other).to_have_value("0.9")
    page.get_by_role("button", name="New chat").click()
    expect(tick).not_to_be_checked()
    expect(other).to_have_value("")


def test_without_the_tick_one_answers_alone(page: Page, site: FakeGateway) -> None:
    compare(page, site)
    page.get_by_label("Answer twice, side by side").uncheck()
    expect(page.locator("#curc-other")).to_be_hidden()
    site.replies = {}
    ask_and_see(page, "Hi")
    assert [one["model"] for one in site.requests] == ["curc-guide"]


def test_the_second_answer_is_taken_while_the_first_is_still_written(page: Page, site: FakeGateway) -> None:
    compare(page, site)
    site.replies["qwen"] = Reply("ab cd ef")
    send(page, "Hi")
    expect(answers(page)).to_have_text("one two")
    page.get_by_role("button", name="Go on with this answer").click()
    expect(answers(page)).to_have_text("ab cd ef")
    site.wait_for(lambda g: g.running == 0)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.locator(".curc-versions")).to_contain_text("/2")
    expect(answers(page)).to_have_text("ab cd ef")


def test_there_is_nothing_to_go_on_with_where_the_second_model_failed(page: Page, site: FakeGateway) -> None:
    compare(page, site)
    refusal = {"error": {"message": "The prompt is too long.", "code": "bad_request"}}
    site.replies = {"curc-guide": Reply("one"), "qwen": Reply(status=400, body=refusal)}
    send(page, "Hi")
    expect(answers(page)).to_have_text("one")
    expect(page.locator("#curc-other")).to_contain_text("The prompt is too long.")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Go on with this answer")).to_have_count(0)
