"""Whether vLLM has code for a model's architecture: what it will refuse is known before it starts."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

OLDEST_VLLM = (0, 26)  # of those that curc-llm works with; pyproject.toml says the same
REMEDY = (
    'Take another model, or a newer vLLM or a plugin that serves it; then enter it with `vllm_refusal: ""` '
    "(docs/adding-a-model.md)."
)
# vLLM takes a model of one kind for another by these endings (0.32, config/model.py: _SUFFIX_TO_DEFAULTS).
ENDINGS = (
    *("ForCausalLM", "ForConditionalGeneration", "ChatModel", "LMHeadModel", "ForTextEncoding"),
    *("EmbeddingModel", "ForSequenceClassification", "ForTokenClassification", "ForRewardModeling"),
    *("RewardModel", "Model"),
)


class Support(NamedTuple):
    """What vLLM does with an architecture.

    Args:
        refusal: why it is certain to refuse it, in one sentence; empty when it isn't.
        doubt: what may go wrong, in one sentence; empty when nothing is known to.
    """

    refusal: str = ""
    doubt: str = ""


def look_up_support(config: Mapping[str, Any]) -> Support:
    """What vLLM does with the architecture of a config.json.

    Args:
        config: the whole config.json.

    Example:
        >>> look_up_support({"architectures": ["LlamaForCausalLM"]})
        Support(refusal='', doubt='')
    """
    names = config.get("architectures")
    # Mistral's params.json names none; of other files vLLM may know the type.
    names = [name[:80] for name in names if isinstance(name, str)] if isinstance(names, list) else []
    table = read_table()
    if not names or any(_is_known(name, table) for name in names):
        return Support()
    return _explain(names, table, has_code=bool(config.get("auto_map")))


@functools.lru_cache(maxsize=1)
def read_table() -> Mapping[str, Any]:
    """Architectures that vLLM knows, knew, or runs by a plugin or by transformers' code.

    Source: `data/vllm_architectures.json` says of which versions; tests/catalogue/test_vllm_support.py
    compares it with what is installed.
    """
    text = (files("curc_llm") / "data" / "vllm_architectures.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return {**table, "known": frozenset(table["known"]), "transformers": frozenset(table["transformers"])}


def _is_known(name: str, table: Mapping[str, Any]) -> bool:
    ending = next((end for end in ENDINGS if name.endswith(end)), "")
    stem = name.removesuffix(ending)
    others = {stem + other for other in ENDINGS} if ending and stem else set()
    return bool(({name} | others) & table["known"])


def _explain(names: Sequence[str], table: Mapping[str, Any], has_code: bool) -> Support:
    name, version = names[0], table["vllm_version"]
    if has_code or any(known in table["transformers"] for known in names):
        whose = "the model's own" if has_code else "transformers'"
        return Support(
            doubt=f"vLLM {version} has no code of its own for {name} and has to run {whose}, "
            "which may be slow or fail."
        )
    if last := next((table["gone"][known] for known in names if known in table["gone"]), ""):
        text = f"vLLM serves {name} only up to version {last}"
        return Support(doubt=f"{text}.") if _is_recent(last) else Support(f"{text}, which is too old here.")
    if address := next((table["plugins"][known] for known in names if known in table["plugins"]), ""):
        return Support(f"vLLM serves {name} only with a plugin ({address}).")
    return Support(f"vLLM {version} has no code for {name}, so it refuses this model.")


def _is_recent(version: str) -> bool:
    major, minor = version.split(".")[:2]
    return (int(major), int(minor)) >= OLDEST_VLLM
