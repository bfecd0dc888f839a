"""A person at the portal: what they click, type and see, in a real browser."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from tests.testbed.portal.portal import Portal

PAGES = "/pun/sys/dashboard"
FORM = "#batch_connect_session_context_"
# Where to put pictures of what was seen, for people to look at; nowhere when not set.
SHOTS = os.environ.get("CURC_LLM_SHOTS", "")


@dataclass
class Visit:
    """A browser window of one user of the portal.

    Args:
        portal: the portal.
        page: the window.
        user: Unix user.
        origin: address of the portal as this person typed it.
    """

    portal: Portal
    page: Page
    user: str
    origin: str

    def log_in(self) -> None:
        """Ends on the portal's home page."""
        self.page.goto(self.origin)
        self.page.fill("#user", self.portal.login_of(self.user))
        self.page.fill("#password", self.portal.password_of(self.user))
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url("**/dashboard")

    def open_home(self) -> None:
        self.page.goto(self.origin + PAGES)

    def open_app(self) -> None:
        self.page.locator(".app-tile").click()
        self.page.locator(FORM + "llm_model").wait_for()

    def fill_in(self, **values: str) -> None:
        """Chooses and types; names as the form's ids."""
        for name, value in values.items():
            field = self.page.locator(FORM + name)
            if field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)

    def launch(self) -> None:
        """Presses Launch; ends on the list of sessions."""
        self.page.get_by_role("button", name="Launch").click()
        self.page.wait_for_url("**/batch_connect/sessions")
        self.card.wait_for()

    def launch_demo(self) -> None:
        """The model that needs no GPU, from the home page on."""
        self.open_home()
        self.open_app()
        self.fill_in(llm_model="own", llm_own_model="demo", llm_gpus="a100-40gb-x1", bc_num_hours="1")
        self.launch()

    def open_sessions(self) -> None:
        self.page.goto(f"{self.origin}{PAGES}/batch_connect/sessions")
        self.card.wait_for()

    @property
    def card(self) -> Locator:
        """The newest session's card."""
        return self.page.locator(".session-panel").first

    def wait_for_state(self, state: str, timeout_s: float = 30) -> None:
        """The portal's word at the top of the newest card."""
        expect(self.card).to_have_attribute("data-status", state, timeout=timeout_s * 1000)

    def wait_until_ready(self, timeout_s: float = 240) -> None:
        """Until the card shows the endpoint."""
        expect(self.part("endpoint")).to_be_visible(timeout=timeout_s * 1000)

    @property
    def portal_id(self) -> str:
        """The portal's id of the newest session."""
        return str(self.card.get_attribute("data-id"))

    def part(self, name: str) -> Locator:
        """A piece of the newest card by the name that the app gives it."""
        return self.page.locator(f"#llm-{self.portal_id}-{name}")

    def staged(self) -> Path:
        """The folder that the portal staged for the newest session."""
        output = "ondemand/data/sys/dashboard/batch_connect/sys/curc-llm/output"
        return self.portal.bed.home(self.user) / output / self.portal_id

    def open_chat(self) -> Page:
        """Presses Open chat; the chat's own window."""
        with self.page.expect_popup() as popup:
            self.page.get_by_role("button", name="Open chat").first.click()
        chat = popup.value
        chat.wait_for_url("**/chat/**", timeout=30_000)
        return chat

    def shoot(self, name: str, *, whole: bool = False) -> None:
        """Pictures of the newest card (or the whole page), wide and narrow, when somebody wants to look."""
        if not SHOTS:
            return
        size = self.page.viewport_size
        for width in (1280, 800):
            self.page.set_viewport_size({"width": width, "height": 900})
            path = f"{SHOTS}/{name}-{width}.png"
            if whole:
                self.page.screenshot(path=path, full_page=True)
            else:
                self.card.screenshot(path=path)
        if size:
            self.page.set_viewport_size(size)


@contextmanager
def visiting(
    browser: Browser, portal: Portal, user: str, variant: str = "new", host: str = "127.0.0.1", **options: Any
) -> Iterator[Visit]:
    """A user who is logged in, in a browser window without any past."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, ignore_https_errors=True, **options
    )
    context.set_default_timeout(60_000)
    origin = portal.address(variant).replace("127.0.0.1", host)
    visit = Visit(portal, context.new_page(), user, origin)
    try:
        visit.log_in()
        yield visit
    finally:
        context.close()


def wait_until(condition: Callable[[], Any], timeout_s: float = 20, what: str = "it") -> Any:
    """Awaits something true; fails the test when it doesn't come."""
    end = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come true in {timeout_s} s"
        time.sleep(0.2)
    return value
