"""The way to the session: where it is now, and whether its model can answer. It may move meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from curc_llm.batch.pool import Pool
from curc_llm.batch.verdict import Fate, judge
from curc_llm.batch.wire import LostError
from curc_llm.client.progress import render_progress
from curc_llm.client.source import Source, check_not_over
from curc_llm.errors import ApiError, CurcLlmError, SessionEndedError, SessionNotReadyError
from curc_llm.session.record import EnginePhase, SessionRecord

# A session that can't be reached and says nothing of itself (a cut tunnel, a silent file system) is waited
# for as long as this; one that says that it loads or queues, as long as it lives.
PATIENCE_S = 900.0


class Link:
    """The way to one session.

    Args:
        source: where the session is known from.
        models: served model names that must be able to answer.
        timeout_s: seconds until an answer must be whole.
        patience_s: seconds to wait for a session that can't be reached.
        clock: seconds from a clock that never jumps.
    """

    def __init__(
        self,
        source: Source,
        models: frozenset[str],
        timeout_s: float,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._models, self._timeout_s = source, models, timeout_s
        self._patience_s, self._clock = patience_s, clock
        self._silent_since_s: float | None = None
        self._pool: Pool | None = None
        self.ends_at: float | None = None

    @property
    def pool(self) -> Pool:
        """The connections; only after `look` found the session ready."""
        assert self._pool is not None  # noqa: S101 - `look` comes first
        return self._pool

    async def look(self) -> str:
        """Empty when the models can answer; else what the session is doing instead, in a sentence.

        Raises:
            SessionEndedError: it is over.
            ApiError: it refuses the key, serves no such model, or was silent for too long.
        """
        try:
            if self._pool is None:
                await self._open()
            said = await self._ask()
        except LostError as error:
            said = await self._follow(str(error))
        except SessionNotReadyError as error:
            said = error.message
            self._silent_since_s = None
        return said

    async def _ask(self) -> str:
        reply = await self.pool.get("/v1/models")
        verdict = judge(reply)
        if verdict.fate in {Fate.FAILED, Fate.BROKEN}:
            self._lose_patience(verdict.message)
            return verdict.message
        self._silent_since_s = None
        if verdict.fate is Fate.DONE:
            names = {str(m.get("id")) for m in verdict.document.get("data") or [] if isinstance(m, dict)}
            missing = self._models - names
            return await self._explain_missing(missing) if missing else ""
        if verdict.fate is Fate.REFUSED:
            await self._renew_key(verdict.message)
            return "The session has a new key."
        return verdict.message

    async def _explain_missing(self, missing: frozenset[str]) -> str:
        """The session answers, but not this model: it loads, or it will never come."""
        record = await asyncio.to_thread(self._source.record)
        for name in sorted(missing):
            engine = record.engine(name)
            if engine is None:
                served = ", ".join(repr(e.served_model_name) for e in record.models)
                raise ApiError(f"Session {self._source.name} serves no model {name!r}.", f"Models: {served}.")
            if engine.phase in {EnginePhase.FAILED, EnginePhase.STOPPED}:
                why = engine.trouble.message if engine.trouble else "It was given up."
                remedy = f"Look at: curc-llm status {self._source.name}"
                raise ApiError(f"The model {name!r} can't answer any more: {why}", remedy)
        return _describe(record)

    async def _renew_key(self, message: str) -> None:
        """A session that Slurm started again has a new key; any other refusal is final."""
        secret = await asyncio.to_thread(self._source.secret)
        if secret.reveal() == self.pool.secret.reveal():
            raise ApiError(f"The session refuses the key: {message}", "Use a key that is valid.", status=401)
        await self._open()

    async def _follow(self, why: str) -> str:
        """Nobody answers where the session was: what its record says."""
        try:
            record = await asyncio.to_thread(self._source.record)
            check_not_over(record)
            if record.base_url not in {None, self.pool.base_url} and self._source.paths is not None:
                await self._open()
                return "The session has moved."
        except (SessionEndedError, SessionNotReadyError):
            raise
        except CurcLlmError as error:
            self._lose_patience(error.message)
            return f"{error.message} Trying again."
        self._lose_patience(why)
        return f"The session can't be reached ({why}); {_describe(record)}"

    def _lose_patience(self, why: str) -> None:
        now_s = self._clock()
        if self._silent_since_s is None:
            self._silent_since_s = now_s
        if now_s - self._silent_since_s > self._patience_s:
            minutes = self._patience_s / 60
            raise ApiError(
                f"Session {self._source.name} couldn't be reached for {minutes:g} minutes: {why}",
                f"Look at: curc-llm status {self._source.name}",
            )

    async def _open(self) -> None:
        """Connects to where the session says that it is.

        Raises:
            SessionNotReadyError: it has no address yet.
        """
        base_url = await asyncio.to_thread(self._source.base_url)
        secret = await asyncio.to_thread(self._source.secret)
        if self._pool is not None:
            self._pool.close()
        self._pool = Pool(base_url, secret, self._timeout_s)

    async def load_end(self) -> None:
        """Notes when the session's wall time is over, for who wants to tell."""
        try:
            self.ends_at = (await asyncio.to_thread(self._source.record)).ends_at
        except CurcLlmError:
            self.ends_at = None

    def close(self) -> None:
        """Closes all connections."""
        if self._pool is not None:
            self._pool.close()


def _describe(record: SessionRecord) -> str:
    return render_progress(record, time.time())
