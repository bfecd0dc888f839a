"""The chat's web server: Gradio mounted at /chat, on a unix socket that only its owner can open."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
from pathlib import Path

import gradio
import uvicorn
import uvloop
from fastapi import FastAPI

from curc_llm.attachments import Uploads
from curc_llm.attachments.limits import DEFAULT_LIMITS, MIB
from curc_llm.chat.attach_actions import AttachActions
from curc_llm.chat.blocks import save_on_login
from curc_llm.chat.code_actions import CodeActions
from curc_llm.chat.desks import Desks
from curc_llm.chat.examples import load_examples
from curc_llm.chat.gateway_client import GatewayClient
from curc_llm.chat.housekeeping import keep_house_of_all
from curc_llm.chat.launched import SESSIONS
from curc_llm.chat.middleware import MOUNT, App, ContentPolicyMiddleware, PrefixMiddleware, RouteMiddleware
from curc_llm.chat.model_facts import ModelFactsShelf
from curc_llm.chat.options import ChatOptions
from curc_llm.chat.page import Actions, make_page
from curc_llm.chat.page_middleware import PageMiddleware
from curc_llm.chat.panel_actions import PanelActions
from curc_llm.chat.prompt_actions import PromptActions
from curc_llm.chat.rate_actions import RateActions
from curc_llm.chat.restart_actions import RestartActions
from curc_llm.chat.session_eyes import SessionEyes
from curc_llm.chat.session_watch import SessionWatch, Snapshot, choose_model
from curc_llm.chat.shelf_actions import ShelfActions
from curc_llm.chat.swap_actions import SwapActions
from curc_llm.chat.talk_actions import TalkActions
from curc_llm.chat.theme import make_theme, read_script, read_style
from curc_llm.chat.turns import Turns
from curc_llm.json_schema import check_schema
from curc_llm.session.keys import OWNER

FIRST_STATUS_WAIT_S = 2.0
GRACE_S = 2
AHEAD_S = 5.0
MOST_UPLOAD_BYTES = int(DEFAULT_LIMITS.max_upload_mib * MIB)
# How long a thread may keep the interpreter while the loop waits for it. Python's own 5 ms, at each of the
# many steps that Gradio takes in threads, is what a hundred people would wait for.
SWITCH_S = 0.0005


def serve(options: ChatOptions) -> None:
    """Answers on the socket until the process is told to end."""
    listener = bind_private_socket(options.socket)
    sys.setswitchinterval(SWITCH_S)
    try:
        uvloop.run(_serve(options, listener))
    finally:
        options.socket.unlink(missing_ok=True)


async def _serve(options: ChatOptions, listener: socket.socket) -> None:
    app = await make_app(options)
    gc.freeze()
    # As in the gateway: by default a hundred people's pages are looked through again and again.
    gc.set_threshold(10_000, 20, 50)
    gc.enable()
    housekeeping = asyncio.create_task(asyncio.to_thread(keep_house_of_all, options))
    ahead = asyncio.create_task(import_ahead())
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
        ws="none",
    )
    # asyncio's own complaints about connections that broke off would fill the log.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    await uvicorn.Server(config).serve(sockets=[listener])
    ahead.cancel()
    await housekeeping


async def import_ahead(wait_s: float = AHEAD_S) -> None:
    """Imports `jsonschema` and its drafts, once the first page was served.

    Else the first person who writes a JSON schema would wait for it, and everybody else with them.

    Args:
        wait_s: how long the process is left to its first page.
    """
    await asyncio.sleep(wait_s)
    await asyncio.to_thread(check_schema, {"type": "object"})


async def make_app(options: ChatOptions) -> App:
    """Builds the whole ASGI application."""
    client = GatewayClient(options.gateway_socket)
    watch = SessionWatch(client)
    snapshot = await _look_first(watch)
    title = options.title or " · ".join([*snapshot.models[:1], "curc-llm"])
    page = _make_page(Turns(client, SessionEyes(client, watch)), options, choose_model(snapshot, None), title)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    gradio.mount_gradio_app(
        app,
        page,
        path=MOUNT,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=MOST_UPLOAD_BYTES,
        ssr_mode=False,
        mcp_server=False,
        theme=make_theme(),
        css=read_style(),
        app_kwargs={"openapi_url": None, "docs_url": None, "redoc_url": None},
    )
    save_on_login(page)
    return RouteMiddleware(PageMiddleware(PrefixMiddleware(ContentPolicyMiddleware(app, read_script()))))


def _make_page(turns: Turns, options: ChatOptions, model: str, title: str) -> gradio.Blocks:
    desks, models = Desks(options.state_dir), ModelFactsShelf(options.hf_home)
    inbox = Path(os.environ["GRADIO_TEMP_DIR"])
    attach = AttachActions(desks, Uploads(options.socket.parent / "uploads", inbox=inbox))
    actions = Actions(
        TalkActions(turns, desks, models),
        ShelfActions(turns, desks, {**attach.commands, **PromptActions().commands, **RateActions().commands}),
        attach,
        PanelActions(turns, desks, models, options.state_dir, load_examples(options.examples)),
        CodeActions(turns, desks, models, options.state_dir / SESSIONS),
        RestartActions(turns, desks),
        SwapActions(turns, desks),
    )
    return make_page(actions, model, title)


def bind_private_socket(path: Path) -> socket.socket:
    """Binds a unix socket of mode 0600.

    uvicorn's own `uds` would make it 0666.

    Raises:
        OSError: the folder isn't there, or the path is too long.
    """
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener


async def _look_first(watch: SessionWatch) -> Snapshot:
    """What the session serves, if the gateway says so soon; the page asks again when it is opened."""
    try:
        return await asyncio.wait_for(watch.look(OWNER), FIRST_STATUS_WAIT_S)
    except TimeoutError:
        return Snapshot()
