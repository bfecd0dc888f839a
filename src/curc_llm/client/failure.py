"""What went wrong with a request, in words that say what to do.

The openai library's errors carry an HTTP status and our gateway's `code`; a broken connection carries
nothing, so the session's record is asked what happened to it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from curc_llm.client.openai_package import require_openai
from curc_llm.client.progress import render_progress
from curc_llm.client.source import Source, check_not_over
from curc_llm.errors import ApiError, CurcLlmError, SessionEndedError, SessionNotReadyError

require_openai()  # else the next line would tell in a traceback that it is missing
import openai  # noqa: E402

# A stream's broken connection comes unwrapped from these (openai 2 brings the first pair, 3 the second).
HTTP_PACKAGES = {"httpx", "httpcore", "httpx2", "httpcore2"}
NOT_READY_CODES = {"model_loading", "engine_restarting"}


@contextlib.contextmanager
def explained(source: Source) -> Iterator[None]:
    """Turns the openai library's errors into ours; the long chain beneath is left out of tracebacks."""
    try:
        yield
    except openai.OpenAIError as error:
        raise explain(error, source) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in HTTP_PACKAGES:
            raise
        raise explain(error, source) from None


def explain_cut(source: Source) -> CurcLlmError:
    """The error of a stream that ended without saying why; the session's record may know."""
    try:
        check_not_over(source.record())
    except CurcLlmError as known:
        return known
    return ApiError("The answer broke off before its end.", f"Look at: curc-llm status {source.name}")


def explain(error: Exception, source: Source) -> CurcLlmError:
    """The error to raise instead of one that a request ended with."""
    if isinstance(error, openai.APITimeoutError):
        return ApiError(
            "The session fell silent: no answer in time.", f"Look at: curc-llm status {source.name}"
        )
    if isinstance(error, openai.APIStatusError):
        return _explain_status(error, source)
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIConnectionError):
        return _explain_stream(error, source)
    return _explain_lost_connection(source)


def _explain_status(error: openai.APIStatusError, source: Source) -> CurcLlmError:
    body: Any = error.body if isinstance(error.body, dict) else {}
    code, message = str(body.get("code") or ""), str(body.get("message") or f"HTTP {error.status_code}")
    if code in NOT_READY_CODES:
        return _explain_not_ready(message, source)
    if code == "session_ending":
        return SessionEndedError(message, "Start another with: curc-llm serve MODEL")
    remedy = _remedy(error, code, source)
    if remedy and message[-1:] not in ".!?":  # vLLM's sentences have no full stop
        message += "."
    return ApiError(message, remedy, status=error.status_code, code=code)


def _remedy(error: openai.APIStatusError, code: str, source: Source) -> str:
    if error.status_code == 401:
        return f"Use the key of session {source.name}: curc-llm endpoint says which file holds it."
    if "--tool-call-parser" in str(error):
        return "This model was launched without tool_call_parser: set it for the model in your settings."
    if "not a multimodal model" in str(error):
        return "It takes no pictures: choose a model that does (curc-llm models show NAME says it)."
    if code == "model_not_found" or (error.status_code == 404 and "model" in str(error).lower()):
        # The gateway names them itself; an engine that is asked without one doesn't.
        return "" if "Models of this session" in str(error) else f"Models here: {_models(source)}."
    if error.status_code == 413:
        return "Send less at once."
    if error.status_code == 429:
        wait = error.response.headers.get("retry-after")
        return f"Wait {wait} s and try again." if wait else "Wait a little and try again."
    if error.status_code >= 500:
        return f"Look at: curc-llm status {source.name}"
    return ""


def _models(source: Source) -> str:
    try:
        return ", ".join(repr(name) for e in source.record().models for name in e.names) or "none"
    except CurcLlmError:
        return "see session.models()"


def _explain_not_ready(message: str, source: Source) -> CurcLlmError:
    with contextlib.suppress(CurcLlmError):
        message = f"The model can't answer yet ({render_progress(source.record(), time.time())})."
    remedy = f"Wait with session.wait_until_ready(), or watch: curc-llm status {source.name} --watch"
    return SessionNotReadyError(message, remedy)


def _explain_stream(error: openai.APIError, source: Source) -> CurcLlmError:
    """An error that came inside a stream, as an event."""
    remedy = f"Ask again; curc-llm status {source.name} says how the session is."
    return ApiError(f"The answer broke off: {error.message}", remedy, code=str(error.code or ""))


def _explain_lost_connection(source: Source) -> CurcLlmError:
    """Nothing answers, or the connection broke: the record knows more."""
    try:
        record = source.record()
        check_not_over(record)
    except CurcLlmError as known:
        return known
    if record.ready_at is None:
        return _explain_not_ready("", source)
    return ApiError(
        f"Session {source.name} on {record.host} ({record.status}) can't be reached, or hung up.",
        f"Is {record.host} reachable from here? Look at: curc-llm status {source.name}",
    )
