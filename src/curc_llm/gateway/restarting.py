"""Starting engines again that were given up, because their owner asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable

from curc_llm.gateway.audit import Audit
from curc_llm.gateway.auth import Caller
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.live import LiveSession
from curc_llm.gateway.request import Request
from curc_llm.session.keys import OWNER

FAILED = "failed"
_MOST_BYTES = 64 * 1024


class Restarting:
    """Answers `POST /restart`. The supervisor does it; what it comes to stands in the record.

    Args:
        live: knows which engines have failed.
        restart: asks the supervisor to start the engines of these names again.
        audit: where it is written down.
    """

    def __init__(self, live: LiveSession, restart: Callable[[tuple[str, ...]], None], audit: Audit) -> None:
        self._live = live
        self._restart = restart
        self._audit = audit

    async def answer(self, request: Request, caller: Caller) -> None:
        """Starts the model that the body names again, or all that have failed when it names none.

        Raises:
            RequestError: somebody else than the owner asks (403), there is no such model (404), nothing has
                failed or the session ends (409), or the body can't be read (400).
        """
        _require_owner(caller)
        models = self._find_failed(_parse_model(await request.read_body(_MOST_BYTES)))
        self._audit.record("restart", peer=request.peer, name=caller.name, models=list(models))
        self._restart(models)
        await request.answer_json(202, {"status": "restarting", "models": list(models)})

    def _find_failed(self, model: str | None) -> tuple[str, ...]:
        state = self._live.state
        if not state.accepting:
            message = f"The session is ending. {state.drain_message}".strip()
            raise RequestError(409, "session_ending", message)
        phases: dict[str, str] = {}
        for replica in self._live.replicas.values():
            # Of replicas the failed one counts: it is the one that can be started again.
            if not replica.is_remote and phases.get(replica.name) != FAILED:
                phases[replica.name] = replica.target.phase
        if model is not None and model not in phases:
            known = ", ".join(phases) or "none yet"
            message = f"There is no model {model[:200]!r}. Models of this session: {known}."
            raise RequestError(404, "model_not_found", message, param="model")
        asked = phases if model is None else {model: phases[model]}
        failed = tuple(name for name, phase in asked.items() if phase == FAILED)
        if not failed:
            raise RequestError(409, "nothing_failed", _explain(asked))
        return failed


def _explain(phases: dict[str, str]) -> str:
    """Why there is nothing to start again.

    Example:
        >>> _explain({"a": "ready"})
        "No model has failed for good: 'a' is ready."
    """
    how = ", ".join(f"{name!r} is {phase}" for name, phase in phases.items()) or "none is there yet"
    return f"No model has failed for good: {how}."


def _require_owner(caller: Caller) -> None:
    """Refuses guests, and programs too: another start costs the owner's GPU hours."""
    if caller.key is not None and caller.key.name != OWNER:
        raise RequestError(403, "permission_denied", "Only the session's owner may start a model again.")


def _parse_model(body: bytes) -> str | None:
    """The model that a request's body names, None for none."""
    if not body.strip():
        return None
    try:
        fields = json.loads(body)
        model = fields.get("model")
    except (ValueError, AttributeError, RecursionError):
        message = 'The body must be JSON such as {"model": "NAME"}.'
        raise RequestError(400, "invalid_request", message) from None
    if model is not None and not isinstance(model, str):
        raise RequestError(400, "invalid_request", "The field model must be a text.", param="model")
    return model
