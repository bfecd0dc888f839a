"""openai clients for a session: made when first needed, and anew when its address or key changes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from curc_llm.client.secret import Secret
from curc_llm.client.source import Source
from curc_llm.errors import VersionError

if TYPE_CHECKING:  # the openai library takes a second to import; only a question needs it
    from openai import AsyncOpenAI, OpenAI

CONNECT_TIMEOUT_S = 10.0
Identity = tuple[str, Secret]


class Clients:
    """The clients of one session. A job that Slurm requeued has another address and another key.

    Args:
        source: where the session is known from.
        timeout_s: seconds of silence after which a request is given up.
    """

    def __init__(self, source: Source, timeout_s: float) -> None:
        self._source = source
        self._timeout_s = timeout_s
        self._plain: tuple[Identity, OpenAI] | None = None
        # Connections belong to the event loop that opened them; a batch has a loop of its own.
        self._by_loop: dict[asyncio.AbstractEventLoop | None, tuple[Identity, AsyncOpenAI]] = {}

    def __repr__(self) -> str:
        return f"<Clients of {self._source.name}>"

    @property
    def plain(self) -> OpenAI:
        """The client for ordinary code; every thread may use it."""
        identity = self._identify()
        if self._plain is None or self._plain[0] != identity:
            self._plain = (identity, self._make_plain(identity))
        return self._plain[1]

    @property
    def asynchronous(self) -> AsyncOpenAI:
        """The client for the event loop that runs now."""
        loop, identity = _running_loop(), self._identify()
        self._forget_closed_loops()
        found = self._by_loop.get(loop)
        if found is None or found[0] != identity or found[1].is_closed():
            found = self._by_loop[loop] = (identity, self._make_asynchronous(identity))
        return found[1]

    def close(self) -> None:
        """Closes what ordinary code used."""
        if self._plain is not None:
            self._plain[1].close()
            self._plain = None

    async def aclose(self) -> None:
        """Closes what the running event loop used."""
        found = self._by_loop.pop(_running_loop(), None)
        if found is not None:
            await found[1].close()

    def _identify(self) -> Identity:
        return self._source.base_url(), self._source.secret()

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in self._by_loop if loop is not None and loop.is_closed()]:
            del self._by_loop[loop]

    def _make_plain(self, identity: Identity) -> OpenAI:
        openai = import_openai()
        arguments = self._arguments(identity, "DefaultHttpxClient", "Client")
        client: OpenAI = openai.OpenAI(**arguments)
        return client

    def _make_asynchronous(self, identity: Identity) -> AsyncOpenAI:
        openai = import_openai()
        client: AsyncOpenAI = openai.AsyncOpenAI(
            **self._arguments(identity, "DefaultAsyncHttpxClient", "AsyncClient")
        )
        return client

    def _arguments(self, identity: Identity, ours: str, theirs: str) -> dict[str, Any]:
        import openai

        url, secret = identity
        timeout = openai.Timeout(self._timeout_s, connect=CONNECT_TIMEOUT_S)
        # Plain http stays inside the cluster or a tunnel: HTTP_PROXY must not redirect it.
        trust_env = not url.startswith("http://")
        return {
            "base_url": url,
            "api_key": secret.reveal(),
            "max_retries": 0,
            "timeout": timeout,
            "http_client": _find_http_client(ours, theirs)(trust_env=trust_env, timeout=timeout),
        }


def import_openai() -> Any:
    """The openai library.

    Raises:
        VersionError: another package brought one from before its present interface (November 2023).
    """
    import openai

    if not hasattr(openai, "OpenAI"):
        raise VersionError(
            f"openai {openai.__version__} is installed, which is too old for curc-llm.",
            "Install a newer one: pip install --upgrade openai",
        )
    return openai


def _find_http_client(ours: str, theirs: str) -> Any:
    """The HTTP client's class: openai's own since 1.17, before that httpx's bare one."""
    import openai

    if hasattr(openai, ours):
        return getattr(openai, ours)
    import httpx

    return getattr(httpx, theirs)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
