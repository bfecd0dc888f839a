"""Heads of an attention layer: how many, how wide, and which kinds of layers have others."""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.catalogue.config_keys import Keys
from curc_llm.catalogue.layers import Layer

# All heads share one key and one value in these unless the file says otherwise.
MULTI_QUERY = {"gpt_bigcode", "falcon"}


@dataclass(frozen=True)
class Heads:
    """Heads of one layer.

    Args:
        num_heads: of queries.
        num_kv_heads: of keys and values.
        head_dim: width of queries and keys.
        v_head_dim: width of values.
        shares_v: True when the projection of the keys gives the values too.
    """

    num_heads: int
    num_kv_heads: int
    head_dim: int
    v_head_dim: int
    shares_v: bool = False


def read_heads(keys: Keys, layer: Layer) -> Heads:
    """The heads of a layer with attention other than MLA.

    Raises:
        ModelNotFoundError: config.json doesn't say how many there are.
    """
    num_heads = keys.need("num_attention_heads")
    head_dim = keys.number("head_dim") or keys.need("hidden_size") // num_heads
    kv_heads = read_kv_heads(keys, num_heads)
    if layer.mixer == "full" and keys.model_type.startswith("gemma4"):
        return _read_gemma4(keys, num_heads, kv_heads, head_dim)
    v_dim = keys.number("v_head_dim") or head_dim
    if layer.mixer == "sliding":  # MiMo-V2: sliding layers have heads of their own
        kv_heads = keys.number("swa_num_key_value_heads") or kv_heads
        num_heads = keys.number("swa_num_attention_heads") or num_heads
        head_dim = keys.number("swa_head_dim") or head_dim
        v_dim = keys.number("swa_v_head_dim") or v_dim
    return Heads(num_heads, kv_heads, head_dim, v_dim)


def read_kv_heads(keys: Keys, num_heads: int) -> int:
    """Heads of keys and values; as many as of queries where the file doesn't say."""
    if keys.model_type in MULTI_QUERY and not keys.flag("new_decoder_architecture"):
        return 1 if keys.flag("multi_query", default=True) else num_heads
    stated = keys.get("num_key_value_heads")
    if isinstance(stated, list):  # OpenELM and others: another number in each layer; the largest counts
        return max((n for n in stated if isinstance(n, int)), default=num_heads)
    return keys.number("num_key_value_heads") or num_heads


def _read_gemma4(keys: Keys, num_heads: int, kv_heads: int, head_dim: int) -> Heads:
    """Gemma 4's layers that look back on everything have wider heads, and keys that are values too."""
    wide = keys.number("global_head_dim", 512) or head_dim
    shares = keys.flag("attention_k_eq_v")
    few = keys.number("num_global_key_value_heads") if shares else 0
    return Heads(num_heads, few or kv_heads, wide, wide, shares)
