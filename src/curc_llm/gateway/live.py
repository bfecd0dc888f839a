"""What the gateway knows of the session now, and which engines serve a model."""

from __future__ import annotations

from typing import Any

from curc_llm.gateway.channel import EngineTarget, GatewayState
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.remote import make_pool
from curc_llm.gateway.replica import READY, Replica, name_target
from curc_llm.gateway.retry_after import estimate_wait_s
from curc_llm.gateway.routing import Load
from curc_llm.gateway.swaps import make_swap_fault
from curc_llm.gateway.upstream import Pool

UNKNOWN_S = 5  # until a model has been started once here
# A request that has come through so many gateways goes to no further one: two may know each other.
MAX_HOPS = 3
# Of several replicas that can't answer, the one that will soonest tells why.
_HOPELESS = ("stopped", "failed")


class LiveSession:
    """The session's latest state.

    Args:
        connect_s: seconds until an engine must accept a connection.
    """

    def __init__(self, connect_s: float) -> None:
        self.state = GatewayState(record={})
        self._connect_s = connect_s
        self._pools: dict[tuple[str, str], Pool] = {}
        self._chat: tuple[str, Pool] | None = None
        self.replicas: dict[tuple[str, str], Replica] = {}
        # Each model's name, and each adapter's, with those that serve it.
        self.models: dict[str, list[Replica]] = {}

    @property
    def chat_pool(self) -> Pool | None:
        """Connections to the chat; None while it doesn't answer."""
        return self._chat[1] if self._chat else None

    def apply(self, state: GatewayState) -> None:
        """Takes a new state; running requests go on."""
        self.state = state
        addresses = {_address(target) for target in state.engines}
        for address in set(self._pools) - addresses:
            self._pools.pop(address).close()
        before = self.replicas
        named = {(name_target(t), t.served_model_name): t for t in state.engines}
        self.replicas = {name: self._make_replica(t, before.get(name)) for name, t in named.items()}
        self.models = {}
        for replica in self.replicas.values():
            for name in dict.fromkeys((replica.name, *replica.target.adapters)):
                self.models.setdefault(name, []).append(replica)
        self._apply_chat(state.chat_socket)

    def _make_replica(self, target: EngineTarget, before: Replica | None) -> Replica:
        address = _address(target)
        if address not in self._pools:
            self._pools[address] = make_pool(target, self._connect_s)
        load = before.load if before is not None else Load()
        if before is not None and target.phase == READY and not before.is_ready:
            load.renew()
        return Replica(target, self._pools[address], load)

    def _apply_chat(self, path: str | None) -> None:
        if self._chat is not None and self._chat[0] != path:
            self._chat[1].close()
            self._chat = None
        if path and self._chat is None:
            self._chat = (path, Pool(path, self._connect_s))

    def check_goes_on_here(self) -> None:
        """Refuses what is asked of a session that ends, or that another one goes on for.

        Raises:
            RequestError: it does (409); the message names the other one.
        """
        if not self.state.accepting:
            message = f"The session is ending. {self.state.drain_message}".strip()
            raise RequestError(409, "session_ending", message)
        if heir := self.state.record.get("successor"):
            message = f"This session has handed over to {heir}: ask that one instead."
            raise RequestError(409, "handed_over", message)

    def base_name(self, model: str) -> str:
        """The served model name of a model, or of the model that an adapter belongs to."""
        found = self.models.get(model)
        return found[0].name if found else model

    def ready_names(self, models: tuple[str, ...] = ()) -> list[str]:
        """The models and adapters that can answer, of those a key may use (empty: all)."""
        return [
            name
            for name, replicas in self.models.items()
            if any(r.is_ready for r in replicas) and (not models or name in models)
        ]

    def ready_replicas(self, model: str, hops: int = 0) -> list[Replica]:
        """Those that serve a model and can answer.

        Args:
            model: its name, or an adapter's.
            hops: gateways that the request has come through; if any, this job's own engines answer it if they
                can.
        """
        ready = [r for r in self.models.get(model, ()) if r.is_ready]
        own = [r for r in ready if not r.is_remote] if hops else ready
        return own or (ready if hops < MAX_HOPS else [])

    def find_model(self, model: str | None, models: tuple[str, ...] = (), hops: int = 0) -> str:
        """The name of the model that a request is for, which can be answered now.

        Args:
            model: what the request names; None means the only one there is.
            models: what the key may use; empty for all.
            hops: gateways that the request has come through.

        Raises:
            RequestError: there is no such model (404), the key may not use it (403), no replica can answer
                now (503), or it goes round in circles (508).
        """
        name = self._named(model)
        if models and name not in models:
            raise RequestError(
                403,
                "permission_denied",
                f"This key may not use the model {name!r}. It may use: {', '.join(models)}.",
                param="model",
            )
        if fault := self.find_fault(name, hops):
            raise fault
        return name

    def _named(self, model: str | None) -> str:
        if not self.models:
            raise RequestError(
                503, "model_loading", "The session is starting; no model is there yet.", retry_after_s=2
            )
        known = ", ".join(self.models)
        if model is None and len(self.models) == 1:
            return next(iter(self.models))
        if model is None:
            raise RequestError(
                400,
                "model_not_found",
                f"The request names no model. Models of this session: {known}.",
                param="model",
            )
        if model not in self.models:
            raise make_swap_fault(self.state.record, model) or RequestError(
                404,
                "model_not_found",
                f"There is no model {model[:200]!r}. Models of this session: {known}.",
                param="model",
            )
        return model

    def find_fault(self, model: str, hops: int = 0) -> RequestError | None:
        """Why no replica of a model can answer now; None when one can."""
        replicas = self.models.get(model)
        if not replicas:
            return RequestError(
                404, "model_not_found", f"The model {model!r} is no longer served.", param="model"
            )
        if self.ready_replicas(model, hops):
            return None
        if any(r.is_ready for r in replicas):
            message = f"The sessions that serve {model!r} name each other, and none has an engine for it."
            return RequestError(508, "loop_detected", message)
        return self.phase_fault(min(replicas, key=lambda r: r.target.phase in _HOPELESS))

    def engine_record(self, replica: Replica) -> dict[str, Any]:
        """The engine's part of the session's record, empty when there is none."""
        records = [
            r for r in self.state.record.get("engines") or () if r.get("served_model_name") == replica.name
        ]
        own = [r for r in self.models.get(replica.name, ()) if not r.is_remote and r.name == replica.name]
        place = own.index(replica) if replica in own else len(records)
        return records[place] if place < len(records) else {}

    def phase_fault(self, replica: Replica) -> RequestError:
        """Why a replica can't answer now, and when to try again."""
        phase, record, name = replica.target.phase, self.engine_record(replica), replica.name
        wait_s = estimate_wait_s(record, UNKNOWN_S)
        if fault := make_swap_fault(self.state.record, name):
            return fault
        if phase == "failed":
            trouble = record.get("trouble") or {}
            why = f"{trouble.get('message', '')} {trouble.get('remedy', '')}".strip()
            return RequestError(503, "engine_failed", f"The model {name!r} has failed. {why}".strip())
        if phase == "stopped":
            return RequestError(
                503, "session_ending", f"The model {name!r} has been stopped; the session ends."
            )
        if phase == "restarting":
            message = f"The model {name!r} is being restarted. Try again in {wait_s} s."
            return RequestError(503, "engine_restarting", message, retry_after_s=wait_s)
        detail = self._detail(record)
        message = f"The model {name!r} is not ready yet: {phase}{detail}. Try again in {wait_s} s."
        return RequestError(503, "model_loading", message, retry_after_s=wait_s)

    @staticmethod
    def _detail(record: dict[str, Any]) -> str:
        progress = record.get("progress")
        parts = [f"{progress:.0%}"] if isinstance(progress, int | float) else []
        parts += [record["detail"]] if record.get("detail") else []
        return f" ({', '.join(parts)})" if parts else ""

    def render_health(self) -> tuple[int, dict[str, str], int | None]:
        """Status, body and Retry-After of /health: ready when one model is, else the phase of the first."""
        if self.ready_names():
            return 200, {"status": READY}, None
        first = next(iter(self.replicas.values()), None)
        if first is None:
            return 503, {"status": "starting"}, 2
        return 503, {"status": first.target.phase}, estimate_wait_s(self.engine_record(first), UNKNOWN_S)

    def close(self) -> None:
        """Closes idle connections."""
        for pool in self._pools.values():
            pool.close()
        if self._chat is not None:
            self._chat[1].close()


def _address(target: EngineTarget) -> tuple[str, str]:
    """What its connections depend on."""
    return target.socket or target.url, target.key_file
