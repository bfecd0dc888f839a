"""How a prompt becomes a request: the same for all rows of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curc_llm.batch.row import CHAT, COMPLETIONS, EMBEDDINGS, Request, make_request
from curc_llm.batch.survey import name_row
from curc_llm.batch.trouble import BatchInputError
from curc_llm.client.messages import clean, make_messages
from curc_llm.client.parameters import (
    CHAT_PARAMETERS,
    COMPLETION_PARAMETERS,
    EMBEDDING_PARAMETERS,
    check_parameters,
)
from curc_llm.errors import ParameterError

REFUSED_PARAMETERS = {
    "stream": "A batch shows whole answers.",
    "messages": "Give the prompts as rows.",
    "prompt": "Give the prompts as rows.",
    "input": "Give the texts as rows.",
    "restart": "resume=False (on the command line --restart) forgets earlier results.",
    "extra_headers": "A request of a batch is only its body; session.openai takes headers.",
    "extra_query": "A request of a batch is only its body; session.openai takes a query.",
    "timeout": "timeout_s= is the time for a row's answer, in seconds.",
}
KNOWN = {CHAT: CHAT_PARAMETERS, COMPLETIONS: COMPLETION_PARAMETERS, EMBEDDINGS: EMBEDDING_PARAMETERS}
# What `Session.map` itself takes.
OWN_PARAMETERS = (
    "template", "prompt_column", "schema", "model", "system", "endpoint", "concurrency", "output", "progress",
    "wait", "resume", "retry_failed", "timeout_s",
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """What all requests share.

    Args:
        url: the route.
        model: served model name.
        system: instructions for the model; only for chats.
        params: further fields of the body, such as `temperature`.
    """

    url: str
    model: str
    system: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    def make_request(self, index: int, prompt: Any) -> Request:
        """The request of one row.

        Args:
            index: the row's place, from 0.
            prompt: a text; for chats also a conversation.

        Raises:
            BatchInputError: the prompt isn't one.
        """
        return make_request(name_row(index), self.url, {**self.params, **self._place(index, prompt)})

    def _place(self, index: int, prompt: Any) -> dict[str, Any]:
        if self.url == CHAT:
            return {"model": self.model, "messages": self._make_messages(index, prompt)}
        if not isinstance(prompt, str):
            raise _not_text(index, prompt)
        if self.url == EMBEDDINGS:
            return {"model": self.model, "input": clean(prompt)}
        return {"model": self.model, "prompt": clean(prompt)}

    def _make_messages(self, index: int, prompt: Any) -> list[dict[str, Any]]:
        is_conversation = isinstance(prompt, Sequence) and all(isinstance(m, Mapping) for m in prompt)
        if not isinstance(prompt, str) and not is_conversation:
            raise _not_text(index, prompt)
        try:
            return make_messages(prompt, self.system)
        except ValueError as error:
            raise BatchInputError(f"Row {index} (counted from 0) can't be asked: {error}") from None


def check_params(params: Mapping[str, Any], url: str = "") -> dict[str, Any]:
    """The parameters that a request's body takes; those in `extra_body` become fields as any other.

    Args:
        params: as they were given.
        url: the route; empty where rows name their own.

    Raises:
        BatchInputError: one can't be used in a batch, or there is no parameter of that name.
    """
    extra = params.get("extra_body") or {}
    given = {name: value for name, value in params.items() if name != "extra_body"}
    for name, remedy in REFUSED_PARAMETERS.items():
        if name in given or name in extra:
            raise BatchInputError(f"The parameter {name!r} can't be used in a batch.", remedy)
    try:
        check_parameters(given, KNOWN.get(url) or frozenset().union(*KNOWN.values()), others=OWN_PARAMETERS)
    except ParameterError as error:
        raise BatchInputError(error.message, error.remedy) from None
    return {**given, **extra}


def _not_text(index: int, prompt: Any) -> BatchInputError:
    shown = repr(prompt)
    shown = shown if len(shown) <= 40 else f"{shown[:37]}..."
    kind = type(prompt).__name__
    return BatchInputError(
        f"The prompt of row {index} (counted from 0) is no text but {kind}: {shown}.",
        "Turn it into text with str(), or leave such rows out.",
    )


@dataclass(frozen=True)
class PromptRows:
    """Requests from prompts, made as they are needed; can be gone through as often as one likes.

    Args:
        recipe: how.
        open_prompts: begins with the prompts anew.
    """

    recipe: Recipe
    open_prompts: Callable[[], Iterable[Any]]

    def __iter__(self) -> Iterator[Request]:
        for index, prompt in enumerate(self.open_prompts()):
            yield self.recipe.make_request(index, prompt)
