"""A conversation as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from curc_llm.client.pandas_package import import_pandas
from curc_llm.notebook.conversation import Question
from curc_llm.notebook.reply import Reply

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "role", "content", "reasoning", "model", "status", "prompt_tokens", "completion_tokens", "tokens_per_s",
    "first_token_s", "at",
)  # fmt: skip


def make_chat_frame(entries: Iterable[Question | Reply], system: str = "") -> pd.DataFrame:
    """One row a message.

    Args:
        entries: questions and answers.
        system: the system prompt, which becomes the first row; empty for none.

    Raises:
        MissingPackageError: pandas isn't installed.
    """
    pandas = import_pandas("to_frame()")
    rows = [{"role": "system", "content": system, "reasoning": ""}] if system else []
    frame: pd.DataFrame = pandas.DataFrame([*rows, *map(make_row, entries)], columns=list(COLUMNS))
    frame["at"] = pandas.to_datetime(frame["at"], unit="s", utc=True)
    return frame


def make_row(entry: Question | Reply) -> dict[str, Any]:
    """The row of one message."""
    if isinstance(entry, Question):
        return {"role": "user", "content": entry.text, "reasoning": "", "at": entry.at}
    return {"role": "assistant", "content": entry.text, "at": entry.at, **make_figures(entry)}


def make_figures(reply: Reply) -> dict[str, Any]:
    """What a table says of an answer besides its text."""
    return {
        "reasoning": reply.thought,
        "model": reply.model,
        "status": str(reply.phase),
        "prompt_tokens": reply.usage.prompt_tokens if reply.usage else None,
        "completion_tokens": reply.tokens,
        "tokens_per_s": reply.tokens_per_s,
        "first_token_s": reply.first_token_s,
    }
