"""Which of the engine's routes can be reached from outside; no other can, least of all its admin routes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """A route of the engine that is relayed.

    Args:
        path: the path, which is also the one sent to the engine.
        is_generation: True when it makes the model work, so that it counts as use of the session.
        scopes: a key needs one of these.
        is_form: the request is a multipart form with a field `model`, not JSON.
        usage_mark: bytes that an event of its stream contains when it tells the token counts.
        can_force_usage: `stream_options.include_usage` makes its stream tell the token counts.
        names_events: its streams name their events (`event: error`).
        takes_priority: vLLM takes the field `priority` there (vllm/entrypoints/openai/*/protocol.py).
    """

    path: str
    is_generation: bool = True
    scopes: tuple[str, ...] = ("chat", "batch")
    is_form: bool = False
    usage_mark: bytes = b'"usage":'
    can_force_usage: bool = False
    names_events: bool = False
    takes_priority: bool = True


_ROUTES = (
    Route("/v1/chat/completions", usage_mark=b'"choices":[]', can_force_usage=True),
    Route("/v1/completions", usage_mark=b'"choices":[]', can_force_usage=True),
    Route("/v1/embeddings"),
    Route("/v1/responses", usage_mark=b'"response.completed"', names_events=True),
    Route("/v1/messages", names_events=True, takes_priority=False),
    Route("/v1/messages/count_tokens", is_generation=False, takes_priority=False),
    Route("/v1/score"),
    Route("/v1/rerank"),
    Route("/v1/audio/transcriptions", is_form=True, takes_priority=False),
    Route("/v1/audio/translations", is_form=True, takes_priority=False),
    Route("/tokenize", is_generation=False, takes_priority=False),
    Route("/detokenize", is_generation=False, takes_priority=False),
)

# All are POST: nothing that a link could trigger makes a model work.
ENGINE_ROUTES = {route.path: route for route in _ROUTES}
