"""What the gateway knows of the session now, and which engine a request goes to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from curc_llm.gateway.channel import EngineTarget, GatewayState
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.upstream import Pool

READY = "ready"
_RETRY_MIN_S, _RETRY_MAX_S = 2, 30


@dataclass
class Engine:
    """One engine: what it serves, whether it can answer, and the connections to it."""

    target: EngineTarget
    pool: Pool

    @property
    def name(self) -> str:
        """Its served model name."""
        return self.target.served_model_name


class LiveSession:
    """The session's latest state.

    Args:
        connect_s: seconds until an engine must accept a connection.
    """

    def __init__(self, connect_s: float) -> None:
        self.state = GatewayState(record={})
        self._connect_s = connect_s
        self._pools: dict[str, Pool] = {}
        self.engines: dict[str, Engine] = {}
        self.chat_pool: Pool | None = None

    def apply(self, state: GatewayState) -> None:
        """Takes a new state; running requests go on."""
        self.state = state
        sockets = {target.socket for target in state.engines} | {state.chat_socket or ""}
        for path in set(self._pools) - sockets:
            self._pools.pop(path).close()
        self.engines = {t.served_model_name: Engine(t, self._pool(t.socket)) for t in state.engines}
        self.chat_pool = self._pool(state.chat_socket) if state.chat_socket else None

    def _pool(self, path: str) -> Pool:
        if path not in self._pools:
            self._pools[path] = Pool(path, self._connect_s)
        return self._pools[path]

    def ready_engines(self, models: tuple[str, ...] = ()) -> list[Engine]:
        """The engines that can answer, of those a key may use (empty: all)."""
        return [
            e for e in self.engines.values() if e.target.phase == READY and (not models or e.name in models)
        ]

    def list_ready(self, models: tuple[str, ...] = ()) -> dict[str, Engine]:
        """The models that can answer, adapters among them, with their engines; of those a key may use."""
        found: dict[str, Engine] = {}
        for engine in self.ready_engines():
            for name in (engine.name, *engine.target.adapters):
                if not models or name in models:
                    found.setdefault(name, engine)
        return found

    def find_engine(self, model: str | None, models: tuple[str, ...] = ()) -> Engine:
        """The engine that serves a model.

        Args:
            model: what the request names; None means the only one there is.
            models: what the key may use; empty for all.

        Raises:
            RequestError: there is no such model (404), the key may not use it (403), or it can't answer now
                (503).
        """
        engine = self._named(model)
        name = model or engine.name  # an adapter is a model of its own, also for keys
        if models and name not in models:
            raise RequestError(
                403,
                "permission_denied",
                f"This key may not use the model {name!r}. It may use: {', '.join(models)}.",
                param="model",
            )
        if engine.target.phase != READY:
            raise self.phase_fault(engine)
        return engine

    def _named(self, model: str | None) -> Engine:
        if not self.engines:
            raise RequestError(
                503, "model_loading", "The session is starting; no model is there yet.", retry_after_s=2
            )
        adapters = [name for engine in self.engines.values() for name in engine.target.adapters]
        known = ", ".join(dict.fromkeys([*self.engines, *adapters]))
        if model is None and len(self.engines) == 1:
            return next(iter(self.engines.values()))
        if model is None:
            raise RequestError(
                400,
                "model_not_found",
                f"The request names no model. Models of this session: {known}.",
                param="model",
            )
        found = self.engines.get(model) or self._with_adapter(model)
        if found is None:
            raise RequestError(
                404,
                "model_not_found",
                f"There is no model {model[:200]!r}. Models of this session: {known}.",
                param="model",
            )
        return found

    def _with_adapter(self, name: str) -> Engine | None:
        """The engine that has loaded a LoRA adapter, the one that can answer first."""
        having = [engine for engine in self.engines.values() if name in engine.target.adapters]
        return next((e for e in having if e.target.phase == READY), next(iter(having), None))

    def engine_record(self, name: str) -> dict[str, Any]:
        """The engine's part of the session's record, empty when there is none."""
        records = self.state.record.get("engines") or ()
        return next((r for r in records if r.get("served_model_name") == name), {})

    def phase_fault(self, engine: Engine) -> RequestError:
        """Why an engine can't answer now, and when to try again."""
        phase, record = engine.target.phase, self.engine_record(engine.name)
        wait_s = self._wait_s(record)
        if phase == "failed":
            trouble = record.get("trouble") or {}
            why = f"{trouble.get('message', '')} {trouble.get('remedy', '')}".strip()
            return RequestError(503, "engine_failed", f"The model {engine.name!r} has failed. {why}".strip())
        if phase == "stopped":
            return RequestError(
                503, "session_ending", f"The model {engine.name!r} has been stopped; the session ends."
            )
        if phase == "restarting":
            message = f"The model {engine.name!r} is being restarted. Try again in {wait_s} s."
            return RequestError(503, "engine_restarting", message, retry_after_s=wait_s)
        detail = self._detail(record)
        message = f"The model {engine.name!r} is not ready yet: {phase}{detail}. Try again in {wait_s} s."
        return RequestError(503, "model_loading", message, retry_after_s=wait_s)

    @staticmethod
    def _detail(record: dict[str, Any]) -> str:
        progress = record.get("progress")
        parts = [f"{progress:.0%}"] if isinstance(progress, int | float) else []
        parts += [record["detail"]] if record.get("detail") else []
        return f" ({', '.join(parts)})" if parts else ""

    @staticmethod
    def _wait_s(record: dict[str, Any]) -> int:
        expected_s, started = record.get("expected_ready_s"), record.get("started_at")
        if expected_s is None or started is None:
            return 5
        return int(min(max(started + expected_s - time.time(), _RETRY_MIN_S), _RETRY_MAX_S))

    def render_health(self) -> tuple[int, dict[str, str], int | None]:
        """Status, body and Retry-After of /health: ready when one model is, else the phase of the first."""
        if self.ready_engines():
            return 200, {"status": READY}, None
        first = next(iter(self.engines.values()), None)
        if first is None:
            return 503, {"status": "starting"}, 2
        return 503, {"status": first.target.phase}, self._wait_s(self.engine_record(first.name))

    def close(self) -> None:
        """Closes idle connections."""
        for pool in self._pools.values():
            pool.close()
