"""The gateway's pages in a real browser."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from curc_llm.gateway.channel import EngineTarget, KeepGoing
from tests.browser import CHROMIUM, FLAGS
from tests.gateway.conftest import RunningGateway, StartGateway, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]
RECORD = {
    "session_id": "s1",
    "status": "starting",
    "host": "c3gpu-a9-u31-1",
    "slurm_job_id": "1234",
    "base_url": "http://c3gpu-a9-u31-1:41873/v1",
    "chat_url": "http://c3gpu-a9-u31-1:41873/chat/",
    "warnings": ["<b>15 minutes</b> are left of the wall time."],
    "idle_stop_at": None,
}


def make_record(**changes: Any) -> dict[str, Any]:
    now = time.time()
    engine = {
        "served_model_name": "Qwen/Qwen3-0.6B",
        "phase": "downloading",
        "progress": 0.42,
        "detail": "4.2 of 10.0 GiB",
        "expected_ready_s": 250,
        "started_at": now - 80,
        "max_model_len": 32768,
    }
    return {**RECORD, "started_at": now - 100, "ends_at": now + 7300, "engines": [engine], **changes}


@pytest.fixture
async def page(start_gateway: StartGateway) -> AsyncIterator[tuple[Any, RunningGateway]]:
    """A browser's page, and a gateway to open in it; fails on complaints of policy or scripts."""
    playwright = pytest.importorskip("playwright.async_api")
    gateway = await start_gateway()
    complaints: list[str] = []
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = await browser.new_page(viewport={"width": 800, "height": 900})
        tab.set_default_timeout(30_000)
        tab.on("console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        yield tab, gateway
        await browser.close()
    assert [text for text in complaints if "401" not in text and "503" not in text] == []


async def test_a_link_logs_in_and_its_token_leaves_the_address_bar(page: tuple[Any, RunningGateway]) -> None:
    tab, gateway = page
    prefix = f"http://127.0.0.1:{gateway.port}/node/n1/8000"
    link = f"{prefix}/login#token={gateway.login_token(time.time())}"
    await tab.goto(link)
    await tab.wait_for_url(f"{prefix}/chat/")
    assert "The chat is starting" in await tab.inner_text("h1")
    # It loads itself again, and which chat was open stays in the address.
    await tab.goto(f"{prefix}/chat/#chat=c1")
    await tab.evaluate("() => { document.body.dataset.before = '' }")
    await tab.wait_for_selector("body:not([data-before])")
    assert tab.url.endswith("/chat/#chat=c1")
    # A browser that is in stays in; for another one the same link is worth nothing any more.
    await tab.goto("about:blank")
    await tab.goto(link)
    await tab.wait_for_url(f"{prefix}/chat/")
    await tab.context.clear_cookies()
    await tab.goto("about:blank")
    await tab.goto(link)
    await tab.wait_for_selector("#trouble:not([hidden])")
    assert "works once" in await tab.inner_text("#trouble")
    assert "#" not in tab.url


async def test_a_pasted_link_logs_in_too(page: tuple[Any, RunningGateway]) -> None:
    tab, gateway = page
    base = f"http://127.0.0.1:{gateway.port}"
    await tab.goto(f"{base}/status")
    assert "curc-llm endpoint" in await tab.inner_text("main")
    await tab.fill("#token", f"{base}/login#token={gateway.login_token(time.time())}")
    await tab.click("button")
    await tab.wait_for_url(f"{base}/chat/")


async def test_the_status_page_follows_the_session(page: tuple[Any, RunningGateway]) -> None:
    tab, gateway = page
    base = f"http://127.0.0.1:{gateway.port}"
    engines = (EngineTarget("Qwen/Qwen3-0.6B", "/none", "downloading"),)
    await gateway.tell(record=make_record(), engines=engines)
    await tab.goto(f"{base}/login#{gateway.login_token(time.time())}")
    await tab.wait_for_url(f"{base}/chat/")
    await tab.goto(f"{base}/status")
    await tab.wait_for_selector("progress")
    text = await tab.inner_text("main")
    for words in ("The model is starting", "Qwen/Qwen3-0.6B", "4.2 of 10.0 GiB", "about 2 min", "2 h 1 min"):
        assert words in text
    assert "<b>15 minutes</b>" in text  # shown as text, not as a tag
    assert abs(float(await tab.get_attribute("progress", "value")) - 0.42) < 0.01
    ready = make_record(status="ready", idle_stop_at=time.time() + 300)
    ready["engines"][0] |= {"phase": "ready", "progress": None, "detail": ""}
    await gateway.tell(record=ready)
    await tab.wait_for_selector("h1:text-is('Ready')")
    broken = make_record()
    broken["engines"][0] |= {"phase": "failed", "trouble": {"message": "The GPU is full."}}
    await gateway.tell(record=broken)
    await tab.wait_for_selector(f"code:text-is('curc-llm restart {broken['session_id']}')")
    await gateway.tell(record=ready)
    assert await tab.query_selector("progress") is None
    await tab.click("text=Keep it going")
    await wait_for(lambda: KeepGoing() in gateway.messages)


@pytest.mark.parametrize("width", [400, 800, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_fit_every_width(page: tuple[Any, RunningGateway], width: int, scheme: str) -> None:
    tab, gateway = page
    base = f"http://127.0.0.1:{gateway.port}"
    await tab.set_viewport_size({"width": width, "height": 800})
    await tab.emulate_media(color_scheme=scheme)
    await gateway.tell(record=make_record())
    await tab.goto(f"{base}/login")
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert await tab.evaluate(fits)
    await tab.goto(f"{base}/login#{gateway.login_token(time.time())}")
    await tab.wait_for_url(f"{base}/chat/")
    await tab.goto(f"{base}/status")
    await tab.wait_for_selector("progress")
    assert await tab.evaluate(fits)


async def test_the_session_s_own_page_copies_endpoint_and_key(page: tuple[Any, RunningGateway]) -> None:
    tab, gateway = page
    base = f"http://127.0.0.1:{gateway.port}"
    await gateway.tell(record={**make_record(), "base_url": "http://n1:8000/v1"})
    await tab.goto(f"{base}/login#{gateway.login_token(time.time())}")
    await tab.wait_for_url(f"{base}/chat/")
    await tab.goto(f"{base}/status")
    key = gateway.paths.api_key.read_text().strip()
    await tab.click("#show_key")
    await tab.get_by_text(key, exact=True).wait_for()
    assert await tab.inner_text("#key") == key
    await tab.evaluate(
        "document.addEventListener('copy', () => document.body.dataset.copied = getSelection().toString())"
    )
    for name, value in (("url", "http://n1:8000/v1"), ("key", key)):
        # Without https there is no clipboard for scripts: the old way must do.
        await tab.evaluate(
            "Object.defineProperty(window, 'isSecureContext', {value: false, configurable: true})"
        )
        await tab.click(f"[data-copy={name}]")
        await tab.wait_for_selector(f"body[data-copied='{value}']")
    await tab.click("#show_key")
    assert await tab.inner_text("#key") == "hidden"
    assert "Your data." in await tab.inner_text("main")


async def test_the_status_page_tells_an_exchange_and_what_a_model_is_for(
    page: tuple[Any, RunningGateway],
) -> None:
    tab, gateway = page
    base = f"http://127.0.0.1:{gateway.port}"
    swap = {"from_model": "one", "to_model": "two", "phase": "downloading", "detail": "1.0 of 2.0 GiB"}
    engines = [
        {"served_model_name": "one", "phase": "ready", "swap": swap},
        {"served_model_name": "vectors", "phase": "ready", "runner": "pooling"},
    ]
    nodes = [f"c3gpu-a9-u31-{i}" for i in range(4)]
    await gateway.tell(record=make_record(status="ready", engines=engines, preflight={"nodes": nodes}))
    await tab.goto(f"{base}/login#{gateway.login_token(time.time())}")
    await tab.wait_for_url(f"{base}/chat/")
    await tab.goto(f"{base}/status")
    await tab.wait_for_selector(
        "text=two takes the place of one: downloading 1.0 of 2.0 GiB. one still answers."
    )
    assert "it can't chat" in await tab.inner_text("section:has-text('vectors')")
    # Many nodes' names leave the button where it was: beside the headline.
    head, button = await tab.locator("h1").bounding_box(), await tab.locator("#chat").bounding_box()
    assert button["y"] < head["y"] + head["height"]
    going = {**swap, "phase": "going back", "detail": ""}
    await gateway.tell(record=make_record(engines=[{**engines[0], "phase": "loading", "swap": going}]))
    await tab.wait_for_selector("text=two could not start; one is started again.")
