"""A model that failed for good: its owner starts it again on the page, and sends the message once more."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.fake_gateway import FakeGateway, make_engine, make_record

pytestmark = pytest.mark.browser

OOM = {"code": "out_of_memory", "message": "The GPU is full.", "remedy": "Use a shorter context."}


def fail(site: FakeGateway, **changes: Any) -> None:
    engine = make_engine(phase="failed", ready_at=None, restarts=2, trouble=OOM)
    site.record = make_record(status="restarting", engines=[engine], **changes)


def starts_again(site: FakeGateway) -> None:
    """What the supervisor makes of a restart."""
    engine = make_engine(phase="restarting", ready_at=None, restarts=3, trouble=OOM)
    site.record = make_record(status="restarting", engines=[engine])


def send(page: Page, text: str) -> None:
    box = page.get_by_label("Your message")
    box.fill(text)
    box.press("Enter")


def test_the_owner_starts_a_failed_model_again_and_asks_again(page: Page, site: FakeGateway) -> None:
    fail(site)
    site.on_restart = lambda: starts_again(site)
    banner = page.locator(".curc-banner")
    expect(banner).to_contain_text("curc-guide has stopped.")
    expect(banner).to_contain_text("The GPU is full. Use a shorter context.")
    send(page, "Are you there?")
    notice = page.locator("[data-testid=bot]")
    expect(notice).to_contain_text("The GPU is full.")
    expect(notice).to_contain_text(
        "Start the model again with the button above, then retry with the arrow below"
    )
    assert site.requests == []

    page.get_by_role("button", name="Start the model again").click()
    expect(banner).to_contain_text("curc-guide is starting again")
    expect(page.get_by_role("button", name="Start the model again")).to_have_count(0)
    assert site.restarts == ["curc-guide"]
    site.record = make_record()
    expect(page.locator("#curc-title")).to_contain_text("ready")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("[data-testid=bot] > .message-content")).to_have_text("Hello there.")


def test_a_refusal_is_told_and_a_second_click_is_not(page: Page, site: FakeGateway) -> None:
    fail(site)
    button = page.get_by_role("button", name="Start the model again")
    button.wait_for()
    site.nothing_failed = True  # somebody else was quicker; the page doesn't know yet
    button.click()
    site.wait_for(lambda g: g.restarts == ["curc-guide"])
    expect(page.get_by_text("Not started again")).to_have_count(0)
    button.wait_for()
    site.is_down = True
    button.click()
    expect(page.get_by_text("Not started again")).to_be_visible()
    site.is_down = False


def test_a_session_that_is_over_shows_the_line_that_launches_it_again(page: Page, site: FakeGateway) -> None:
    site.record = make_record(status="failed", slurm_job_id="77", reason=OOM)
    banner = page.locator(".curc-banner")
    expect(banner).to_contain_text("The session has ended. The GPU is full.")
    expect(banner.locator("code")).to_have_text("curc-llm repeat local-1")
    expect(banner).to_contain_text("My Interactive Sessions")
    banner.get_by_role("button", name="Copy").click()
    expect(banner.get_by_role("button", name="Copied")).to_be_visible()


def test_a_guest_sees_that_it_failed_and_no_button(page: Page, site: FakeGateway) -> None:
    fail(site)
    site.user = "ana"
    page.goto(site.url())
    expect(page.locator(".curc-banner")).to_contain_text("Ask the session's owner")
    expect(page.locator(".curc-banner")).to_contain_text("curc-guide has stopped.")
    expect(page.get_by_role("button", name="Start the model again")).to_have_count(0)


def test_what_is_over_can_be_closed_and_the_next_one_is_told(page: Page, site: FakeGateway) -> None:
    again = make_engine(restarts=1, trouble=OOM, ready_at=time.time() - 9)
    site.record = make_record(engines=[again])
    banner = page.locator(".curc-banner")
    expect(banner).to_contain_text("curc-guide was started again.")
    page.get_by_role("button", name="Close the notice").click()
    expect(banner).to_be_hidden()
    expect(page.locator("#curc-notice")).to_be_hidden()
    site.record = make_record(engines=[{**again, "restarts": 2, "ready_at": time.time() - 1}])
    expect(banner).to_be_visible()
    expect(banner).to_contain_text("curc-guide was started again.")
