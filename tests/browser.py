"""One way to start Chromium for all tests that look at a page, and to read its clipboard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",  # the tests run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Without these each start asks for hosts that a closed network refuses.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # This machine by a name that browsers don't trust without https.
    "--host-resolver-rules=MAP portal.test 127.0.0.1",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def wait_for_clipboard(page: Page, fits: Callable[[str], bool], timeout_s: float = 60) -> str:
    """What the clipboard holds, once it fits.

    `page.wait_for_function` can't tell: it takes the promise that a read of the clipboard is for a yes.
    """
    deadline = time.monotonic() + timeout_s
    while not fits(text := page.evaluate("navigator.clipboard.readText()")):
        assert time.monotonic() < deadline, f"the clipboard holds {text!r}"
        page.wait_for_timeout(50)
    return str(text)
