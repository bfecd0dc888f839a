"""openai clients for a session: made when first needed, and anew when its address or key changes."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

from curc_llm.client.openai_package import require_openai
from curc_llm.client.secret import Secret
from curc_llm.client.source import Source
from curc_llm.client.versions import check_openai

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
        require_openai()
        import openai

        arguments = self._make_arguments(identity)
        http = openai.DefaultHttpxClient(timeout=arguments["timeout"], **_make_http_options(identity))
        return openai.OpenAI(http_client=http, **arguments)

    def _make_asynchronous(self, identity: Identity) -> AsyncOpenAI:
        require_openai()
        import openai

        arguments = self._make_arguments(identity)
        http = openai.DefaultAsyncHttpxClient(timeout=arguments["timeout"], **_make_http_options(identity))
        return openai.AsyncOpenAI(http_client=http, **arguments)

    def _make_arguments(self, identity: Identity) -> dict[str, Any]:
        import openai

        check_openai(openai.__version__)
        url, secret = identity
        return {
            "base_url": url,
            "api_key": secret.reveal(),
            "max_retries": 0,
            "timeout": openai.Timeout(self._timeout_s, connect=CONNECT_TIMEOUT_S),
        }


def _make_http_options(identity: Identity) -> dict[str, Any]:
    """Plain http stays inside the cluster or a tunnel: HTTP_PROXY must not redirect it.

    Nor are authorities loaded for it, which takes 55 ms; the empty list of them trusts nobody.
    """
    if not identity[0].startswith("http://"):
        return {}
    return {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
