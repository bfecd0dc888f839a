"""Stops a server of asyncio without leaving a connection open that came at the last moment."""

from __future__ import annotations

import asyncio


async def stop_listening(*servers: asyncio.AbstractServer) -> None:
    """Takes no more connections; those that were just taken come to their handlers first.

    Python 3.11 can't make a transport for a closed server's connection: it would stay open, and a test that
    happens to run later be told of it.
    """
    loop = asyncio.get_running_loop()
    for server in servers:
        for listening in getattr(server, "sockets", ()):
            loop.remove_reader(listening.fileno())
    await turn_loop()
    for server in servers:
        server.close()


async def turn_loop() -> None:
    """Lets all that is due now happen, and what follows from it."""
    for _ in range(10):
        await asyncio.sleep(0)
