"""Architecture: the numbers of a model that memory and speed follow from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curc_llm.factfile import Frozen


class AttentionGroup(Frozen):
    """Layers that keep the same kind of memory of what they have read.

    Args:
        kind: `full` (MHA, GQA, MQA), `sliding` (the last window_tokens), `chunked` (Llama 4's local
            chunks), `mla` (a latent vector per token), `linear` (a state of fixed size per request: Mamba,
            Gated DeltaNet …).
        num_layers: how many layers are of this kind.
        num_kv_heads, head_dim: of keys; values have v_head_dim, when it differs.
        window_tokens: for `sliding` and `chunked`.
        latent_dim: for `mla`: kv_lora_rank + qk_rope_head_dim.
        extra_bytes_per_token: what a layer keeps besides, such as the index keys of DeepSeek's sparse
            attention.
        state_bytes: for `linear`: bytes per layer and request, before it is split over GPUs.
    """

    kind: Literal["full", "sliding", "chunked", "mla", "linear"]
    num_layers: int = Field(ge=1)
    num_kv_heads: int | None = Field(default=None, ge=1)
    head_dim: int | None = Field(default=None, ge=1)
    v_head_dim: int | None = Field(default=None, ge=1)
    window_tokens: int | None = Field(default=None, ge=1)
    latent_dim: int | None = Field(default=None, ge=1)
    extra_bytes_per_token: int = Field(default=0, ge=0)
    state_bytes: int | None = Field(default=None, ge=1)


class Architecture(Frozen):
    """What the arithmetic needs of a model.

    Args:
        class_name: as in config.json's `architectures`, which vLLM chooses its code by.
        num_layers, hidden_size, num_attention_heads, vocab_size: as in config.json.
        attention: the layers' kinds of memory; their num_layers add up to at most num_layers (a hybrid
            model's feed-forward layers keep none).
        total_params: all parameters, of the vision part and (where the checkpoint holds them) prediction
            layers too.
        active_params: parameters that one token passes through; None: all of them.
        embedding_params: of input and output embeddings together (once when they are tied).
        num_experts: routed experts of a MoE layer; 0 for a dense model.
        num_experts_per_token: how many of them one token passes through.
        expert_params: parameters of all routed experts together: what most 4-bit formats quantise.
        vision_params: of the vision or audio part; 0 without one.
    """

    class_name: str
    num_layers: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    num_attention_heads: int = Field(ge=1)
    vocab_size: int = Field(ge=1)
    attention: tuple[AttentionGroup, ...]
    total_params: int = Field(ge=1)
    active_params: int | None = Field(default=None, ge=1)
    embedding_params: int = Field(default=0, ge=0)
    num_experts: int = Field(default=0, ge=0)
    num_experts_per_token: int = Field(default=0, ge=0)
    expert_params: int = Field(default=0, ge=0)
    vision_params: int = Field(default=0, ge=0)
