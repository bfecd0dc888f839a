"""Whether the model hub can be reached from here."""

from __future__ import annotations

import os
import urllib.error
import urllib.request

TIMEOUT_S = 2.0


def hub_url() -> str:
    """The hub's address: HF_ENDPOINT, else Hugging Face's."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def is_reachable(timeout_s: float = TIMEOUT_S) -> bool:
    """True when the hub answers at all within `timeout_s` seconds; proxies from the environment are used."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return False
    url = hub_url()
    if not url.startswith(("http://", "https://")):
        return False
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout_s):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
