"""The chat's web server: Gradio mounted at /chat, on a unix socket that only its owner can open."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from pathlib import Path

import gradio
import uvicorn
from fastapi import FastAPI

from curc_llm.chat.examples import load_examples
from curc_llm.chat.gateway_client import GatewayClient
from curc_llm.chat.middleware import MOUNT, App, ContentPolicyMiddleware, PrefixMiddleware, RouteMiddleware
from curc_llm.chat.options import ChatOptions
from curc_llm.chat.page import make_page
from curc_llm.chat.page_actions import PageActions, choose_model
from curc_llm.chat.session_watch import SessionWatch, Snapshot
from curc_llm.chat.theme import make_theme, read_script, read_style
from curc_llm.chat.turns import Turns

FIRST_STATUS_WAIT_S = 2.0
GRACE_S = 2


def serve(options: ChatOptions) -> None:
    """Answers on the socket until the process is told to end."""
    listener = bind_private_socket(options.socket)
    try:
        asyncio.run(_serve(options, listener))
    finally:
        options.socket.unlink(missing_ok=True)


async def _serve(options: ChatOptions, listener: socket.socket) -> None:
    app = await make_app(options)
    gc.freeze()
    gc.enable()
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


async def make_app(options: ChatOptions) -> App:
    """Builds the whole ASGI application."""
    client = GatewayClient(options.gateway_socket)
    watch = SessionWatch(client)
    snapshot = await _look_first(watch)
    title = options.title or " · ".join([*snapshot.models[:1], "curc-llm"])
    actions = PageActions(Turns(client, watch), load_examples(options.examples))
    page = make_page(actions, choose_model(snapshot, None), title)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    gradio.mount_gradio_app(
        app,
        page,
        path=MOUNT,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size="1kb",
        ssr_mode=False,
        mcp_server=False,
        theme=make_theme(),
        css=read_style(),
        app_kwargs={"openapi_url": None, "docs_url": None, "redoc_url": None},
    )
    return RouteMiddleware(PrefixMiddleware(ContentPolicyMiddleware(app, read_script())))


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
        return await asyncio.wait_for(watch.look("owner"), FIRST_STATUS_WAIT_S)
    except TimeoutError:
        return Snapshot()
