"""How busy engines are, asked of themselves: requests that run and that wait. No answer changes nothing."""

from __future__ import annotations

import http.client
import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from curc_llm.engine.probe import ask
from curc_llm.errors import CurcLlmError
from curc_llm.session.keys import read_secret_file

TIMEOUT_S = 3.0
MOST_BYTES = 8 * 1024 * 1024
# vLLM's own name (vllm/v1/metrics/loggers.py); the gateway passes it on, and adds what it relays itself.
_WAITING = re.compile(r"^vllm:num_requests_waiting(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
_RUNNING = re.compile(r"^curc_llm_requests_running (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class GatewayLoad:
    """What a session in another job is doing.

    Args:
        running: requests under way in its gateway.
        waiting: requests that wait in its engines.
    """

    running: int = 0
    waiting: int = 0


def parse_waiting(text: str) -> int:
    """Requests that wait in the engines whose metrics these are.

    Example:
        >>> parse_waiting('vllm:num_requests_waiting{engine="0"} 3.0')
        3
    """
    return sum(map(_count, _WAITING.findall(text)))


def parse_gateway_load(text: str) -> GatewayLoad:
    """What a gateway's metrics say."""
    return GatewayLoad(sum(map(_count, _RUNNING.findall(text))), parse_waiting(text))


def _count(figure: str) -> int:
    try:
        return max(0, int(float(figure)))
    except (ValueError, OverflowError):
        return 0


async def read_engine_waiting(socket: Path) -> int:
    """Requests that wait in an engine of this job; 0 when it doesn't say."""
    answer = await ask(socket, "GET", "/metrics", timeout_s=TIMEOUT_S)
    return parse_waiting(answer.body.decode("utf-8", "replace")) if answer.status == 200 else 0


def read_gateway_load(base_url: str, key_file: Path) -> GatewayLoad | None:
    """What a session in another job is doing; None when it doesn't answer. Blocks for a few seconds."""
    try:
        url = base_url.removesuffix("/v1") + "/metrics"
        request = urllib.request.Request(url)  # noqa: S310 - the record's own address
        request.add_unredirected_header("Authorization", f"Bearer {read_secret_file(key_file)}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return parse_gateway_load(answer.read(MOST_BYTES).decode("utf-8", "replace"))
    except (OSError, ValueError, CurcLlmError, http.client.HTTPException):
        return None
