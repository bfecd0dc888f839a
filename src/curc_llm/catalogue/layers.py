"""What each layer of a model does: how it looks back, and what it computes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from curc_llm.catalogue.config_keys import MAX_LAYERS, Keys
from curc_llm.errors import ModelNotFoundError

Mixer = Literal["full", "sliding", "chunked", "mla", "compressed", "linear", "hybrid", ""]
FeedForward = Literal["dense", "moe", "both", ""]

# Words of config.json's `layer_types` (transformers 5, configuration_utils.py: ALLOWED_LAYER_TYPES) and of
# the keys that older and remote-code models use for the same.
MIXERS: dict[str, Mixer] = {
    "full_attention": "full",
    "attention": "full",
    "global_attention": "full",
    "sliding_attention": "sliding",
    "local_attention": "sliding",
    "sliding_window_attention": "sliding",
    "chunked_attention": "chunked",
    "linear_attention": "linear",
    "mamba": "linear",
    "mamba2": "linear",
    "recurrent": "linear",
    "conv": "linear",
    "kda": "linear",
    "hybrid": "hybrid",
    "compressed_sparse_attention": "compressed",
    "heavily_compressed_attention": "compressed",
    "deepseek_sparse_attention": "full",
    "mlp": "",
    "moe": "",
}
# Nemotron-H's `hybrid_override_pattern`: one letter a layer.
LETTERS: dict[str, str] = {"M": "linear_attention", "*": "full_attention", "-": "mlp", "E": "moe"}
# One layer in so many looks back on everything where the file doesn't say it (configuration classes of
# transformers 5.19, and vLLM 0.32's model code).
FULL_EVERY = {
    "cohere2": 4,
    "cohere2_moe": 4,
    "exaone4": 4,
    "exaone_moe": 4,
    "gemma2": 2,
    "gemma3_text": 6,
    "gemma3n_text": 5,
    "gemma4_text": 6,
    "gpt_oss": 2,
    "olmo3": 4,
    "ministral": 4,
    "afmoe": 4,
}
# Without attention, and with attention beside Mamba in every layer.
ONLY_LINEAR = {"mamba", "mamba2", "falcon_mamba"}
BOTH_IN_EACH = {"falcon_h1"}
# A window is set in these, but a switch turns it on.
SWITCHED = "use_sliding_window"


@dataclass(frozen=True)
class Layer:
    """One layer.

    Args:
        mixer: how it looks back; `hybrid`: full attention and a linear state side by side; empty: not at all.
        feed_forward: what follows; `both`: an MLP and experts side by side.
        window_tokens: for `sliding` and `chunked`.
        compress_ratio: for `compressed`: tokens that share one entry of the cache.
        shares_kv: True when it reads the keys and values of an earlier layer and has none of its own.
    """

    mixer: Mixer
    feed_forward: FeedForward
    window_tokens: int | None = None
    compress_ratio: int = 1
    shares_kv: bool = False


def list_layers(keys: Keys) -> tuple[Layer, ...]:
    """The model's layers in order, prediction layers left out.

    Raises:
        ModelNotFoundError: the file doesn't say how many there are, or says something absurd.

    Example:
        >>> [layer.mixer for layer in list_layers(Keys({"num_hidden_layers": 2}))]
        ['full', 'full']
    """
    words = _layer_words(keys)
    num_layers = len(words) if keys.model_type == "nemotron_h" and words else keys.need("num_hidden_layers")
    if num_layers > MAX_LAYERS:
        raise ModelNotFoundError(
            f"config.json says {num_layers} layers, more than the {MAX_LAYERS} that are believable.",
            "Fetch the file again, or mend it.",
        )
    mixers = [_mixer(keys, index, words) for index in range(num_layers)]
    first_sharing = num_layers - keys.number("num_kv_shared_layers")
    return tuple(
        Layer(
            mixer=mixer,
            feed_forward=_feed_forward(keys, index, words),
            window_tokens=_window(keys, mixer),
            compress_ratio=_ratio(keys, index, words) if mixer == "compressed" else 1,
            shares_kv=index >= first_sharing,
        )
        for index, mixer in enumerate(mixers)
    )


def unknown_words(keys: Keys) -> list[str]:
    """Kinds of layers that the file names and nobody here has heard of; they are taken for full attention."""
    return sorted(set(_layer_words(keys)) - set(MIXERS))


def _layer_words(keys: Keys) -> list[str]:
    """The kind of each layer where the file says it outright."""
    if words := keys.words("layer_types"):
        return words
    pattern = keys.get("hybrid_override_pattern")
    if isinstance(pattern, str):
        return [LETTERS.get(letter, letter) for letter in pattern]
    return []


def _mixer(keys: Keys, index: int, words: list[str]) -> Mixer:
    mixer = MIXERS.get(words[index], "full") if index < len(words) else _implied_mixer(keys, index)
    if mixer == "full" and keys.number("kv_lora_rank"):
        return "mla"
    if mixer == "full" and keys.model_type in BOTH_IN_EACH:
        return "hybrid"
    if mixer in {"sliding", "chunked"} and not _window(keys, mixer):
        return "full"
    return mixer


def _implied_mixer(keys: Keys, index: int) -> Mixer:
    """How a layer looks back where the file has no list of kinds."""
    if keys.model_type in ONLY_LINEAR:
        return "linear"
    for find in (_linear_by_list, _linear_by_period, _chunked_by_list, _sliding_by_pattern):
        if mixer := find(keys, index):
            return mixer
    return "compressed" if keys.numbers("compress_ratios") else "full"


def _linear_by_list(keys: Keys, index: int) -> Mixer:
    linear = keys.get("linear_attn_config")  # Kimi Linear; its layers count from 1
    if isinstance(linear, dict):
        return "linear" if index + 1 in (linear.get("kda_layers") or []) else "full"
    if (indices := keys.get("attn_layer_indices")) is not None:  # Bamba
        return "full" if index in indices else "linear"
    kinds = keys.get("attn_type_list")  # MiniMax: 0 is lightning attention
    if isinstance(kinds, list) and index < len(kinds):
        return "full" if kinds[index] else "linear"
    return ""


def _linear_by_period(keys: Keys, index: int) -> Mixer:
    if every := keys.number("full_attention_interval"):  # Qwen3-Next, Qwen3.5
        return "full" if (index + 1) % every == 0 else "linear"
    if "linear_num_value_heads" in keys.defaults:
        return "full" if (index + 1) % 4 == 0 else "linear"
    if every := keys.number("attn_layer_period"):  # Jamba
        return "full" if index % every == keys.number("attn_layer_offset") else "linear"
    return ""


def _chunked_by_list(keys: Keys, index: int) -> Mixer:
    if not keys.number("attention_chunk_size") or "llama4" not in keys.model_type:
        return ""
    rope = keys.get("no_rope_layers") or []  # 1: with RoPE, and then in chunks; empty: every fourth without
    has_rope = bool(rope[index]) if index < len(rope) else (index + 1) % 4 != 0
    return "chunked" if has_rope else "full"


def _sliding_by_pattern(keys: Keys, index: int) -> Mixer:
    if not _window(keys, "sliding"):
        return ""
    hybrid = keys.numbers("hybrid_layer_pattern")  # MiMo-V2: 1 is sliding
    if index < len(hybrid):
        return "sliding" if hybrid[index] else "full"
    every: object = keys.get("sliding_window_pattern") or FULL_EVERY.get(keys.model_type)
    if isinstance(every, str) and every:  # EXAONE 4: "LLLG"
        return "full" if every[index % len(every)] == "G" else "sliding"
    if isinstance(every, int) and every > 1:
        return "full" if (index + 1) % every == 0 else "sliding"
    return "" if keys.numbers("compress_ratios") else "sliding"


def _window(keys: Keys, mixer: str) -> int | None:
    """Tokens that such a layer looks back on; None when that is as much as any request has."""
    if mixer == "chunked":
        return keys.number("attention_chunk_size") or None
    if mixer not in {"sliding", "compressed"} or not keys.flag(SWITCHED, default=True):
        return None
    window = keys.number("sliding_window")
    longest = keys.number("max_position_embeddings")
    return window if window and (not longest or window < longest) else None


def _ratio(keys: Keys, index: int, words: list[str]) -> int:
    """DeepSeek-V4: tokens per entry of the cache; 0 in the file means that only the window is kept."""
    ratios = keys.numbers("compress_ratios")
    if index < len(ratios):
        return ratios[index]
    return {"compressed_sparse_attention": 4, "heavily_compressed_attention": 128}.get(words[index], 1)


def _feed_forward(keys: Keys, index: int, words: list[str]) -> FeedForward:
    if keys.model_type in ONLY_LINEAR:
        return ""
    if keys.model_type == "nemotron_h" and index < len(words):
        return {"mlp": "dense", "moe": "moe"}.get(words[index], "")  # type: ignore[return-value]
    if not keys.number("num_experts"):
        return "dense"
    if keys.model_type.startswith("gemma4"):
        return "both" if keys.flag("enable_moe_block") else "dense"
    return "moe" if _has_experts(keys, index) else "dense"


def _has_experts(keys: Keys, index: int) -> bool:
    listed = _experts_by_list(keys, index)
    if listed is not None:
        return listed
    if index < keys.number("num_dense_layers"):
        return False
    for period, offset in (("expert_layer_period", "expert_layer_offset"),):  # Jamba
        if every := keys.number(period):
            return index % every == keys.number(offset)
    start, end = keys.number("moe_layer_start_index"), keys.get("moe_layer_end_index")  # Ernie 4.5
    if index < start or (isinstance(end, int) and end >= 0 and index > end):
        return False
    steps = ("decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_interval")
    every = next((n for n in (_number_or_none(keys, step) for step in steps) if n), 1)
    return (index + 1) % every == 0


def _number_or_none(keys: Keys, name: str) -> int | None:
    value = keys.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _experts_by_list(keys: Keys, index: int) -> bool | None:
    """Whether a layer has experts where the file lists it layer by layer; None where it doesn't."""
    kinds = keys.words("mlp_layer_types")
    if index < len(kinds):
        return kinds[index] != "dense"
    frequency = keys.numbers("moe_layer_freq")  # MiMo: 0 or 1 a layer
    if index < len(frequency):
        return bool(frequency[index])
    for name in ("moe_layers", "moe_layers_enum"):  # Llama 4, Step-3
        if layers := keys.numbers(name):
            return index in layers
    dense = keys.numbers("mlp_only_layers")  # Qwen
    return False if index in dense else None
