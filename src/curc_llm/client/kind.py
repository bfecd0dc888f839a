"""What a model is for, and what to say of one that was asked for something else."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from curc_llm.client.versions import explain_old_job
from curc_llm.errors import ApiError, CurcLlmError

if TYPE_CHECKING:
    from curc_llm.client.source import Source

_DOES = {"generate": "writes text", "pooling": "makes vectors"}
_FIRST_ERROR = 400


class Kind(Enum):
    """What is asked: the runner that can do it, what others don't do, and how to call those that do."""

    CHAT = ("generate", "it doesn't chat", "Models that chat here")
    COMPLETE = ("generate", "it doesn't continue texts", "Models that write text here")
    EMBED = ("pooling", "it makes no vectors", "Models that make vectors here")


def explain_refusal(error: ApiError, source: Source, model: str | None, kind: Kind) -> ApiError:
    """The same error, or one that says that the model is of another kind, or that the session is older.

    Args:
        error: what the session answered; engines say little of a route that their model hasn't ("HTTP 404").
        source: where the session is known from.
        model: the served model name that was asked; None for the session's own choice, which is right.
        kind: what was asked of it.
    """
    explained = explain_old_job(error, source)
    if explained is not error or model is None or (error.status or 0) < _FIRST_ERROR:
        return explained
    return _explain_kind(error, source, model, kind) or error


def _explain_kind(error: ApiError, source: Source, model: str, kind: Kind) -> ApiError | None:
    try:
        engines = source.record().models
    except CurcLlmError:
        return None
    wanted, lacks, others = kind.value
    runner = next((e.runner for e in engines if model in e.names), wanted)
    if runner == wanted:
        return None
    able = ", ".join(e.served_model_name for e in engines if e.runner == wanted) or "none"
    return ApiError(
        f"{model} {_DOES.get(runner, 'does something else')}; {lacks}.",
        f"{others}: {able}.",
        status=error.status,
        code=error.code,
    )
