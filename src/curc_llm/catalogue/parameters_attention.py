"""Parameters of one attention layer. Pure.

Source of every formula: the shapes of the projections in transformers 5.19's model code of each family;
tests/catalogue/test_parameters.py compares with its count.
"""

from __future__ import annotations

from curc_llm.catalogue.config_keys import Keys
from curc_llm.catalogue.heads import read_heads
from curc_llm.catalogue.layers import Layer

# Biases on queries, keys and values that no key of config.json tells.
QKV_BIAS = {
    *("qwen2", "qwen2_moe", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text"),
    *("glm4v_text", "glm4v_moe_text"),
}
# Biases on all four projections.
ALL_BIAS = {"gpt2", "gpt_neox", "gpt_bigcode", "phi", "opt", "bloom", "starcoder2", "gpt_oss"} | {
    *("bert", "roberta", "xlm-roberta", "mpnet", "camembert", "electra")
}


def count_attention(keys: Keys, layer: Layer) -> int:
    """Parameters with which a layer looks back: projections, their norms and biases, an indexer.

    Args:
        keys: the model's numbers.
        layer: one with attention, not a linear one.
    """
    if layer.mixer == "mla":
        return _count_mla(keys) + _count_indexer(keys)
    if layer.mixer == "compressed":
        return _count_compressed(keys, layer)
    return _count_heads(keys, layer)


def _count_heads(keys: Keys, layer: Layer) -> int:
    """MHA, GQA and MQA: Q and O as wide as all heads, K and V as wide as theirs."""
    hidden, heads = keys.need("hidden_size"), read_heads(keys, layer)
    q_width = heads.num_heads * heads.head_dim
    k_width = 0 if layer.shares_kv else heads.num_kv_heads * heads.head_dim
    v_width = 0 if layer.shares_kv or heads.shares_v else heads.num_kv_heads * heads.v_head_dim
    o_width = heads.num_heads * heads.v_head_dim
    gate = q_width if _has_output_gate(keys) else 0  # Qwen3-Next: half of q_proj is a gate
    biases = q_width + k_width + v_width if _has_qkv_bias(keys) else 0
    biases += hidden if keys.model_type in ALL_BIAS else 0
    return hidden * (q_width + gate + k_width + v_width + o_width) + biases


def _has_output_gate(keys: Keys) -> bool:
    return keys.flag("attn_output_gate", default="linear_num_value_heads" in keys.defaults)


def _has_qkv_bias(keys: Keys) -> bool:
    stated = keys.flag("attention_bias") or keys.flag("qkv_bias") or keys.flag("use_qkv_bias")
    return stated or keys.model_type in QKV_BIAS | ALL_BIAS


def _count_mla(keys: Keys) -> int:
    """Multi-head latent attention (DeepSeek-V2 paper, arXiv 2405.04434, section 2.1 and appendix C)."""
    hidden, heads = keys.need("hidden_size"), keys.need("num_attention_heads")
    latent, rope = keys.need("kv_lora_rank"), keys.number("qk_rope_head_dim")
    nope, v_dim = keys.need("qk_nope_head_dim"), keys.need("v_head_dim")
    q_width = heads * (nope + rope)
    q_rank = keys.number("q_lora_rank")
    queries = q_rank * (hidden + q_width + 1) if q_rank else hidden * q_width
    keys_and_values = hidden * (latent + rope) + latent + latent * heads * (nope + v_dim)
    return queries + keys_and_values + heads * v_dim * hidden


def _count_indexer(keys: Keys) -> int:
    """DeepSeek sparse attention's indexer (V3.2 report, arXiv 2512.02556, section 2.1); 0 without one.

    GLM-5 shares it among layers (`indexer_types`): there the mean per layer is given.
    """
    heads, dim = keys.number("index_n_heads"), keys.number("index_head_dim")
    if not heads:
        return 0
    one = keys.number("q_lora_rank") * heads * dim + keys.need("hidden_size") * (dim + heads) + 2 * dim
    kinds = keys.words("indexer_types")
    return one * kinds.count("full") // len(kinds) if kinds else one


def _count_compressed(keys: Keys, layer: Layer) -> int:
    """DeepSeek-V4: one shared head of keys that are values too, grouped output, a compressor, an indexer."""
    hidden, width = keys.need("hidden_size"), keys.need("head_dim")
    q_rank, q_width = keys.need("q_lora_rank"), keys.need("num_attention_heads") * width
    o_rank, groups = keys.need("o_lora_rank"), keys.need("o_groups")
    count = q_rank * (hidden + q_width) + hidden * width + q_width * o_rank + groups * o_rank * hidden
    if layer.compress_ratio > 1:
        count += 2 * hidden * width * (2 if _has_indexer(layer) else 1)
    if _has_indexer(layer):
        index_width = keys.number("index_n_heads") * keys.number("index_head_dim")
        count += q_rank * index_width + hidden * (4 * keys.number("index_head_dim"))
    return count


def _has_indexer(layer: Layer) -> bool:
    """Only the layers that compress little choose among their entries (vLLM 0.32, deepseek_v4)."""
    return layer.compress_ratio == 4
