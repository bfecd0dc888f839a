"""Changing what a running session serves: its adapters, and its models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from curc_llm.client.source import root_url
from curc_llm.client.wire import delete_json, get_json, post_json
from curc_llm.errors import ApiError

if TYPE_CHECKING:
    from curc_llm.client.source import Source

# Longer than the gateway waits for the job (gateway/orders.py).
PATIENCE_S = 60.0


def add_adapter(source: Source, name: str, adapter: str, model: str | None = None) -> dict[str, Any]:
    """Adds a LoRA adapter to every replica of a session's model.

    Args:
        source: the session; the key needs the scope `manage`.
        name: what the API is to call it.
        adapter: its folder, a Hugging Face id, or a name that the catalogue has for the model.
        model: served model name; may be left out when one model alone takes adapters.

    Returns:
        What the session says: `name`, `model`, `rank` and `status` (`loaded`, or `under_way` when it takes
        longer than the answer may).

    Raises:
        ApiError: it was refused; the message says why.
    """
    body = {"name": name, "source": resolve_path(adapter), **({"model": model} if model else {})}
    return _ask(source, lambda url: post_json(f"{url}/adapters", source.secret(), body, timeout_s=PATIENCE_S))


def remove_adapter(source: Source, name: str) -> dict[str, Any]:
    """Removes an adapter; what it answers just now ends well. Returns and raises as `add_adapter` does."""
    path = f"adapters/{quote(name, safe='')}"
    return _ask(source, lambda url: delete_json(f"{url}/{path}", source.secret(), timeout_s=PATIENCE_S))


def list_adapters(source: Source) -> list[dict[str, Any]]:
    """The adapters of a session, each with its `model` and that one's `phase`."""
    return list(_ask(source, lambda url: get_json(f"{url}/adapters", source.secret())).get("adapters") or ())


def swap_model(source: Source, model: str, engine: str | None = None, **more: str) -> dict[str, Any]:
    """Begins to exchange a session's model; how it gets on stands in the session's record.

    Args:
        source: the session; the key needs the scope `manage`.
        model: what to serve instead: a name of the catalogue or of your settings, a hub id, or a folder.
        engine: the served model name that it takes the place of; may be left out when there is one alone.
        more: `max_loras` and `max_lora_rank`, to make room for adapters.

    Returns:
        `served_model_name` of the new one, `engine`, the old one's, `is_here` and `notes`.

    Raises:
        ApiError: it was refused, and nothing was stopped; or it isn't planned yet (code `under_way`).
    """
    body = {"model": resolve_path(model), **({"engine": engine} if engine else {}), **more}
    told = _ask(source, lambda url: post_json(f"{url}/swap", source.secret(), body, timeout_s=PATIENCE_S))
    return _check_done(told, f"{model} is still being planned.", f"Look at: curc-llm status {source.name}")


def list_swaps(source: Source, engine: str | None = None) -> dict[str, Any]:
    """The models that fit in this session: `models`, and `engine`, whose place they would take.

    Raises:
        ApiError: they can't be had, or not within a minute (code `under_way`).
    """
    query = f"?engine={quote(engine, safe='')}" if engine else ""
    told = _ask(source, lambda url: get_json(f"{url}/swap{query}", source.secret(), timeout_s=PATIENCE_S))
    return _check_done(told, "The session is still looking what fits.", "Try again in a minute.")


def resolve_path(text: str) -> str:
    """A path as the job can find it; anything else as it is.

    Example:
        >>> resolve_path("Qwen/Qwen3-8B")
        'Qwen/Qwen3-8B'
    """
    is_path = text.startswith((".", "/", "~")) or Path(text).is_dir()
    return str(Path(text).expanduser().resolve()) if is_path else text


def _check_done(told: dict[str, Any], message: str, remedy: str) -> dict[str, Any]:
    """What the session said, unless it only said that it isn't done yet."""
    if told.get("status") == "under_way":
        raise ApiError(message, remedy, status=202, code="under_way")
    return told


def _ask(source: Source, send: Callable[[str], tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    try:
        status, body = send(root_url(source.base_url()))
    except OSError as error:
        remedy = f"Look at: curc-llm status {source.name}"
        raise ApiError(f"Session {source.name} doesn't answer ({error}).", remedy) from error
    if status >= 400:
        told = body.get("error") or {}
        message = str(told.get("message") or f"Session {source.name} answered with HTTP {status}.")
        raise ApiError(message, status=status, code=str(told.get("code") or ""))
    return body
