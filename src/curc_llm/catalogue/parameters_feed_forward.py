"""Parameters of what follows attention in a layer: an MLP, or experts with a router. Pure.

Source of the shapes: transformers 5.19's model code; tests/catalogue/test_parameters.py compares the counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.catalogue.config_keys import Keys
from curc_llm.catalogue.layers import Layer

# Two matrices, up and down; everywhere else a third one is a gate.
NOT_GATED = {
    *(
        "gpt2",
        "gpt_neox",
        "gptj",
        "gpt_neo",
        "gpt_bigcode",
        "codegen",
        "falcon",
        "phi",
        "opt",
        "bloom",
        "mpt",
    ),
    *("starcoder2", "nemotron", "nemotron_h", "arcee", "apertus", "persimmon"),
    *("bert", "roberta", "xlm-roberta", "mpnet", "camembert", "electra"),
}
WITH_BIAS = {"gpt2", "gpt_neox", "gptj", "gpt_bigcode", "phi", "opt", "bloom", "starcoder2"} | {
    *("bert", "roberta", "xlm-roberta", "mpnet", "camembert", "electra")
}


@dataclass(frozen=True)
class FeedForwardCount:
    """Parameters of one layer's feed-forward part.

    Args:
        dense: of the MLP that every token passes.
        experts: of all routed experts.
        shared: of the experts that every token passes.
        router: of what chooses.
    """

    dense: int = 0
    experts: int = 0
    shared: int = 0
    router: int = 0


def count_feed_forward(keys: Keys, layer: Layer, index: int) -> FeedForwardCount:
    """Parameters of a layer's feed-forward part.

    Args:
        keys: the model's numbers.
        layer: the layer.
        index: its place.
    """
    dense = _count_dense(keys, layer, index) if layer.feed_forward in {"dense", "both"} else 0
    if layer.feed_forward not in {"moe", "both"}:
        return FeedForwardCount(dense=dense)
    hidden, experts = keys.need("hidden_size"), keys.need("num_experts")
    latent = keys.number("moe_latent_size") or hidden  # Nemotron 3 Super: experts work in fewer dimensions
    narrowing = 2 * hidden * latent if latent != hidden else 0
    width = read_expert_width(keys)
    biases = experts * (2 * width + hidden) if keys.model_type == "gpt_oss" else 0
    return FeedForwardCount(
        dense=dense,
        experts=experts * _matrices(keys) * latent * width + biases,
        shared=_count_shared(keys) + narrowing,
        router=hidden * experts,
    )


def read_expert_width(keys: Keys) -> int:
    """Width of one routed expert; that of the MLP where the file doesn't tell them apart.

    Raises:
        ModelNotFoundError: config.json says neither.
    """
    value = keys.get("moe_intermediate_size")
    if isinstance(value, list):  # Ernie 4.5 VL: text and vision experts; Hunyuan: one number a layer
        return next((width for width in value if isinstance(width, int)), 0)
    return keys.number("moe_intermediate_size") or keys.need("intermediate_size")


def _matrices(keys: Keys) -> int:
    return 2 if keys.model_type in NOT_GATED else 3


def _count_dense(keys: Keys, layer: Layer, index: int) -> int:
    hidden, width = keys.need("hidden_size"), _read_width(keys, index)
    if layer.shares_kv and keys.flag("use_double_wide_mlp"):  # Gemma 4's small models
        width *= 2
    biases = width + hidden if keys.model_type in WITH_BIAS else 0
    return _matrices(keys) * hidden * width + biases


def _read_width(keys: Keys, index: int) -> int:
    """Width of the MLP, which some families set for each layer and some follow from another number."""
    value = keys.get("intermediate_size")
    if isinstance(value, list):  # Gemma 3n
        return int(value[min(index, len(value) - 1)])
    if keys.model_type == "granitemoehybrid":  # its one MLP is what the MoE models share
        return keys.number("shared_intermediate_size") or keys.need("intermediate_size")
    if keys.model_type == "lfm2":
        return _read_lfm2_width(keys)
    for name in ("intermediate_size_mlp", "dense_intermediate_size"):  # Llama 4
        if width := keys.number(name):
            return width
    return keys.number("intermediate_size") or 4 * keys.need("hidden_size")  # GPT-2 and GPT-J leave it out


def _read_lfm2_width(keys: Keys) -> int:
    """LFM2 cuts the stated width to two thirds and rounds it up (transformers, modeling_lfm2.py: Lfm2MLP)."""
    width = keys.number("block_ff_dim") or keys.need("intermediate_size")
    if not keys.flag("block_auto_adjust_ff_dim", default=True):
        return width
    factor = keys.get("block_ffn_dim_multiplier")
    width = int((factor if isinstance(factor, int | float) else 1) * int(2 * width / 3))
    step = keys.number("block_multiple_of", 256)
    return step * -(-width // step)


def _count_shared(keys: Keys) -> int:
    """Experts, or an MLP, that every token of a MoE layer passes besides the routed ones."""
    hidden = keys.need("hidden_size")
    if keys.model_type == "llama4_text":
        return 3 * hidden * keys.need("intermediate_size")
    if width := keys.number("shared_intermediate_size"):  # Granite
        return 3 * hidden * width
    count = keys.number("num_shared_experts") or keys.number("num_shared_expert")
    if width := keys.number("shared_expert_intermediate_size"):  # Qwen with a gate; Nemotron
        gate = hidden if keys.model_type.startswith("qwen") else 0
        return _matrices(keys) * hidden * width * max(1, count) + gate
    return _matrices(keys) * hidden * read_expert_width(keys) * count
