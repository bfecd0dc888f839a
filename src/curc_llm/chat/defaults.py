"""What the model itself chooses where a person sets nothing, as far as its files tell.

vLLM takes a model's `generation_config.json` as the defaults of its requests (`--generation-config auto`, its
default) and its own neutral values for what isn't in it
(vllm/config/model.py: get_diff_sampling_param; protocol.py: _DEFAULT_SAMPLING_PARAMS).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curc_llm.catalogue.config_json import read_config
from curc_llm.errors import ModelNotFoundError
from curc_llm.session.record import EngineRecord
from curc_llm.spec.model_folder import find_downloaded

FILE = "generation_config.json"
NOT_KNOWN = "not known"
NEUTRAL: Mapping[str, float] = {"temperature": 1.0, "top_p": 1.0}
# Read besides, and told in a line: nobody sets them here, yet they change what the model writes.
OTHERS = ("top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")


@dataclass(frozen=True)
class Defaults:
    """A model's defaults.

    Args:
        is_known: False when its files couldn't be looked at; then nothing is claimed.
        values: what its generation_config.json says, in the API's names.

    Example:
        >>> defaults = Defaults(True, {"temperature": 0.6})
        >>> defaults.render_placeholder("temperature"), defaults.render_placeholder("top_p")
        ("0.6 (model's default)", "1 (vLLM's default)")
    """

    is_known: bool = False
    values: Mapping[str, float] = field(default_factory=dict)

    def render_placeholder(self, name: str) -> str:
        """What stands in an empty field.

        Args:
            name: `temperature`, `top_p`, `max_tokens` or `seed`.
        """
        if name == "seed":
            return "another each time"
        if name in self.values:
            return f"{_render(self.values[name])} (model's default)"
        if name == "max_tokens":
            return "as many as fit" if self.is_known else f"as many as fit, or a limit that is {NOT_KNOWN}"
        return f"{NEUTRAL[name]:g} (vLLM's default)" if self.is_known else f"default ({NOT_KNOWN} here)"

    def render_others(self) -> str:
        """A sentence about defaults that have no field here; empty when there are none.

        Example:
            >>> Defaults(True, {"top_k": 20}).render_others()
            'The model also sets top_k 20.'
        """
        told = [f"{name} {_render(self.values[name])}" for name in OTHERS if name in self.values]
        return f"The model also sets {', '.join(told)}." if told else ""


def load_defaults(folder: Path | None) -> Defaults:
    """Reads a model's defaults.

    Args:
        folder: the model's files, as `find_folder` has it; None when they aren't known.
    """
    if folder is None or not _can_enter(folder):
        return Defaults()
    path = folder / FILE
    if not path.exists():
        return Defaults(is_known=True)
    try:
        return Defaults(is_known=True, values=_choose(read_config(path)))
    except ModelNotFoundError:
        return Defaults()


def find_folder(engine: EngineRecord, hf_home: Path | None = None) -> Path | None:
    """Where a model's files lie, seen from here; None when that can't be told.

    Args:
        engine: from the session's record; `model` is a folder or an id of the hub.
        hf_home: Hugging Face's folder of this session.
    """
    if engine.model.startswith("/"):
        return Path(engine.model)
    return find_downloaded(hf_home, engine.model, engine.revision) if hf_home is not None else None


def _choose(config: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that vLLM takes; Hugging Face's `max_new_tokens` is the API's `max_tokens`."""
    names = {"temperature": "temperature", "top_p": "top_p", "max_new_tokens": "max_tokens"}
    names |= {name: name for name in OTHERS}
    return {own: config[name] for name, own in names.items() if _is_number(config.get(name))}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


def _render(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _can_enter(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False
