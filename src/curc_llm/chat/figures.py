"""What is known of an answer besides its text: kept with the chat, and shown as a quiet line under it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curc_llm.chat.answer import Answer
from curc_llm.chats.message import Message

# Who ended an answer that nobody stopped: the page that had asked for it was closed or loaded anew.
ENDED_BY, PAGE = "ended_by", "page"
# How an answer ended that can go on.
CUT = ("stopped", "unfinished", "failed")
# Tokens of the part that an answer goes on from, and whether there may be more of them.
EARLIER, EARLIER_ROUGH = "earlier_tokens", "earlier_rough"
# A person changed the text; the model's own is the version before.
EDITED = "edited"
CHANGED = "You changed this answer. The model's own is kept: the arrows lead to it."


def make_facts(answer: Answer) -> dict[str, Any]:
    """The figures of an answer, as they are kept with the chat (names as the notebook's chats have them).

    Example:
        >>> facts = make_facts(Answer(completion_tokens=12, sent_at=1.0, first_at=1.2, last_at=1.7))
        >>> facts["completion_tokens"], facts["tokens_per_s"]
        (12, 22.0)
    """
    facts: dict[str, Any] = {
        "model": answer.model or None,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.tokens,
        "tokens_per_s": _round(answer.tokens_per_s),
        "first_token_s": _round(answer.first_token_s),
        "reasoning_s": _round(_find_reasoning_s(answer)),
    }
    if answer.problem is not None:
        facts["trouble"] = {
            "message": answer.problem.message,
            "remedy": answer.problem.remedy,
            "code": answer.problem.code,
        }
    return {name: value for name, value in facts.items() if value is not None}


def _find_reasoning_s(answer: Answer) -> float | None:
    """Also of an answer that ended before its first word: it reasoned until the last piece that came."""
    if answer.reasoning and not answer.text and answer.first_at is not None and answer.last_at is not None:
        return answer.last_at - answer.first_at
    return answer.reasoning_s


def count_tokens(facts: Mapping[str, Any]) -> int:
    """Tokens of all of an answer, with the parts that it went on from. Imported chats may hold anything.

    Example:
        >>> count_tokens({"completion_tokens": 12, "earlier_tokens": 30}), count_tokens({})
        (42, 0)
    """
    parts = (facts.get(name) for name in ("completion_tokens", EARLIER))
    return sum(part for part in parts if isinstance(part, int))


def is_rough(message: Message) -> bool:
    """True where an answer's tokens weren't counted by the engine, which does so at its end alone.

    What is known then are the pieces that came, of one token or several each.
    """
    is_uncounted = message.status in CUT and not isinstance(message.facts.get("prompt_tokens"), int)
    return is_uncounted or bool(message.facts.get(EARLIER_ROUGH))


def render_figures(message: Message) -> str:
    """The quiet line under an answer.

    Example:
        >>> facts = {"completion_tokens": 12, "tokens_per_s": 22.0, "first_token_s": 0.2}
        >>> render_figures(Message("a", None, "assistant", "Yes.", 0.0, facts=facts))
        '12 tokens · 22 tokens/s · first token 0.20 s'
    """
    facts = message.facts
    if facts.get(EDITED):
        return "edited"
    rate, first_s = facts.get("tokens_per_s"), facts.get("first_token_s")
    parts = [_render_tokens(message)]
    if isinstance(rate, int | float) and rate and not is_rough(message):
        parts.append(f"{rate:,.3g} tokens/s" if rate < 100 else f"{rate:,.0f} tokens/s")
    if isinstance(first_s, int | float):
        parts.append(f"first token {first_s:.2f} s")
    if message.status == "stopped":
        parts.append("broken off: the page was closed" if facts.get(ENDED_BY) == PAGE else "stopped")
    elif message.status == "unfinished":
        parts.append("broke off")
    elif facts.get("finish_reason") == "length":
        parts.append("cut off at the token limit")
    return " · ".join(part for part in parts if part)


def _render_tokens(message: Message) -> str:
    tokens = count_tokens(message.facts)
    # Of an answer that was on its way when the server stopped, only what went before it would be counted.
    if not tokens or not isinstance(message.facts.get("completion_tokens"), int):
        return ""
    return f"{'at least ' if is_rough(message) else ''}{tokens:,} token{'' if tokens == 1 else 's'}"


def render_details(message: Message, max_model_len: int | None = None) -> str:
    """What unfolds below the figures: one line each of model, prompt size and how it ended.

    Args:
        message: an answer.
        max_model_len: context length in tokens, once known.
    """
    facts = message.facts
    lines = [f"Model: {message.model}" if message.model else ""]
    if facts.get(EDITED):
        return "  \n".join(line for line in (*lines, CHANGED) if line)
    prompt, tokens = facts.get("prompt_tokens"), facts.get("completion_tokens")
    if isinstance(prompt, int) and isinstance(tokens, int):
        room = f" of {max_model_len:,}" if max_model_len else ""
        lines.append(f"Prompt: {prompt:,} tokens; context used: {prompt + tokens:,}{room}")
    else:
        lines.append(
            "The model counts its tokens at the end of an answer, which this one didn't reach: what is known "
            "are the pieces that came, of one token or more each."
        )
    if message.status == "unfinished":
        lines.append("It broke off: the page was closed or loaded anew, or the chat's server stopped.")
    if facts.get("finish_reason") == "length":
        lines.append(
            "The answer hit its token limit: Continue below, or raise “Max. tokens” in the settings."
        )
    return "  \n".join(line for line in lines if line)


def can_continue(message: Message) -> bool:
    """True for an answer that was cut off and has something to go on from.

    An answer that fits a JSON schema isn't: the engine would begin the schema anew.
    """
    if is_json(message):
        return False
    is_cut = message.status in CUT or message.facts.get("finish_reason") == "length"
    return message.role == "assistant" and is_cut and bool(message.content.strip())


def is_json(message: Message) -> bool:
    """True for an answer by a JSON schema."""
    parameters = message.facts.get("parameters")
    return isinstance(parameters, dict) and "json_schema" in parameters


def find_trouble(facts: Mapping[str, Any]) -> tuple[str, str] | None:
    """Message and remedy of the failure that ended an answer, if one did."""
    trouble = facts.get("trouble")
    if not isinstance(trouble, dict) or not trouble.get("message"):
        return None
    return str(trouble["message"]), str(trouble.get("remedy") or "")


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
