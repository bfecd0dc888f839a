"""Reads numbers out of a config.json, whatever its family calls them."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from curc_llm.errors import ModelNotFoundError

TEXT_CONFIGS = ("text_config", "llm_config", "language_config", "thinker_config")
# Nothing that a model counts is larger; a hostile file could otherwise make us count for ever.
MAX_COUNT = 10**9
MAX_LAYERS = 10_000

# Other names of the same number: GPT-2, OPT, Falcon, MPT, DBRX, Mistral's params.json, Ernie, Gemma 4 …
ALIASES: dict[str, tuple[str, ...]] = {
    "hidden_size": ("n_embd", "d_model", "dim"),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
    "num_attention_heads": ("n_head", "n_heads"),
    "num_key_value_heads": ("n_kv_heads", "num_kv_heads", "num_query_groups", "multi_query_group_num"),
    "intermediate_size": ("n_inner", "ffn_dim", "ffn_hidden_size", "hidden_dim"),
    "head_dim": ("attention_head_dim",),
    "max_position_embeddings": ("n_positions", "n_ctx", "max_seq_len"),
    "num_experts": ("n_routed_experts", "num_local_experts", "moe_num_experts"),
    "num_experts_per_tok": (
        "experts_per_token",
        "num_experts_per_token",
        "top_k_experts",
        "moe_topk",
        "moe_k",
        "moe_top_k",
    ),
    "moe_intermediate_size": ("expert_hidden_dim", "moe_ffn_hidden_size"),
    "num_shared_experts": ("n_shared_experts", "moe_num_shared_experts"),
    "shared_expert_intermediate_size": (
        "moe_shared_expert_intermediate_size",
        "moe_shared_intermediate_size",
    ),
    "num_dense_layers": ("first_k_dense_replace", "n_dense_layers"),
    "num_nextn_predict_layers": ("mtp_num_hidden_layers",),
    "layer_types": ("layers_block_type",),
}
# Types that come with code of their own, which is another family's.
SAME_AS = {"kimi_k2": "deepseek_v3", "xlm_roberta": "xlm-roberta"}


class Keys:
    """The language model's part of a config.json, with the defaults of its family.

    Args:
        config: the whole config.json.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.whole = config
        self.text = find_text_config(config)
        self.model_type = str(self.text.get("model_type") or config.get("model_type") or "")
        self.defaults: Mapping[str, Any] = read_defaults().get(self._family, {})

    @property
    def is_known(self) -> bool:
        """True when transformers has a class of this type, so that its defaults are known."""
        return self._family in read_defaults()

    @property
    def _family(self) -> str:
        return SAME_AS.get(self.model_type, self.model_type)

    def get(self, name: str) -> Any:
        """The value of a key or of one of its aliases; the family's default where the file has none of them.

        A `null` in the file means that there is none, whatever the default.
        """
        names = (name, *ALIASES.get(name, ()))
        for values in (self.text, self.defaults):
            found = [values[known] for known in names if known in values]
            if found:
                return next((value for value in found if value is not None), None)
        return None

    def number(self, name: str, default: int = 0) -> int:
        """A whole number, 0 or more.

        Raises:
            ModelNotFoundError: the file holds something else there.
        """
        value = self.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_COUNT:
            raise ModelNotFoundError(
                f"config.json says {name}: {str(value)[:40]!r}, which is no number from 0 to {MAX_COUNT}.",
                "Fetch the file again, or mend it.",
            )
        if value != int(value):
            raise ModelNotFoundError(
                f"config.json says {name}: {value}, which is no whole number.",
                "Fetch the file again, or mend it.",
            )
        return int(value)

    def need(self, name: str) -> int:
        """A whole number above 0 without which nothing can be computed.

        Raises:
            ModelNotFoundError: the file doesn't hold it; names the key.
        """
        value = self.number(name)
        if value == 0:
            is_there = self.get(name) is not None
            told = f"says {name}: 0" if is_there else f"doesn't say {name}"
            raise ModelNotFoundError(
                f"config.json {told}, without which the memory can't be computed.",
                "Mend the file, or enter the model in your own catalogue file; see docs/adding-a-model.md.",
            )
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or False."""
        value = self.get(name)
        return default if value is None else bool(value)

    def numbers(self, name: str) -> list[int]:
        """A list of whole numbers, as JSON list or as `1,2,3`; empty without one."""
        value = self.get(name)
        if isinstance(value, str):
            value = [part for part in value.replace(" ", "").split(",") if part.isdigit()]
        if not isinstance(value, list):
            return []
        return [int(part) for part in value if isinstance(part, int | float | str) and str(part).isdigit()]

    def words(self, name: str) -> list[str]:
        """A list of words; empty without one."""
        value = self.get(name)
        return [str(part) for part in value] if isinstance(value, list) else []


def find_text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part that describes the language model: the whole of a text model's.

    Example:
        >>> find_text_config({"model_type": "gemma3", "text_config": {"hidden_size": 2560}})
        {'hidden_size': 2560}
    """
    for key in TEXT_CONFIGS:
        inner = config.get(key)
        if isinstance(inner, dict):
            return find_text_config(inner) if any(k in inner for k in TEXT_CONFIGS) else inner
    moe = config.get("moe")  # Mistral's params.json
    return {**config, **moe} if isinstance(moe, dict) else config


@functools.lru_cache(maxsize=1)
def read_defaults() -> dict[str, dict[str, Any]]:
    """What transformers assumes for keys that a config.json leaves out, by model_type.

    Source: the configuration classes of transformers; `data/config_defaults.json` says of which version, and
    tests/catalogue/test_config_keys.py compares.
    """
    text = (files("curc_llm") / "data" / "config_defaults.json").read_text(encoding="utf-8")
    defaults: dict[str, dict[str, Any]] = json.loads(text)["defaults"]
    return defaults
