"""Whose a Hugging Face token is and what it opens, asked of the hub with nothing but Python's own library.

The base install has no huggingface_hub, and people set their token up on machines that have nothing more.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any
from urllib.parse import urlsplit

from curc_llm.errors import DownloadError, TokenError

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 1 << 20
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
AT_ONCE = 4  # the hub limits how fast it may be asked


@dataclass(frozen=True)
class Account:
    """Whom a token belongs to.

    Args:
        name: the person's name on the hub.
        token_name: what they called the token.
        role: `read`, `write` or `fineGrained`; empty when the hub doesn't say.
        can_read_gated: whether it opens gated models that the person was let in to.
    """

    name: str
    token_name: str = ""
    role: str = ""
    can_read_gated: bool = True


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: following it would carry the token to another host."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Follows nothing."""


def read_account(url: str, token: str, timeout_s: float = TIMEOUT_S) -> Account:
    """Asks the hub whose a token is.

    Args:
        url: the hub's address.
        token: the token; it goes into a header and nowhere else.
        timeout_s: seconds to wait.

    Raises:
        TokenError: the hub doesn't accept it.
        DownloadError: the hub can't be asked.
    """
    status, body = _get(f"{url}/api/whoami-v2", token, timeout_s)
    if status in {401, 403}:
        raise TokenError(
            "The hub does not accept this token: it was revoked, has expired, or was copied wrongly.",
            "Make a new one at https://huggingface.co/settings/tokens and store it with: curc-llm token",
        )
    if status != 200 or not body.get("name"):
        raise DownloadError(
            f"The hub at {url} answered {status} when asked whose this token is.", "Try again later."
        )
    return _make_account(body)


def _make_account(body: dict[str, Any]) -> Account:
    access = (body.get("auth") or {}).get("accessToken") or {}
    role = str(access.get("role") or "")
    # A fine-grained token reads gated models only where its maker ticked that box.
    reads = role != "fineGrained" or bool((access.get("fineGrained") or {}).get("canReadGatedRepos"))
    return Account(str(body["name"]), str(access.get("displayName") or ""), role, reads)


def read_access(
    url: str, token: str, hub_ids: Iterable[str], timeout_s: float = TIMEOUT_S
) -> dict[str, bool | None]:
    """Which gated models a token opens: True, False, or None where the hub didn't tell."""

    def ask(hub_id: str) -> bool | None:
        try:
            status, _ = _get(f"{url}/api/models/{hub_id}/auth-check", token, timeout_s)
        except DownloadError:
            return None
        return {200: True, 401: False, 403: False}.get(status)

    ids = list(hub_ids)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(ids, pool.map(ask, ids), strict=True))


def _get(url: str, token: str, timeout_s: float) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise DownloadError(
            f"The hub's address {parts.scheme}://{parts.hostname} isn't https, so no token is sent there.",
            "Mend or unset HF_ENDPOINT.",
        )
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - checked above
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout_s) as answer:
            return answer.status, _parse(answer.read(MAX_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or type(error).__name__
        raise DownloadError(
            f"The hub at {parts.scheme}://{parts.netloc} can't be reached ({why}).",
            "Ask again where the internet can be reached, such as a login node.",
        ) from None


def _parse(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
