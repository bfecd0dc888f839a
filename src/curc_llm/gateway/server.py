"""The gateway's process: opens its two listeners, follows the control channel, and ends when that closes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from uvicorn import Config, Server

from curc_llm.errors import CurcLlmError
from curc_llm.gateway.assembly import Gateway
from curc_llm.gateway.bind import bind_port, bind_private_socket
from curc_llm.gateway.channel import (
    Bound,
    Channel,
    Failed,
    GatewayConfig,
    GatewayState,
    Outcome,
    open_channel,
)
from curc_llm.gateway.protocol import make_protocol
from curc_llm.session.paths import SessionPaths

_log = logging.getLogger("curc_llm.gateway")
_ENDING_S = 1.0
_TICK_S = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class QuietServer(Server):
    """The server of uvicorn without its hands on signals: they belong to the process, not to a listener."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()
        self._stopped = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says when it is up."""
        await super().startup(sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        """Renews the Date header once a second, until `stop`."""
        while not self.should_exit:
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._stopped.wait()

    def stop(self) -> None:
        """Ends the server."""
        self.should_exit = True
        self._stopped.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes the listeners, gives answers that end now a moment to be read, and cuts what is left."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_S):
                while state.connections:
                    await asyncio.sleep(0.01)
        for connection in list(state.connections):
            connection.transport.abort()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


async def run_gateway(end: socket.socket) -> int:
    """Runs the gateway until its control channel closes or it is told to end (SIGTERM, SIGINT).

    Args:
        end: the gateway's end of the control channel.

    Returns:
        The process's exit status: 0, or 1 when it couldn't start; then the channel was told why.
    """
    channel = await open_channel(end)
    config = await channel.receive()
    if not isinstance(config, GatewayConfig):
        await channel.close()
        return 1
    try:
        public = bind_port(config.bind_host, config.port_min, config.port_max)
        private = bind_private_socket(Path(config.private_socket))
    except CurcLlmError as error:
        channel.send(Failed("gateway_port", error.message, error.remedy))
        await channel.close()
        return 1
    await _serve(_with_room(config), channel, public, private)
    return 0


async def _serve(
    config: GatewayConfig, channel: Channel, public: socket.socket, private: socket.socket
) -> None:
    gateway = Gateway(config, channel)
    servers = [_make_server(gateway.public, config), _make_server(gateway.private, config)]
    serving = [
        asyncio.create_task(server.serve([listener]))
        for server, listener in zip(servers, (public, private), strict=True)
    ]
    await asyncio.gather(*(server.is_up.wait() for server in servers))
    stop = _catch_signals()
    channel.send(Bound(public.getsockname()[1]))
    # What is there now stays: the collector needn't look at it while tokens pass.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    if await _follow(gateway, channel, stop):
        # The supervisor is gone, perhaps its guard too (kill -9): nobody else may be left to do it.
        SessionPaths(Path(config.session_dir)).remove_secrets()
    gateway.end_all()
    for server in servers:
        server.stop()
    await asyncio.gather(*serving)
    gateway.close()
    await channel.close()


def _catch_signals() -> asyncio.Event:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    return stop


async def _follow(gateway: Gateway, channel: Channel, stop: asyncio.Event) -> bool:
    """Takes states from the channel until it closes or a signal comes; True when it closed."""
    reading = asyncio.create_task(_read_states(gateway, channel))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    is_closed = reading.done() and not stop.is_set()
    for task in (reading, stopping):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    for number in _SIGNALS:
        asyncio.get_running_loop().remove_signal_handler(number)
    return is_closed


async def _read_states(gateway: Gateway, channel: Channel) -> None:
    while (message := await channel.receive()) is not None:
        if isinstance(message, GatewayState):
            gateway.apply(message)
        elif isinstance(message, Outcome):
            gateway.take_outcome(message)


def _make_server(app: Any, config: GatewayConfig) -> QuietServer:
    settings = Config(
        app,
        http=make_protocol(config.limits),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=config.limits.keep_alive_s,  # type: ignore[arg-type]
    )
    return QuietServer(settings)


def _with_room(config: GatewayConfig) -> GatewayConfig:
    """Raises the limit of open files as far as is allowed, and lowers the connections to what then fits.

    Each connection may need a second one to an engine; some files are open anyway.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    fits = max(16, (soft - 64) // 2) if soft != resource.RLIM_INFINITY else config.limits.connections
    return replace(config, limits=replace(config.limits, connections=min(config.limits.connections, fits)))
