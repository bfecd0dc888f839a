"""One row of a batch as a request, with the digest that tells whether it is still the same row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curc_llm.batch.trouble import BatchInputError

DIGEST_BYTES = 12
CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
# What OpenAI's batches and vLLM's run-batch take, as far as the gateway lets it through.
URLS = (CHAT, COMPLETIONS, EMBEDDINGS, "/v1/score", "/v1/rerank")


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent for one row.

    Args:
        custom_id: what the row is called in the results; one of its kind in the batch.
        url: the route, such as `/v1/chat/completions`.
        body: JSON, its keys sorted, so that equal requests are equal bytes.
        model: whom it asks, by served model name.
    """

    custom_id: str
    url: str
    body: bytes
    model: str

    @property
    def digest(self) -> bytes:
        """What the row asks, in 12 bytes. Together with its index it is the row's identity."""
        return hashlib.blake2b(self.url.encode() + b"\0" + self.body, digest_size=DIGEST_BYTES).digest()


def make_request(custom_id: str, url: str, body: Mapping[str, Any]) -> Request:
    """A request from its body as Python values.

    Raises:
        BatchInputError: the body holds something that JSON can't.

    Example:
        >>> make_request("row-0", CHAT, {"model": "m", "a": 1}).body
        b'{"a":1,"model":"m"}'
    """
    try:
        text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BatchInputError(
            f"The request of {custom_id} can't be written as JSON: {error}.",
            "Parameters are numbers, texts, lists and dicts.",
        ) from None
    # Lone surrogates (undecodable bytes of a file) can be carried by no JSON body.
    return Request(custom_id, url, text.encode("utf-8", "replace"), str(body.get("model") or ""))
