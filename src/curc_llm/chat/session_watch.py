"""What the chat knows of its session: the gateway is asked at most once a second, however many pages look."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from pydantic import ValidationError

from curc_llm.chat.gateway_client import GatewayClient, GatewayError
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord

MAX_AGE_S = 1.0


@dataclass(frozen=True)
class Snapshot:
    """The session at one moment.

    Args:
        record: the latest record; None before the first came.
        now: Unix time on the gateway's clock, in seconds.
        lost_s: seconds since the gateway last answered; 0 while it does.
        running: requests that are being answered; None when the gateway doesn't tell.
        tokens_per_s: tokens that all of them get per second.
    """

    record: SessionRecord | None = None
    now: float = 0.0
    lost_s: float = 0.0
    running: int | None = None
    tokens_per_s: float | None = None

    @property
    def engines(self) -> tuple[EngineRecord, ...]:
        """The engines that can chat."""
        return tuple(e for e in self.record.engines if e.runner == "generate") if self.record else ()

    @property
    def models(self) -> list[str]:
        """The names of the models and adapters that can chat, in the session's order."""
        return list(dict.fromkeys(name for e in self.engines for name in e.names))

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The same as people choose among them, an adapter with its model's name: label and name."""
        bases = {e.served_model_name for e in self.engines}
        labels = {
            a.name: f"{a.name} (adapter of {e.served_model_name})" for e in self.engines for a in e.adapters
        }
        return [(name if name in bases else labels[name], name) for name in self.models]

    def engine(self, model: str) -> EngineRecord | None:
        """The engine of a model or adapter: of several, one that is ready, be it in another job."""
        own = [e for e in self.engines if model in e.names]
        found = next((e for e in own if e.phase is EnginePhase.READY), own[0] if own else None)
        if found is not None and found.phase is EnginePhase.FAILED and self._answers_elsewhere:
            return found.model_copy(update={"phase": EnginePhase.READY, "trouble": None})
        return found

    @property
    def _answers_elsewhere(self) -> bool:
        return self.record is not None and self.record.answers_elsewhere


class SessionWatch:
    """Asks the gateway for the session's status, and remembers it.

    Args:
        client: the gateway.
    """

    def __init__(self, client: GatewayClient) -> None:
        self._client = client
        self._lock = asyncio.Lock()
        self._snapshot = Snapshot()
        self._asked_at = float("-inf")
        self._heard_at = time.monotonic()

    async def look(self, user: str, max_age_s: float = MAX_AGE_S) -> Snapshot:
        """The session as it was at most `max_age_s` seconds ago."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= max_age_s:
                self._asked_at = time.monotonic()
                self._snapshot = await self._ask(user)
            return self._snapshot

    async def _ask(self, user: str) -> Snapshot:
        try:
            reply = await self._client.load_status(user)
            record = SessionRecord.model_validate(reply)
        except (GatewayError, ValidationError):
            lost_s = time.monotonic() - self._heard_at
            return Snapshot(self._snapshot.record, self._snapshot.now, max(lost_s, 0.001))
        self._heard_at = time.monotonic()
        gateway = reply.get("gateway")
        figures = gateway if isinstance(gateway, dict) else {}
        running, rate = figures.get("running"), figures.get("tokens_per_s")
        return Snapshot(
            record,
            float(figures.get("now") or time.time()),
            running=running if isinstance(running, int) else None,
            tokens_per_s=float(rate) if isinstance(rate, int | float) else None,
        )


def choose_model(snapshot: Snapshot, model: str | None) -> str:
    """The model that was chosen if it is still served, else the first; empty when none is known."""
    return model if model in snapshot.models else next(iter(snapshot.models), "")
