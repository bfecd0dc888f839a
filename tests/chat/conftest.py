from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from curc_llm.chat.gateway_client import GatewayClient
from curc_llm.chat.session_watch import SessionWatch
from tests.chat.conversation import open_context
from tests.fakes.chat_process import ChatProcess
from tests.fakes.fake_gateway import OWNER, FakeGateway, Reply, make_record
from tests.fakes.launched import write_launch
from tests.testbed.portal.front import Front, can_open, open_front


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
def front() -> Iterator[Front | None]:
    """The portal's Apache, through which every page of these tests is opened, the prefix kept.

    Without root and without Apache (`make test-user`) they are opened at the bare port.
    """
    if not can_open():
        yield None
        return
    with open_front(OWNER) as running:
        yield running


@pytest.fixture(scope="session")
def chat(front: Front | None) -> Iterator[ChatProcess]:
    """One chat process for all tests in a browser: its start takes seconds."""
    folder = Path(tempfile.mkdtemp(prefix="cc-"))
    write_launch(folder)
    with FakeGateway(folder, front) as gateway, ChatProcess(gateway) as process:
        yield process
    shutil.rmtree(folder)


@pytest.fixture
def site(chat: ChatProcess) -> FakeGateway:
    """The gateway in front of the chat, as it was at first, and no saved chats."""
    gateway = chat.gateway
    for saved in chat.saved.glob("*"):
        saved.unlink(missing_ok=True)  # a part may have become its file meanwhile
    gateway.record = make_record()
    gateway.default = Reply("Hello there.")
    gateway.count_reply = (200, {"count": 12, "max_model_len": 4096, "tokens": []})
    gateway.metrics = ""
    gateway.figures.clear()
    gateway.replies.clear()
    gateway.requests.clear()
    gateway.nothing_failed = False
    gateway.swaps.clear()
    gateway.fitting, gateway.swap_refusal, gateway.on_swap = [], "", None
    gateway.host_header = ""
    gateway.user = "owner"
    gateway.on_keep_going = gateway.on_restart = None
    gateway.restarts.clear()
    gateway.hold()
    return gateway


@pytest.fixture(scope="module")
def context(browser: Browser, chat: ChatProcess) -> Iterator[BrowserContext]:
    """One for all: so Gradio's files are loaded once."""
    context = open_context(browser, chat.gateway, viewport={"width": 1500, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, site: FakeGateway) -> Iterator[Page]:
    """An empty page, opened as people do: through the portal."""
    page = context.new_page()
    page.goto(site.url())
    page.locator(".example").first.wait_for()
    yield page
    page.close()
