"""The supervisor's side of the gateway: configures it, tells it the state, hears of its use, restarts it."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import time
from collections.abc import Callable

from curc_llm.gateway.channel import (
    Activity,
    Bound,
    Channel,
    Failed,
    GatewayConfig,
    GatewayState,
    KeepGoing,
    Order,
    Outcome,
    Restart,
    open_channel,
)
from curc_llm.job.restart import RestartPolicy
from curc_llm.job.run import GatewayProcess, start_gateway
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import Trouble

CLOSE_S = 5.0
HEALTHY_S = 60.0


class GatewayLink:
    """Keeps the gateway running and hands messages over.

    Args:
        paths: the session's files.
        config: what the gateway is told first.
        process: the gateway that was started already.
        on_bound: called with the port, once, and again after a restart.
        on_activity, on_keep_going: called when the gateway says so.
        on_restart: called with the served model names that the owner wants started again.
        on_order: called with what the owner wants of the engines.
        on_failed: called when it can't run (any more).
    """

    def __init__(
        self,
        paths: SessionPaths,
        config: GatewayConfig,
        process: GatewayProcess,
        *,
        on_bound: Callable[[int], None],
        on_activity: Callable[[Activity], None],
        on_keep_going: Callable[[], None],
        on_restart: Callable[[tuple[str, ...]], None],
        on_order: Callable[[Order], None],
        on_failed: Callable[[Trouble], None],
    ) -> None:
        self._paths = paths
        self._config = config
        self._process = process
        self._on_bound = on_bound
        self._on_activity = on_activity
        self._on_keep_going = on_keep_going
        self._on_restart = on_restart
        self._on_order = on_order
        self._on_failed = on_failed
        self._channel: Channel | None = None
        self._state: GatewayState | None = None
        self._policy = RestartPolicy(healthy_s=HEALTHY_S)
        self._failed: Trouble | None = None

    def send_state(self, state: GatewayState) -> None:
        """Tells the gateway the state; remembered for one that starts later."""
        self._state = state
        if self._channel is not None:
            self._channel.send(state)

    def send_outcome(self, outcome: Outcome) -> None:
        """Tells what came of an order; nobody waits for it any more when the gateway has been restarted."""
        if self._channel is not None:
            self._channel.send(outcome)

    async def run(self) -> None:
        """Talks with the gateway, and starts it anew when it dies, until cancelled or it can't run."""
        while True:
            started = time.monotonic()
            await self._talk()
            delay_s = self._policy.next_delay_s(time.monotonic() - started)
            if self._failed is not None or delay_s is None:
                self._on_failed(self._failed or _died(self._paths))
                return
            await asyncio.sleep(delay_s / 10)  # it costs nothing to start, and everybody waits for it
            self._process = start_gateway(self._paths)

    async def _talk(self) -> None:
        channel = self._channel = await open_channel(self._process.channel)
        channel.send(self._config)
        if self._state is not None:
            channel.send(self._state)
        while (message := await channel.receive()) is not None:
            self._take(message)
        self._channel = None
        await channel.close()
        await wait_for_exit(self._process.process, CLOSE_S)

    def _take(self, message: object) -> None:
        match message:
            case Bound(port=port):
                # A restarted gateway must be where people have been told it is.
                self._config = dataclasses.replace(self._config, port_min=port, port_max=port)
                self._on_bound(port)
            case Activity():
                self._on_activity(message)
            case KeepGoing():
                self._on_keep_going()
            case Restart(models=models):
                self._on_restart(models)
            case Order():
                self._on_order(message)
            case Failed(code=code, message=text, remedy=remedy):
                self._failed = Trouble(code=code, message=text, remedy=remedy)

    async def close(self) -> None:
        """Ends the gateway: closing the channel is the sign; TERM and KILL follow if it doesn't heed it."""
        if self._channel is not None:
            await self._channel.close()
        await wait_for_exit(self._process.process, CLOSE_S)


async def wait_for_exit(process: subprocess.Popen[bytes], patience_s: float) -> int:
    """Waits for a process; TERM after `patience_s` seconds and KILL after as many again."""
    for end_it in (process.terminate, process.kill, None):
        deadline = time.monotonic() + patience_s
        while process.poll() is None and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        if process.returncode is not None or end_it is None:
            break
        end_it()
    return process.wait()


def _died(paths: SessionPaths) -> Trouble:
    return Trouble(
        code="gateway_gave_up",
        message="The gateway died again and again.",
        remedy=f"Start the session again; the reason is in {paths.log('gateway')}.",
    )
