"""Replicas and more time, because the session's owner asks for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from curc_llm.gateway.audit import Audit
from curc_llm.gateway.auth import Caller
from curc_llm.gateway.channel import Extend, Scale
from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.live import LiveSession
from curc_llm.gateway.request import Request
from curc_llm.session.keys import OWNER

# More jobs of one person than any centre lets run; a slip of the finger is refused.
MOST_REPLICAS = 64
MOST_QUEUE = 100_000
MOST_SU = 1e9
LEAST_HOURS, MOST_HOURS = 0.1, 31 * 24
_MOST_BYTES = 64 * 1024
_MOST_WAIT_S = 24 * 3600.0
# field → whether it is a whole number, the least and the most that it may be.
_FIELDS: dict[str, tuple[bool, float, float]] = {
    "min_replicas": (True, 1, MOST_REPLICAS),
    "max_replicas": (True, 1, MOST_REPLICAS),
    "target_queue": (True, 0, MOST_QUEUE),
    "su_budget": (False, 0, MOST_SU),
    "add_after_s": (False, 0, _MOST_WAIT_S),
    "drain_after_s": (False, 0, _MOST_WAIT_S),
}


class Demand:
    """Answers `POST /scale` and `POST /extend`. The supervisor acts; what it comes to stands in the record.

    Args:
        live: knows the session's record, and whether it ends.
        send: tells the supervisor.
        audit: where it is written down.
    """

    def __init__(self, live: LiveSession, send: Callable[[Scale | Extend], None], audit: Audit) -> None:
        self._live = live
        self._send = send
        self._audit = audit

    async def answer(self, request: Request, caller: Caller) -> None:
        """Passes on what the body asks for.

        Raises:
            RequestError: somebody else than the owner asks (403), the session ends or is no Slurm job (409),
                or the body can't be meant (400).
        """
        require_owner(caller)
        self._check_can()
        fields = _parse(await request.read_body(_MOST_BYTES))
        now = self._live.state.record.get("scale")
        message = parse_scale(fields, now) if request.path == "/scale" else parse_extend(fields)
        told = asdict(message)
        event = request.path.removeprefix("/")
        self._audit.record(event, peer=request.peer, name=caller.name, **told)
        self._send(message)
        await request.answer_json(202, {"status": "accepted", **told})

    def _check_can(self) -> None:
        self._live.check_goes_on_here()
        state = self._live.state
        if not state.record.get("slurm_job_id"):
            message = (
                "Only a session that is a Slurm job can have others: this one runs on its machine alone."
            )
            raise RequestError(409, "no_slurm_job", message)
        if state.record.get("parent"):
            message = f"This is a replica of {state.record['parent']}: ask that session instead."
            raise RequestError(409, "is_replica", message)


def require_owner(caller: Caller) -> None:
    """Refuses guests, and programs too: other jobs cost the owner's service units."""
    if caller.share is not None or (caller.key is not None and caller.key.name != OWNER):
        message = "Only the session's owner may start other jobs for it, or ask for more time."
        raise RequestError(403, "permission_denied", message)


def parse_scale(fields: dict[str, Any], now: dict[str, Any] | None = None) -> Scale:
    """What a body of `POST /scale` means; `{"is_on": false}` alone switches it off.

    Without `max_replicas` it changes only what it names, where there are rules already.

    Args:
        fields: the body.
        now: the record's `scale`; None while there are no rules.

    Raises:
        RequestError: a value is not one of those allowed (400).

    Example:
        >>> parse_scale({"max_replicas": 3}).max_replicas
        3
    """
    _check_names(fields, (*_FIELDS, "is_on"))
    is_on = fields.get("is_on", True)
    if not isinstance(is_on, bool):
        raise _refuse("is_on", is_on, "true or false")
    values = {name: _number(fields[name], name, *_FIELDS[name]) for name in _FIELDS if name in fields}
    kept = now if now is not None and now.get("is_on") and "max_replicas" not in fields else {}
    values = {name: kept[name] for name in _FIELDS if name in kept} | values
    scale = Scale(**{**values, "is_on": is_on})  # type: ignore[arg-type]
    if scale.min_replicas > scale.max_replicas:
        allowed = f"at most max_replicas ({scale.max_replicas})"
        raise _refuse("min_replicas", scale.min_replicas, allowed)
    return scale


def parse_extend(fields: dict[str, Any]) -> Extend:
    """What a body of `POST /extend` means.

    Raises:
        RequestError: a value is not one of those allowed (400).
    """
    _check_names(fields, ("hours", "is_now"))
    hours, is_now = fields.get("hours"), fields.get("is_now", False)
    if not isinstance(is_now, bool):
        raise _refuse("is_now", is_now, "true or false")
    return Extend(float(_number(hours, "hours", False, LEAST_HOURS, MOST_HOURS) or 0), is_now)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        message = 'The body must be a JSON object such as {"max_replicas": 3}.'
        raise RequestError(400, "invalid_request", message)
    return fields


def _check_names(fields: dict[str, Any], known: tuple[str, ...]) -> None:
    if unknown := next((name for name in fields if name not in known), None):
        message = f"There is no field {unknown[:60]!r}. Fields: {', '.join(known)}."
        raise RequestError(400, "invalid_request", message, param=unknown[:60])


def _number(value: Any, name: str, is_whole: bool, least: float, most: float) -> int | float | None:
    if value is None and name == "su_budget":
        return None
    allowed = f"a {'whole ' if is_whole else ''}number from {least:g} to {most:,.0f}"
    kinds = (int,) if is_whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
        raise _refuse(name, value, allowed)
    return value


def _refuse(name: str, value: Any, allowed: str) -> RequestError:
    message = f"{name} is {value!r:.60}; it must be {allowed}."
    return RequestError(400, "invalid_request", message, param=name)
