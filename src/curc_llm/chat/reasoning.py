"""Whether a model lets itself be told how long to reason, and in which words a request says so.

vLLM hands `reasoning_effort` and `chat_template_kwargs` to the model's chat template, which alone decides
(vllm/entrypoints/openai/chat_completion/protocol.py: build_chat_params); what the template doesn't know is
dropped without a word. So the template is looked at, and no list of names has to be kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curc_llm.catalogue.config_json import read_config
from curc_llm.errors import ModelNotFoundError

# All that vLLM 0.32 takes, least first (protocol.py: reasoning_effort).
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
USUAL = ("low", "medium", "high")
OFF, ON = "off", "on"
LEVELS = (OFF, ON, *EFFORTS)
SWITCHES = ("enable_thinking", "thinking")
MOST_BYTES = 2**20

_CODE = re.compile(r"\{%(.*?)%\}|\{\{(.*?)\}\}", re.DOTALL)
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_NAME = re.compile(r"(?<![.\w])[A-Za-z_]\w*")
# `thinking` is also a word for other things: only a condition on it makes it a switch.
_ASKED = re.compile(r"(?<![.\w])thinking\s+is\s+(?:not\s+)?defined|\bif\s+(?:not\s+)?thinking\b(?!\s*=[^=])")
# Where vLLM writes the prompt itself (vllm/tokenizers/deepseek_v*.py), config.json's model_type tells.
_WITHOUT_TEMPLATE = {"deepseek_v4": ("none", "low", "high", "max"), "deepseek_v32": (OFF, ON)}


@dataclass(frozen=True)
class Reasoning:
    """How a model can be told to reason.

    Args:
        levels: what can be chosen, least first; empty when it can't be told.
        switch: the template's variable that `off` and `on` set; empty where levels are efforts.

    Example:
        >>> Reasoning(("off", "on"), "enable_thinking").to_request("off")
        {'chat_template_kwargs': {'enable_thinking': False}}
        >>> Reasoning(("low", "medium", "high")).to_request("high")
        {'reasoning_effort': 'high'}
    """

    levels: tuple[str, ...] = ()
    switch: str = ""

    def to_request(self, level: str) -> dict[str, Any]:
        """The fields of a request; none for a level that this model doesn't have."""
        if level not in self.levels:
            return {}
        if self.switch:
            return {"chat_template_kwargs": {self.switch: level == ON}}
        return {"reasoning_effort": level}


def load_reasoning(folder: Path | None) -> Reasoning:
    """What the model in a folder can be told; nothing when the folder can't be read.

    Args:
        folder: the model's files, as `find_folder` has it.
    """
    if folder is None:
        return Reasoning()
    template = read_template(folder)
    return find_reasoning(template) if template else _find_without_template(folder)


def find_reasoning(template: str) -> Reasoning:
    """What a chat template can be told.

    Args:
        template: in Jinja; it is only looked at, never run.

    Example:
        >>> find_reasoning("{% if enable_thinking is defined and not enable_thinking %}...{% endif %}")
        Reasoning(levels=('off', 'on'), switch='enable_thinking')
    """
    code = " ".join(first or second for first, second in _CODE.findall(template))
    plain = _TEXT.sub(" ", code)
    names = set(_NAME.findall(plain))
    if "reasoning_effort" in names:
        return Reasoning(_find_levels(code, can_be_off="enable_thinking" in names))
    if "enable_thinking" in names:
        return Reasoning((OFF, ON), "enable_thinking")
    return Reasoning((OFF, ON), "thinking") if _ASKED.search(plain) else Reasoning()


def read_template(folder: Path) -> str:
    """A model's chat template as its files have it; empty when they have none that can be read."""
    own = _read_text(folder / "chat_template.jinja")
    if own:
        return own
    for name in ("chat_template.json", "tokenizer_config.json"):
        template = _read_values(folder / name).get("chat_template")
        if isinstance(template, list):  # several, each with a name
            template = _choose(template)
        if isinstance(template, str) and template:
            return template
    return ""


def _find_levels(code: str, *, can_be_off: bool) -> tuple[str, ...]:
    """The levels that the code names; templates that name fewer than two take the usual ones."""
    quoted = {text[1:-1] for text in _TEXT.findall(code)}
    named = tuple(level for level in EFFORTS if level in quoted)
    levels = named if len(named) > 1 else USUAL
    return ("none", *levels) if can_be_off and "none" not in levels else levels


def _find_without_template(folder: Path) -> Reasoning:
    levels = _WITHOUT_TEMPLATE.get(str(_read_values(folder / "config.json").get("model_type")), ())
    return Reasoning(levels, "thinking" if OFF in levels else "")


def _choose(templates: list[Any]) -> Any:
    named = {t.get("name"): t.get("template") for t in templates if isinstance(t, Mapping)}
    return named.get("default") or next(iter(named.values()), "")


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _read_values(path: Path) -> dict[str, Any]:
    try:
        return read_config(path)
    except ModelNotFoundError:
        return {}
