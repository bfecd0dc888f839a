from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from curc_llm.chat.gateway_client import GatewayClient
from curc_llm.chat.session_watch import SessionWatch
from tests.fakes.chat_process import ChatProcess
from tests.fakes.fake_gateway import FakeGateway, Reply, make_record


@pytest.fixture
def socket_dir() -> Iterator[Path]:
    """A folder whose path is short enough for a unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="cc-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def gateway(socket_dir: Path) -> Iterator[FakeGateway]:
    with FakeGateway(socket_dir) as fake:
        yield fake


@pytest.fixture
def client(gateway: FakeGateway) -> GatewayClient:
    return GatewayClient(gateway.socket)


@pytest.fixture
def watch(client: GatewayClient) -> SessionWatch:
    return SessionWatch(client)


@pytest.fixture(scope="session")
def chat() -> Iterator[ChatProcess]:
    """One chat process for all tests in a browser: its start takes seconds."""
    folder = Path(tempfile.mkdtemp(prefix="cc-"))
    with FakeGateway(folder) as gateway, ChatProcess(gateway) as process:
        yield process
    shutil.rmtree(folder)


@pytest.fixture
def site(chat: ChatProcess) -> FakeGateway:
    """The gateway in front of the chat, as it was at first."""
    gateway = chat.gateway
    gateway.record = make_record()
    gateway.default = Reply("Hello there.")
    gateway.replies.clear()
    gateway.requests.clear()
    gateway.host_header = ""
    gateway.on_keep_going = None
    gateway.hold()
    return gateway


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One for all: so Gradio's files are loaded once."""
    context = browser.new_context(viewport={"width": 1000, "height": 800})
    context.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, site: FakeGateway) -> Iterator[Page]:
    """An empty page, opened at the bare address."""
    page = context.new_page()
    page.goto(site.url())
    page.locator(".example").first.wait_for()
    yield page
    page.close()
