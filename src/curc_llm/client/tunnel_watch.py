"""Keeps a tunnel open: opens it, watches it, opens it again, and knows when nothing is left to lead to."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from curc_llm.client.tunnel import Login, TunnelEnd, is_free, make_command
from curc_llm.client.tunnel_ssh import SshProcess
from curc_llm.client.tunnel_target import Pulse, TunnelTarget, take_pulse
from curc_llm.client.tunnel_trouble import TunnelTrouble, explain_exit, explain_unreached
from curc_llm.errors import SessionEndedError, SessionNotReadyError, TunnelError

POLL_S = 0.2
ASK_EVERY_S = 5.0
# Seconds before each new attempt; the last one goes on. A login host that is overrun locks people out.
WAITS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
# After so many questions without anybody at the other end the session counts as over.
HUNG_UP_LIMIT = 3


@dataclass(frozen=True)
class TunnelOpen:
    """The tunnel stands, and a session answers through it."""

    end: TunnelEnd
    local_port: int


@dataclass(frozen=True)
class TunnelLost:
    """The tunnel broke; after `wait_s` seconds it is opened again."""

    message: str
    wait_s: float


@dataclass(frozen=True)
class TunnelMoved:
    """The session has another address, so the tunnel is laid anew."""

    end: TunnelEnd


@dataclass(frozen=True)
class TunnelOver:
    """There is nothing to lead to any more; the tunnel is closed."""

    message: str


@dataclass(frozen=True)
class TunnelSilent:
    """The tunnel stands and the session isn't over, but its gateway doesn't answer just now."""

    end: TunnelEnd


TunnelEvent = TunnelOpen | TunnelLost | TunnelMoved | TunnelSilent | TunnelOver
Outcome = TunnelTrouble | TunnelMoved | TunnelOver


@dataclass(frozen=True)
class TunnelPlan:
    """How a tunnel is kept.

    Args:
        target: what it leads to.
        login: where to log in.
        local_port: the port on this computer.
        say: is given ssh's words while it connects.
        ssh_config: used instead of ~/.ssh/config.
        may_ask: whether somebody is there to be asked.
        ask_every_s: seconds between two looks at the session.
        waits_s: seconds before each new attempt.
    """

    target: TunnelTarget
    login: Login
    local_port: int
    say: Callable[[str], None]
    ssh_config: Path | None = None
    may_ask: bool = True
    ask_every_s: float = ASK_EVERY_S
    waits_s: tuple[float, ...] = WAITS_S


def keep_open(plan: TunnelPlan) -> Generator[TunnelEvent, None, None]:
    """Opens a tunnel and tells what becomes of it, until the session is over. Close the iterator to end it.

    Raises:
        TunnelError: it can't be opened, or not again.
        SessionNotReadyError: the session has no port yet.
    """
    failures, was_open = 0, False
    while True:
        if over := plan.target.why_over():
            yield TunnelOver(over)
            return
        try:
            end = plan.target.find_end()
        except SessionNotReadyError:
            if not was_open:
                raise
            time.sleep(plan.ask_every_s)  # Slurm has started it again, and it has no port yet
            continue
        opened, outcome = yield from _open_once(plan, end)
        was_open, failures = was_open or opened, 0 if opened else failures
        if isinstance(outcome, TunnelOver):
            yield outcome
            return
        if isinstance(outcome, TunnelMoved):
            yield outcome
            continue
        if outcome.is_final or not was_open:
            raise TunnelError(outcome.message, outcome.remedy)
        wait_s = plan.waits_s[min(failures, len(plan.waits_s) - 1)]
        failures += 1
        yield TunnelLost(outcome.message, wait_s)
        time.sleep(wait_s)


def _open_once(plan: TunnelPlan, end: TunnelEnd) -> Generator[TunnelEvent, None, tuple[bool, Outcome]]:
    """One ssh from its start to its end: whether the tunnel stood, and what ended it."""
    if not is_free(plan.local_port):
        # Whoever has the port would be taken for the session.
        return False, explain_exit("Address already in use", plan.login, end)
    with SshProcess(_command(plan, end), plan.say) as ssh:
        if trouble := _wait_until_open(plan, ssh, end):
            return False, trouble
        ssh.quieten()
        yield TunnelOpen(end, plan.local_port)
        return True, (yield from _watch(plan, ssh, end))


def _command(plan: TunnelPlan, end: TunnelEnd) -> list[str]:
    return make_command(plan.login, end, plan.local_port, ssh_config=plan.ssh_config, may_ask=plan.may_ask)


def _wait_until_open(plan: TunnelPlan, ssh: SshProcess, end: TunnelEnd) -> TunnelTrouble | None:
    """Waits as long as ssh needs, for somebody may look for their phone; None once a session answers."""
    hung_up = 0
    while not ssh.has_ended:
        pulse = take_pulse(plan.local_port)
        if ssh.has_ended:
            break  # what answered was somebody else's
        if pulse is Pulse.ANSWERS:
            return None
        if pulse is Pulse.STRANGER:
            return TunnelTrouble(
                f"What answers at {end} is not a curc-llm session.", "Copy host and port from its card.", True
            )
        hung_up += pulse is Pulse.HUNG_UP
        if hung_up >= HUNG_UP_LIMIT:
            return explain_unreached(ssh.text, plan.login, end)
        time.sleep(POLL_S)
    return explain_exit(ssh.text, plan.login, end)


def _watch(plan: TunnelPlan, ssh: SshProcess, end: TunnelEnd) -> Generator[TunnelEvent, None, Outcome]:
    hung_up, asked_at = 0, time.monotonic()
    while not ssh.has_ended:
        time.sleep(POLL_S)
        if time.monotonic() - asked_at < plan.ask_every_s:
            continue
        asked_at = time.monotonic()
        if change := _look_at_session(plan.target, end):
            return change
        hung_up = hung_up + 1 if take_pulse(plan.local_port) is Pulse.HUNG_UP else 0
        if hung_up == HUNG_UP_LIMIT and not ssh.has_ended:
            if not plan.target.is_known:
                return TunnelOver(f"Nothing answers at {end} any more: the session has ended, or moved.")
            yield TunnelSilent(end)
    return explain_exit(ssh.text, plan.login, end)


def _look_at_session(target: TunnelTarget, end: TunnelEnd) -> TunnelMoved | TunnelOver | None:
    if over := target.why_over():
        return TunnelOver(over)
    try:
        now = target.find_end()
    except (SessionNotReadyError, SessionEndedError):  # it starts again elsewhere, or just ended
        return None
    return TunnelMoved(now) if now != end else None
