"""What a model's layers keep of what they have read, grouped by kind. Pure."""

from __future__ import annotations

from collections import Counter

from curc_llm.catalogue.architecture import AttentionGroup
from curc_llm.catalogue.config_keys import Keys
from curc_llm.catalogue.heads import read_heads
from curc_llm.catalogue.layers import Layer
from curc_llm.catalogue.linear import read_linear
from curc_llm.catalogue.parameters import ENCODERS

# vLLM 0.32 keeps the indexer's keys in FP8 with a float32 scale for 128 of them (model_executor/models/
# deepseek_v2.py: DeepseekV32IndexerCache).
INDEX_SCALE_BYTES = 4
INDEX_BLOCK = 128


def make_groups(keys: Keys, layers: tuple[Layer, ...]) -> tuple[AttentionGroup, ...]:
    """The layers' kinds of memory; none for an encoder, which keeps nothing between tokens.

    Layers that read an earlier layer's keys and values have none of their own.

    Example:
        >>> keys = Keys({"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        ...              "hidden_size": 4096})
        >>> make_groups(keys, list_layers(keys))[0].num_kv_heads
        8
    """
    if keys.model_type in ENCODERS:
        return ()
    kinds: Counter[AttentionGroup] = Counter()
    for index, layer in enumerate(layers):
        if not layer.shares_kv:
            kinds.update(_describe(keys, layer, index))
    return tuple(kind.model_copy(update={"num_layers": count}) for kind, count in kinds.items())


def _describe(keys: Keys, layer: Layer, index: int) -> list[AttentionGroup]:
    """What one layer keeps, as groups of one layer."""
    if layer.mixer == "mla":
        latent = keys.need("kv_lora_rank") + keys.number("qk_rope_head_dim")
        extra = _index_bytes(keys, index)
        return [AttentionGroup(kind="mla", num_layers=1, latent_dim=latent, extra_bytes_per_token=extra)]
    if layer.mixer == "compressed":
        return [_describe_compressed(keys, layer)]
    state = [_describe_state(keys)] if layer.mixer in {"linear", "hybrid"} else []
    seen = [_describe_heads(keys, layer)] if layer.mixer in {"full", "sliding", "chunked", "hybrid"} else []
    return [*seen, *state]


def _describe_heads(keys: Keys, layer: Layer) -> AttentionGroup:
    heads = read_heads(keys, layer)
    return AttentionGroup(
        kind=layer.mixer if layer.mixer in {"sliding", "chunked"} else "full",
        num_layers=1,
        num_kv_heads=heads.num_kv_heads,
        head_dim=heads.head_dim,
        v_head_dim=heads.v_head_dim if heads.v_head_dim != heads.head_dim else None,
        window_tokens=layer.window_tokens,
    )


def _describe_state(keys: Keys) -> AttentionGroup:
    return AttentionGroup(kind="linear", num_layers=1, state_bytes=max(1, read_linear(keys).state_bytes))


def _describe_compressed(keys: Keys, layer: Layer) -> AttentionGroup:
    """DeepSeek-V4: one vector for several tokens. Its window, a few MiB, is left out."""
    width = keys.need("head_dim")
    if layer.compress_ratio <= 1:  # keys are values too, so half of the width stands for each
        window = layer.window_tokens or keys.number("sliding_window", 128)
        return AttentionGroup(
            kind="sliding", num_layers=1, num_kv_heads=1, head_dim=width // 2, window_tokens=window
        )
    extra = _one_index_bytes(keys) // layer.compress_ratio if layer.compress_ratio == 4 else 0
    latent = max(1, width // layer.compress_ratio)
    return AttentionGroup(kind="mla", num_layers=1, latent_dim=latent, extra_bytes_per_token=extra)


def _index_bytes(keys: Keys, index: int) -> int:
    """Bytes per token of the keys of DeepSeek's sparse attention; 0 where another layer's are used."""
    kinds = keys.words("indexer_types")
    if not keys.number("index_n_heads") or (index < len(kinds) and kinds[index] != "full"):
        return 0
    return -(-_one_index_bytes(keys) // (keys.number("index_kpool") or 1))  # GLM-5.3 pools keys of 16 tokens


def _one_index_bytes(keys: Keys) -> int:
    dim = keys.number("index_head_dim")
    return dim + dim // INDEX_BLOCK * INDEX_SCALE_BYTES
