"""One side of a comparison: which model with which settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curc_llm.client.parameters import CHAT_PARAMETERS, check_parameters
from curc_llm.errors import SettingsError

if TYPE_CHECKING:
    from curc_llm.client.session import Session

MIN_COLUMNS, MAX_COLUMNS = 2, 4
# What `Session.compare` itself takes, for all columns or for one.
OWN_PARAMETERS = ("model", "session", "label", "system", "prompt")
# Compared when there is only one model and nobody said what else.
USUAL = ({"temperature": 0}, {"temperature": 1})


@dataclass(frozen=True)
class Column:
    """Who is asked, and how.

    Args:
        session: the session.
        model: served model name; None for its first.
        label: what it is called.
        system: instructions for the model.
        parameters: temperature and what else `session.chat` takes.
    """

    session: Session
    model: str | None = None
    label: str = ""
    system: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def detail(self) -> str:
        """Its settings in words; empty when the label says it all."""
        parts = [f"{name} {value}" for name, value in self.parameters.items()]
        if self.system:
            parts.append(f"“{self.system[:40]}{'…' if len(self.system) > 40 else ''}”")
        words = ", ".join(parts)
        return "" if words == self.label else words


def make_columns(session: Session, wanted: Sequence[Any]) -> list[Column]:
    """The columns that somebody asks for.

    Args:
        session: who is asked where nothing else is said.
        wanted: each a model's name, a session, or a mapping with `model`, `session`, `label`, `system` and
            parameters. None: the session's models, or two temperatures when it has one.

    Raises:
        SettingsError: fewer than 2, more than 4, or something that can't be compared.
        ParameterError: a setting's name isn't known.

    Example:
        >>> [c.label for c in make_columns(None, [{"temperature": 0}, {"temperature": 1, "model": "a"}])]
        ['temperature 0', 'a, temperature 1']
    """
    chosen = list(wanted) or _choose_usual(session)
    if not MIN_COLUMNS <= len(chosen) <= MAX_COLUMNS:
        raise SettingsError(
            f"{len(chosen)} can't be compared side by side: it takes {MIN_COLUMNS} to {MAX_COLUMNS}.",
            "Name that many models, sessions or settings.",
        )
    return [make_column(session, value) for value in chosen]


def make_column(session: Session, value: Any) -> Column:
    """One column; see `make_columns`."""
    if isinstance(value, str):
        return Column(session, value, value)
    if hasattr(value, "stream") and hasattr(value, "session_id"):
        return Column(value, None, value.session_id)
    if not isinstance(value, Mapping):
        raise SettingsError(
            f"{type(value).__name__} can't be compared.",
            'Give a model\'s name, a session, or settings such as {"temperature": 0}.',
        )
    given = dict(value)
    column = Column(
        given.pop("session", session),
        given.pop("model", None),
        str(given.pop("label", "")),
        given.pop("system", None),
        given,
    )
    check_parameters(given, CHAT_PARAMETERS, others=OWN_PARAMETERS)
    label = column.label or ", ".join(filter(None, [column.model, column.detail])) or "default"
    return Column(column.session, column.model, label, column.system, column.parameters)


def _choose_usual(session: Session) -> list[Any]:
    engines = session.status().models
    models = [engine.served_model_name for engine in engines if engine.runner == "generate"]
    return models[:MAX_COLUMNS] if len(models) >= MIN_COLUMNS else list(USUAL)
