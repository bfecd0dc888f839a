"""When a person sees the first token in Chromium, and when the engine has it: the demo model on real vLLM."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from chat_runs import try_quietly
from connect import find_engine_socket, run_demo, time_http
from method import rotate
from playwright.sync_api import Browser, Page, sync_playwright
from quiet import Bystanders, Patience

from curc_llm.session.login import make_login_token
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.session.store import read_record

ENGINE, CHROMIUM = "engine, its own socket", "Chromium, on the page"
SCENARIO = "first token"
QUESTION = "How do I start a session?"
# No sandbox and no GPU: it runs as root on machines without one.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
LIMIT_MS = 60_000
KEY_MS = 50  # a person who types fast
NUM_QUESTIONS = 5
Row = dict[str, Any]

# The clock runs from the key to the first frame in which a letter of the answer is on the screen. Whatever
# folds (reasoning, waiting, figures) is no answer.
WATCH = """() => {
    const count = () => [...document.querySelectorAll("[data-testid=bot]")]
        .filter((e) => !e.closest(".thought-group") && e.textContent.trim()).length;
    const before = count();
    window.firstToken = new Promise((resolve) => {
        addEventListener("keydown", (e) => {
            if (e.key !== "Enter") return;
            const began = performance.now();
            const look = () => {
                if (count() > before) requestAnimationFrame(() => resolve(performance.now() - began));
                else requestAnimationFrame(look);
            };
            look();
        }, { capture: true, once: true });
    });
}"""


@contextlib.contextmanager
def run_chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser: Browser, port: int, login_secret: Path) -> Page:
    """A new window with the chat of a gateway, through a one-use link."""
    page = browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
    page.set_default_timeout(LIMIT_MS)
    page.goto(f"http://127.0.0.1:{port}/login#{make_login_token(login_secret, time.time())}")
    page.get_by_role("button", name="Send").wait_for()
    return page


def time_page(page: Page) -> float:
    """Seconds from Enter to the first token on the screen; returns once the answer is whole."""
    page.get_by_label("Your message").press_sequentially(QUESTION, delay=KEY_MS)
    page.evaluate(WATCH)
    page.get_by_label("Your message").press("Enter")
    seconds = float(page.evaluate("window.firstToken")) / 1000
    page.get_by_role("button", name="Send").wait_for()
    return seconds


def compare_first_tokens(folder: Path, repeats: int, patience: Patience) -> list[Row]:
    """The engine asked directly and the page, by turns; a new conversation each time."""
    rows: list[Row] = []
    with run_demo(folder) as paths, run_chromium() as browser:
        record = read_record(paths.record)
        assert record is not None
        ways = {
            ENGINE: lambda: time_engine(record, paths),
            CHROMIUM: lambda: time_new_chat(browser, record, paths),
        }
        for way in ways.values():
            way()
        for repeat in range(repeats):
            for name in rotate(list(ways), repeat):
                row = try_quietly(patience, lambda n=name: measure(n, ways[n]))
                rows.append({"repeat": repeat, **row})
    return rows


def time_engine(record: SessionRecord, paths: SessionPaths) -> float:
    """Seconds to the first token on the engine's socket; the median of a few questions."""
    key = paths.api_key.read_text().strip()
    return time_http(find_engine_socket(record), record.engines[0].served_model_name, key)["total_s"]


def time_new_chat(browser: Browser, record: SessionRecord, paths: SessionPaths) -> float:
    """The same on a page that was just opened; the median of a few questions, each in a conversation anew."""
    times = []
    for _ in range(NUM_QUESTIONS):
        page = open_page(browser, record.port, paths.login_secret)
        times.append(time_page(page))
        page.context.close()
    return median(times)


def measure(name: str, way: Callable[[], float]) -> Row:
    """One row."""
    others = Bystanders()
    first_s = way()
    row = {"server": name, "scenario": SCENARIO, "first_s": round(first_s, 4)}
    return {**row, "others_cores": round(others.cores(), 2)}
