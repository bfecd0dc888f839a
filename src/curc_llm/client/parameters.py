"""The parameters that questions take: one list, so that a misspelt name is told before anything is sent.

vLLM passes over fields that it doesn't know, so `tmperature=1` would simply have no effect. The names are the
fields of vLLM 0.32's request classes (vllm/entrypoints/openai/{chat_completion,completion}/protocol.py and
vllm/entrypoints/pooling/{base,embed}/protocol.py); tests/client/test_parameters.py compares them. What a
newer vLLM takes besides goes into `extra_body`, which is never looked at.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from curc_llm.errors import ParameterError

_BOTH = (
    "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n", "presence_penalty", "response_format",
    "seed", "stop", "stream_options", "temperature", "top_p", "user", "use_beam_search", "top_k", "min_p",
    "repetition_penalty", "watermarking", "length_penalty", "stop_token_ids", "include_stop_str_in_output",
    "ignore_eos", "min_tokens", "skip_special_tokens", "spaces_between_special_tokens",
    "truncate_prompt_tokens", "truncation_side", "prompt_logprobs", "logprob_token_ids", "allowed_token_ids",
    "bad_words", "echo", "add_special_tokens", "structured_outputs", "priority", "request_id", "session_id",
    "return_tokens_as_token_ids", "return_token_ids", "routed_experts_prompt_start", "return_token_offsets",
    "mm_payload", "return_mm_kwargs", "cache_salt", "kv_transfer_params", "ec_transfer_params", "vllm_xargs",
    "repetition_detection", "stream_interval", "thinking_token_budget",
)  # fmt: skip
CHAT_PARAMETERS = frozenset((
    *_BOTH, "top_logprobs", "max_completion_tokens", "tools", "tool_choice", "parallel_tool_calls",
    "reasoning_effort", "include_reasoning", "add_generation_prompt", "continue_final_message", "documents",
    "chat_template", "chat_template_kwargs", "media_io_kwargs", "mm_processor_kwargs", "return_prompt_text",
))  # fmt: skip
COMPLETION_PARAMETERS = frozenset((*_BOTH, "suffix", "prompt_embeds"))
EMBEDDING_PARAMETERS = frozenset((
    "user", "truncate_prompt_tokens", "padding", "truncation_side", "request_id", "priority",
    "mm_processor_kwargs", "cache_salt", "add_special_tokens", "encoding_format", "embed_dtype", "endianness",
    "dimensions", "use_activation",
))  # fmt: skip
# What the openai library takes besides a request's fields.
CLIENT_PARAMETERS = frozenset(("extra_body", "extra_headers", "extra_query", "timeout"))
_ELSEWHERE = {
    "stream": "An answer piece by piece is session.stream(...).",
    "messages": "A conversation is given as the prompt: session.chat(messages).",
    "input": "The texts come first: session.embed(texts).",
}


def check_parameters(names: Iterable[str], known: Iterable[str], *, others: Iterable[str] = ()) -> None:
    """Makes sure that all names are parameters.

    Args:
        names: those that were given.
        known: those that there are, such as CHAT_PARAMETERS.
        others: names that the caller takes itself, for the proposal.

    Raises:
        ParameterError: one isn't known; the text proposes the nearest.

    Example:
        >>> check_parameters(["tmperature"], CHAT_PARAMETERS)
        Traceback (most recent call last):
        ...
        curc_llm.errors.ParameterError: There is no parameter tmperature. Did you mean temperature?
    """
    known = {*known, *CLIENT_PARAMETERS}
    for name in names:
        if name not in known:
            remedy = _ELSEWHERE.get(name) or propose(name, {*known, *others})
            raise ParameterError(f"There is no parameter {name}.", remedy)


def propose(name: str, known: Iterable[str]) -> str:
    """What to do about a name that nobody knows.

    Example:
        >>> propose("tempratur", CHAT_PARAMETERS)
        'Did you mean temperature?'
    """
    near = difflib.get_close_matches(name.lower().replace("-", "_"), sorted(known), n=1)
    if near:
        return f"Did you mean {near[0]}?"
    return 'What vLLM takes and curc_llm doesn\'t know goes into extra_body={"name": value}.'
