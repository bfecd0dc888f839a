"""The session's side of the page: what it shows, the key, and what a person is told."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser import wait_for_clipboard
from tests.chat.conversation import open_tab
from tests.fakes.chat_process import ChatProcess
from tests.fakes.fake_gateway import KEY, FakeGateway, make_engine, make_record

pytestmark = pytest.mark.browser
BASE_URL = "http://h1.example:4711/v1"
METRICS = 'vllm:num_requests_waiting{engine="0"} 3.0\nvllm:kv_cache_usage_perc{engine="0"} 0.42\n'


def show_session(page: Page, site: FakeGateway) -> None:
    page.reload()
    open_tab(page, "Session")
    expect(page.locator("#curc-session")).to_contain_text("local-1")


def test_the_tab_says_where_it_runs_how_long_and_how_busy_it_is(page: Page, site: FakeGateway) -> None:
    site.metrics, site.figures = METRICS, {"running": 4, "tokens_per_s": 87.4}
    site.record = make_record(base_url=BASE_URL, ends_at=time.time() + 7260, slurm_job_id="123")
    time.sleep(4.1)  # the metrics are asked for that often at most
    show_session(page, site)
    tab = page.locator("#curc-session")
    expect(tab).to_contain_text("h1, job 123")
    expect(tab.get_by_role("row", name="Time left")).to_contain_text("2 h")
    expect(tab.get_by_role("row", name="Requests now")).to_contain_text("4, 3 of them waiting")
    expect(tab.get_by_role("row", name="Speed now")).to_contain_text("87 tokens/s")
    expect(tab.get_by_role("row", name="KV cache used")).to_contain_text("42%")
    expect(tab).to_contain_text(BASE_URL)
    expect(tab).to_contain_text("Chats are kept for ever, up to 1 GiB in all; deleted ones for 30 days.")
    expect(tab).to_contain_text("Uploaded files are gone once they are read")


def test_the_tab_says_how_many_su_are_spent_and_left_and_a_guest_sees_none(
    page: Page, site: FakeGateway
) -> None:
    """Half of the first of two hours of an l40 with 6 cores, 114.6 SU an hour (tests/fakes/launched.py)."""
    site.record = make_record(started_at=time.time() - 1800, ends_at=time.time() + 5401)
    show_session(page, site)
    tab = page.locator("#curc-session")
    expect(tab.get_by_role("row", name="Time left")).to_contain_text("1 h 30 min")
    expect(tab.get_by_role("row", name="Cost")).to_contain_text(
        re.compile(r"57\.\d of at most 229 SU; 17[12] SU left")
    )
    expect(page.locator("#curc-title")).to_contain_text("1 h 30 min left")
    site.user = "ana"
    page.reload()
    open_tab(page, "Session")
    expect(tab.get_by_role("row", name="Time left")).to_contain_text("1 h")
    expect(tab.get_by_role("row", name="Cost")).to_have_count(0)


def test_the_key_is_hidden_until_asked_for(page: Page, site: FakeGateway) -> None:
    site.record = make_record(base_url=BASE_URL)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    show_session(page, site)
    expect(page.locator("#curc-key")).to_have_text("hidden")
    assert KEY not in page.content()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#curc-key")).to_have_text(KEY)
    page.wait_for_timeout(1500)  # the tab is drawn anew each second or so; the key stays
    expect(page.locator("#curc-key")).to_have_text(KEY)
    page.get_by_role("button", name="Hide", exact=True).click()
    expect(page.locator("#curc-key")).to_have_text("hidden")
    assert KEY not in page.content()
    page.locator('[data-curc-act="copy-key"]').click()
    wait_for_clipboard(page, lambda text: text == KEY)


def test_a_session_that_has_handed_over_leads_to_the_next_ones_page(page: Page, site: FakeGateway) -> None:
    after = {"session_id": "slurm-next", "job_id": "78", "phase": "ready", "is_done": True}
    site.record = make_record(successor="slurm-next", hand_over=after, ends_at=time.time() + 280)
    banner = page.locator(".curc-banner")
    expect(banner).to_contain_text("The session goes on as slurm-next.")
    show_session(page, site)
    expect(page.locator("#curc-session").get_by_role("row", name="Goes on as")).to_contain_text("slurm-next")
    banner.get_by_role("button", name="Go to its page").click()
    page.wait_for_url("**/chat/?next=1**")
    page.go_back()
    expect(banner).to_contain_text("The session goes on as slurm-next.")
    page.route("**/successor", lambda route: route.abort())  # the old job has ended; the page is still open
    banner.get_by_role("button", name="Go to its page").click()
    told = page.locator("#curc-told")
    expect(told).to_contain_text("This session doesn't answer; it goes on as slurm-next")
    expect(told).to_contain_text("curc-llm tunnel slurm-next")


def test_the_endpoint_is_copied(page: Page, site: FakeGateway) -> None:
    site.record = make_record(base_url=BASE_URL)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    show_session(page, site)
    page.locator('#curc-session [data-curc-act="copy"]').first.click()
    wait_for_clipboard(page, lambda text: text == BASE_URL)


def test_a_warning_before_the_end_of_the_wall_time(page: Page, site: FakeGateway) -> None:
    site.record = make_record(ends_at=time.time() + 240)
    page.reload()
    expect(page.locator("#curc-notice")).to_contain_text("The session's time is up in 4 min.")
    expect(page.locator("#curc-notice")).not_to_contain_text("isn't kept")
    expect(page.get_by_role("button", name="Keep going")).to_be_hidden()


def test_a_model_that_failed_is_told_with_its_remedy(page: Page, site: FakeGateway) -> None:
    oom = {"code": "oom", "message": "The GPU is full.", "remedy": "Use a shorter context."}
    site.record = make_record(engines=[make_engine(phase="failed", trouble=oom)])
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("The GPU is full.")
    expect(page.get_by_role("alert")).to_contain_text("Use a shorter context.")


def test_the_logs_are_named(page: Page, site: FakeGateway, chat: ChatProcess) -> None:
    logs = chat.gateway.folder / "sessions/local-1/logs"
    logs.mkdir(parents=True, exist_ok=True)
    show_session(page, site)
    expect(page.locator("#curc-session")).to_contain_text(str(logs))
