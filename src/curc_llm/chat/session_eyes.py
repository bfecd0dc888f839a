"""How a person sees the session: the owner all of it, a guest what was shared."""

from __future__ import annotations

import time

from curc_llm.chat.gateway_client import GatewayClient, GatewayError
from curc_llm.chat.guest_view import make_guest_snapshot
from curc_llm.chat.session_watch import MAX_AGE_S, SessionWatch, Snapshot
from curc_llm.session.keys import OWNER

MODELS_AGE_S = 15.0


class SessionEyes:
    """Looks at the session in somebody's name.

    Args:
        client: the gateway.
        watch: one snapshot for all, asked for as the owner: a guest whose share was revoked is refused.
    """

    def __init__(self, client: GatewayClient, watch: SessionWatch) -> None:
        self._client = client
        self._watch = watch
        self._models: dict[str, tuple[float, frozenset[str] | None]] = {}

    async def look(self, user: str, max_age_s: float = MAX_AGE_S) -> Snapshot:
        """The session as that person may see it.

        Args:
            user: `owner`, or a share's name.
            max_age_s: how old it may be, in seconds.
        """
        snapshot = await self._watch.look(OWNER, max_age_s)
        if user == OWNER:
            return snapshot
        return make_guest_snapshot(snapshot, await self._find_models(user))

    async def _find_models(self, user: str) -> frozenset[str] | None:
        asked_at, models = self._models.get(user, (float("-inf"), None))
        if time.monotonic() - asked_at >= MODELS_AGE_S:
            try:
                models = frozenset(await self._client.list_models(user))
            except GatewayError:
                models = models or None  # none is ready yet, or the share was revoked: a request will tell
            self._models[user] = (time.monotonic(), models)
        return models
