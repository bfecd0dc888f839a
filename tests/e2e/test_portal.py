"""A researcher at the portal: form, Launch, card, chat; on real Slurm, through Apache, with real vLLM."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.portal_visit import PAGES, Visit, visiting, wait_until
from tests.e2e.questions import FIRST
from tests.testbed.bed import Bed
from tests.testbed.login import Login
from tests.testbed.portal.portal import Portal

pytestmark = [
    pytest.mark.slurm, pytest.mark.root, pytest.mark.slow, pytest.mark.browser, pytest.mark.engine
]  # fmt: skip


@pytest.fixture(scope="module")
def portal(slurm_bed: Bed) -> Iterator[Portal]:
    slurm_bed.clear()
    for user in slurm_bed.ground.users:  # cards of earlier runs
        shutil.rmtree(slurm_bed.home(user) / "ondemand", ignore_errors=True)
    with Portal(slurm_bed, options={"POLL_MS": "1500"}) as running:
        yield running
    slurm_bed.clear()


@pytest.fixture(scope="module")
def anna(browser: Browser, portal: Portal) -> Iterator[Visit]:
    """The researcher, with the demo model running."""
    permissions = ["clipboard-read", "clipboard-write"]
    with visiting(browser, portal, portal.bed.ground.user, permissions=permissions) as visit:
        visit.launch_demo()
        visit.wait_for_state("running")
        expect(visit.page.get_by_role("button", name="Open chat")).to_be_visible()
        visit.shoot("starting")
        visit.wait_until_ready()
        visit.shoot("ready")
        yield visit


def ask(chat: Page, question: str, answer: str) -> int:
    """Asks in the chat and waits for the answer; how many times the page changed on the way."""
    box = chat.get_by_role("textbox", name="Message").first
    expect(box).to_be_visible(timeout=30_000)
    chat.evaluate(
        "window.seen = new Set(); new MutationObserver(() => window.seen.add(document.body.innerText.length))"
        ".observe(document.body, {subtree: true, childList: true, characterData: true})"
    )
    box.fill(question)
    box.press("Enter")
    expect(chat.locator("body")).to_contain_text(answer, timeout=60_000)
    return int(chat.evaluate("window.seen.size"))


def expected_answer() -> str:
    return FIRST["answer"].split(".")[0].replace("`", "")


def test_three_clicks_from_the_portal_s_home_page_to_a_streamed_answer(
    anna: Visit, browser: Browser, portal: Portal
) -> None:
    """The form remembers what was entered the last time, so the second launch needs no typing at all."""
    with visiting(browser, portal, anna.user) as visit:
        visit.open_app()  # 1
        visit.launch()  # 2
        visit.wait_for_state("running")
        chat = visit.open_chat()  # 3
        expect(chat.get_by_role("textbox", name="Message").first).to_be_visible(timeout=30_000)
        assert "/node/tn" in chat.url
        assert "token" not in chat.url
        chat.close()
        visit.page.on("dialog", lambda dialog: dialog.accept())
        visit.card.get_by_role("button", name="Delete").click()  # its model needn't load too
        visit.page.wait_for_load_state()
    anna.open_sessions()
    chat = anna.open_chat()
    assert ask(chat, FIRST["question"], expected_answer()) >= 3
    chat.close()


@pytest.mark.parametrize("variant", ["old", "tls"])
def test_the_chat_opens_through_every_kind_of_portal(
    anna: Visit, browser: Browser, portal: Portal, variant: str
) -> None:
    with visiting(browser, portal, anna.user, variant) as visit:
        visit.open_sessions()
        chat = visit.open_chat()
        expect(chat.get_by_role("textbox", name="Message").first).to_be_visible(timeout=30_000)
        cookie = next(c for c in chat.context.cookies() if c["name"].startswith("curc_llm_"))
        assert cookie["secure"] is (variant == "tls")
        assert cookie["httpOnly"]
        assert cookie["path"].startswith("/node/tn")


def test_copy_buttons_put_what_they_show_into_the_clipboard(anna: Visit) -> None:
    anna.open_sessions()
    key = (anna.staged() / "session" / "api.key").read_text().strip()
    record = json.loads((anna.staged() / "session" / "session.json").read_text())
    assert copy(anna, "endpoint") == record["base_url"]
    assert copy(anna, "model") == "curc-guide"
    anna.part("key-box").locator("summary").click()
    assert copy(anna, "key") == key
    anna.part("tab-python").locator("summary").click()
    assert f'base_url="{record["base_url"]}"' in copy(anna, "code-python")


def copy(visit: Visit, name: str) -> str:
    visit.page.evaluate("() => navigator.clipboard.writeText('')")
    visit.part(f"copy-{name}").click()
    read = "() => navigator.clipboard.readText()"
    return str(wait_until(lambda: visit.page.evaluate(read), what=f"{name} in the clipboard"))


def test_copy_buttons_work_on_plain_http_too(anna: Visit, browser: Browser, portal: Portal) -> None:
    with visiting(browser, portal, anna.user, host="portal.test") as visit:
        assert visit.page.evaluate("() => window.isSecureContext") is False
        visit.open_sessions()
        visit.part("copy-endpoint").click()
        visit.page.evaluate(
            "() => document.body.insertAdjacentHTML('afterbegin', '<textarea id=paste></textarea>')"
        )
        visit.page.locator("#paste").press("Control+v")
        assert visit.page.locator("#paste").input_value() == visit.part("endpoint").input_value()


def test_what_was_opened_stays_open_when_the_portal_redraws_the_card(anna: Visit) -> None:
    anna.open_sessions()
    anna.part("tab-curl").locator("summary").click()
    for _ in range(2):
        anna.page.evaluate("id => document.getElementById(id).dataset.old = 1", f"id_{anna.portal_id}")
        wait_until(lambda: anna.card.get_attribute("data-old") is None, what="a new card")
        expect(anna.part("code-curl")).to_be_visible()


def test_the_card_s_examples_work_as_they_stand(anna: Visit, portal: Portal) -> None:
    anna.open_sessions()
    shells = {"curl": ["bash", "-euc"], "python": [sys.executable, "-c"]}
    for name, shell in shells.items():
        text = anna.part(f"code-{name}").evaluate("code => code.textContent")
        command = [*portal.bed.knowing_nodes(), *portal.bed.as_user(anna.user), *shell, text]
        environment = portal.bed.user_environment(anna.user)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd="/")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)["choices"][0]["message"]["content"] if name == "curl" else done.stdout
        assert said.strip()


def test_nobody_else_gets_into_the_session(anna: Visit, browser: Browser, portal: Portal) -> None:
    record = json.loads((anna.staged() / "session" / "session.json").read_text())
    path = f"/node/{record['host']}/{record['port']}/chat/"
    cookies: Any = [c for c in anna.page.context.cookies() if c["name"].startswith("curc_llm_")]
    for user in (portal.bed.ground.neighbour, portal.bed.ground.guest):
        forged = {"X-Forwarded-User": anna.user}
        with visiting(browser, portal, user, extra_http_headers=forged) as visit:
            visit.page.context.add_cookies(cookies)
            answer = visit.page.goto(visit.origin + path)
            assert answer is not None
            assert answer.status == 403
            expect(visit.page.get_by_role("textbox", name="Message")).to_have_count(0)


def test_a_guest_gets_in_through_the_portal_by_their_link_and_nobody_else_does(
    anna: Visit, browser: Browser, portal: Portal
) -> None:
    session = (anna.staged() / "session").resolve()
    owner = Login(portal.bed, anna.user, {"CURC_LLM_STATE_DIR": str(session.parents[1])})
    guest = portal.bed.ground.neighbour
    link = urlsplit(owner.ask_json("share", guest, "-s", session.name)["link"])
    way_in = f"{link.path}#{link.fragment}"
    with visiting(browser, portal, guest) as ben:
        ben.page.goto(ben.origin + way_in)
        ben.page.wait_for_url("**/chat/**")
        assert "/node/tn" in ben.page.url
        expect(ben.page.locator("body")).to_contain_text(f"You are a guest in {anna.user}'s session")
        ask(ben.page, FIRST["question"], expected_answer())
        expect(ben.page.locator("#curc-chats .curc-open").first).to_contain_text(FIRST["question"][:20])
        with visiting(browser, portal, portal.bed.ground.guest) as eve:
            eve.page.goto(eve.origin + way_in)
            expect(eve.page.locator("body")).to_contain_text("belongs to another user")
        # A guest by name would find them in the next session.
        owner.curc_llm("share", "revoke", guest, "--delete-chats", "-s", session.name)
        ben.page.reload()
        expect(ben.page.get_by_role("textbox", name="Message")).to_have_count(0)


def test_with_the_portal_s_content_policy_on_everything_is_there_but_the_copy_buttons(
    anna: Visit, browser: Browser, portal: Portal
) -> None:
    portal.restart_pages(anna.user, CSP="1")
    try:
        with visiting(browser, portal, anna.user) as visit:
            visit.open_sessions()
            expect(visit.part("endpoint")).to_be_visible()
            expect(visit.part("copy-endpoint")).to_be_hidden()
            visit.part("tab-curl").locator("summary").click()
            expect(visit.part("code-curl")).to_be_visible()
            visit.shoot("policy")
            box = visit.open_chat().get_by_role("textbox", name="Message").first
            expect(box).to_be_visible(timeout=30_000)
    finally:
        portal.restart_pages(anna.user)


@pytest.mark.parametrize("version", ["3.1", "4.1"])
def test_older_portals_show_form_and_card_too(
    anna: Visit, browser: Browser, portal: Portal, version: str
) -> None:
    portal.restart_pages(anna.user, VERSION=version)
    try:
        with visiting(browser, portal, anna.user) as visit:
            visit.open_app()
            expect(visit.page.get_by_role("button", name="Launch")).to_be_visible()
            visit.open_sessions()
            expect(visit.page.locator(".alert-danger")).to_have_count(0)
            expect(visit.part("endpoint")).to_be_visible()
            expect(visit.part("open")).to_be_visible()
    finally:
        portal.restart_pages(anna.user)


def test_a_launch_that_cannot_be_is_refused_above_the_form(anna: Visit, portal: Portal) -> None:
    jobs = portal.bed.run("squeue", "-h", "-o", "%i").stdout
    anna.open_home()
    anna.open_app()
    hours = anna.page.locator("#batch_connect_session_context_bc_num_hours")
    hours.evaluate("field => { field.form.noValidate = true; field.value = '1000' }")
    anna.page.get_by_role("button", name="Launch").click()
    alert = anna.page.get_by_role("alert")
    expect(alert).to_contain_text("1000")
    anna.shoot("refused", whole=True)
    assert portal.bed.run("squeue", "-h", "-o", "%i").stdout == jobs


def test_a_user_with_an_at_in_the_name_gets_into_their_own_session(browser: Browser, portal: Portal) -> None:
    with visiting(browser, portal, portal.bed.ground.guest) as eve:
        eve.launch_demo()
        eve.wait_for_state("running")
        chat = eve.open_chat()
        assert chat.url.startswith(eve.origin + "/node/tn")
        answer = chat.goto(chat.url.replace("/chat/", "/status"))
        assert answer is not None
        assert answer.status == 200
        expect(chat.locator("body")).to_contain_text("curc-guide")
        chat.close()
        eve.page.on("dialog", lambda dialog: dialog.accept())
        eve.card.get_by_role("button", name="Delete").click()
        expect(eve.page.locator(".session-panel")).to_have_count(0)


def test_cancel_relaunch_wait_and_nothing_is_left(browser: Browser, portal: Portal, anna: Visit) -> None:
    portal.restart_pages(anna.user, CAN_CANCEL="1")
    anna.page.on("dialog", lambda dialog: dialog.accept())
    anna.open_sessions()
    session = (anna.staged() / "session").resolve()
    cancel(anna)
    expect(anna.card).to_contain_text("stopped by its owner")
    anna.shoot("ended-well")
    wait_until(lambda: not (session / "api.key").exists(), 10, "the key's end")
    wait_until(lambda: not processes_on_nodes(portal.bed), 10, "the processes' end")
    before = anna.portal_id
    nodes = ",".join(node.name for node in portal.bed.ground.nodes)
    portal.bed.run("scontrol", "update", f"nodename={nodes}", "state=drain", "reason=maintenance")
    try:
        anna.card.get_by_role("button", name="Relaunch").click()
        anna.wait_for_state("queued")
        assert anna.portal_id != before
        form = json.loads((anna.staged() / "user_defined_context.json").read_text())
        assert (form["llm_model"], form["llm_own_model"]) == ("own", "demo")
        anna.shoot("queued")
    finally:
        portal.bed.run("scontrol", "update", f"nodename={nodes}", "state=resume")
    anna.wait_for_state("running", 60)
    cancel(anna)


def cancel(visit: Visit) -> None:
    visit.card.get_by_role("button", name="Cancel").click()
    visit.wait_for_state("completed")


def processes_on_nodes(bed: Bed) -> list[str]:
    """Command lines of a session's processes on the nodes."""
    lines = []
    for node in bed.ground.nodes:
        done = subprocess.run(["ip", "netns", "pids", node.namespace], capture_output=True, text=True)
        for pid in done.stdout.split():
            shown = subprocess.run(["ps", "-o", "args=", "-p", pid], capture_output=True, text=True).stdout
            if "slurmd" not in shown and "slurmstepd" not in shown and shown.strip():
                lines.append(shown.strip())
    return lines


def test_the_home_page_leads_to_app_and_sessions(anna: Visit) -> None:
    anna.page.goto(anna.origin + PAGES)
    expect(anna.page.get_by_role("link", name="My Interactive Sessions")).to_be_visible()
    expect(anna.page.locator(".app-tile")).to_have_count(1)
