"""The gateway that one writes first, as a yardstick: Starlette in front, httpx behind, a key check between.

python naive_gateway.py PORT UPSTREAM_SOCKET KEY_FILE
"""

from __future__ import annotations

import hmac
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


def make_app(upstream_socket: str, key: str) -> Starlette:
    """One relayed route; responses are streamed as they come."""
    client = httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(
            uds=upstream_socket, limits=httpx.Limits(max_connections=None, max_keepalive_connections=256)
        ),
        base_url="http://engine",
        timeout=None,
    )

    async def relay(request: Request) -> Response:
        presented = request.headers.get("authorization", "")
        if not hmac.compare_digest(presented.encode(), f"Bearer {key}".encode()):
            return JSONResponse({"error": {"message": "Wrong key.", "code": "invalid_api_key"}}, 401)
        outgoing = client.build_request(
            request.method,
            request.url.path,
            content=await request.body(),
            headers={"content-type": "application/json"},
        )
        answer = await client.send(outgoing, stream=True)
        headers = {"content-type": answer.headers["content-type"]}
        return StreamingResponse(
            answer.aiter_raw(), answer.status_code, headers, background=BackgroundTask(answer.aclose)
        )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await client.aclose()

    return Starlette(routes=[Route("/v1/chat/completions", relay, methods=["POST"])], lifespan=lifespan)


def main() -> None:
    """Serves until it is told to end."""
    port, upstream_socket, key_file = sys.argv[1:]
    app = make_app(upstream_socket, Path(key_file).read_text().strip())
    uvicorn.run(app, host="127.0.0.1", port=int(port), loop="uvloop", http="httptools", access_log=False)


if __name__ == "__main__":
    main()
