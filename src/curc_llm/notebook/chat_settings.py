"""What a person can set for a chat, as it was typed, checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from curc_llm.chat.controls import NUMBERS as SAMPLING
from curc_llm.chat.controls import parse_system
from curc_llm.chat.sampling import Sampling, parse_sampling
from curc_llm.errors import SettingsError


@dataclass(frozen=True)
class ChatSettings:
    """Settings as typed; an empty one leaves the choice to the model.

    Args:
        model: served model name; empty for the session's first.
        system: instructions for the model.
        temperature, top_p, max_tokens, seed: numbers as text.

    Example:
        >>> ChatSettings().change({"temperature": "0,2"}).sampling.to_json()
        {'temperature': 0.2}
    """

    model: str = ""
    system: str = ""
    temperature: str = ""
    top_p: str = ""
    max_tokens: str = ""
    seed: str = ""

    @property
    def sampling(self) -> Sampling:
        """The numbers."""
        return parse_sampling(self.temperature, self.top_p, self.max_tokens, self.seed)

    def change(self, values: Any) -> ChatSettings:
        """The settings with some of them changed.

        Args:
            values: mapping from name to text.

        Raises:
            SettingsError: a value can't be, or there is no setting of that name.
        """
        if not isinstance(values, dict):
            raise SettingsError("Settings come as names and values.", "Run the cell again.")
        unknown = sorted(set(values) - {"model", "system", *SAMPLING})
        if unknown:
            raise SettingsError(f"There is no setting {unknown[0]!r}.", "Run the cell again.")
        texts = {name: "" if value is None else str(value) for name, value in values.items()}
        parse_system(texts.get("system", ""))
        changed = replace(self, **texts)
        _ = changed.sampling
        return changed

    def to_json(self) -> dict[str, str]:
        """The numbers as the page's fields show them."""
        return {name: getattr(self, name) for name in SAMPLING}


def split_parameters(parameters: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters that have a field on the page, and the others."""
    shown = {name: value for name, value in parameters.items() if name in SAMPLING}
    return shown, {name: value for name, value in parameters.items() if name not in SAMPLING}
