"""The context that a session asks vLLM for; how long a model allows is the catalogue's knowledge."""

from __future__ import annotations

from curc_llm.catalogue.context import derive_context_limit, read_context_limit

__all__ = ["choose_context", "derive_context_limit", "read_context_limit"]


def choose_context(wanted_tokens: int | None, limit_tokens: int | None) -> int | None:
    """The context to ask vLLM for: what is wanted, at most the model's limit; None leaves it to vLLM.

    Example:
        >>> choose_context(32768, 8192), choose_context(4096, None), choose_context(None, 8192)
        (8192, 4096, None)
    """
    if wanted_tokens is None or limit_tokens is None:
        return wanted_tokens
    return min(wanted_tokens, limit_tokens)
