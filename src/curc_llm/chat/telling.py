"""What a person is told at once, such as why a message wasn't sent.

Gradio's own `gr.Warning` is for events that go through its queue.
Nearly all of this page don't, and would lose it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from curc_llm.chat.acts import render_acts


@dataclass(frozen=True)
class Told:
    """One thing to tell.

    Args:
        text: a sentence or two, with what can be done.
        title: what it is about, in a few words.
        is_bad: false for what went well.
    """

    text: str
    title: str
    is_bad: bool = True


_listener: ContextVar[list[Told] | None] = ContextVar("_listener", default=None)


def tell(text: str, title: str, *, is_bad: bool = True) -> None:
    """Tells the person whose click is being worked on, also from a thread of it.

    Args:
        text: a sentence or two, with what can be done.
        title: what it is about, in a few words.
        is_bad: false for what went well.
    """
    told = _listener.get()
    if told is not None:
        told.append(Told(text, title, is_bad))


@contextmanager
def listen() -> Iterator[list[Told]]:
    """Collects what is told meanwhile.

    Example:
        >>> with listen() as told:
        ...     tell("The file is empty.", "Not attached")
        >>> told[0].title
        'Not attached'
    """
    told: list[Told] = []
    token = _listener.set(told)
    try:
        yield told
    finally:
        _listener.reset(token)


def render_told(told: Sequence[Told]) -> str:
    """Writes it for page.js, which shows it as text; nothing of it is markup."""
    acts = [{"act": "tell", "title": one.title, "text": one.text, "bad": one.is_bad} for one in told]
    return render_acts(*acts)
