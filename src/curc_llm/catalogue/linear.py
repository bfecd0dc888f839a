"""Layers that keep a state of fixed size instead of keys and values: their parameters and their state. Pure.

Source of the shapes: transformers 5.19's model code (parameters) and vLLM 0.32,
model_executor/layers/mamba/mamba_utils.py (state).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from curc_llm.catalogue.config_keys import Keys

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Linear:
    """One layer with a state.

    Args:
        params: its parameters.
        conv_values: values of the state that the convolution keeps.
        state_values: values of the recurrent state.
        state_bytes_per_value: 4 where vLLM keeps that one in float32.
    """

    params: int
    conv_values: int = 0
    state_values: int = 0
    state_bytes_per_value: int = 2

    @property
    def state_bytes(self) -> int:
        """Bytes per layer and request; the convolution's part is in the model's own 16 bits."""
        return 2 * self.conv_values + self.state_bytes_per_value * self.state_values


def read_linear(keys: Keys) -> Linear:
    """The kind of state layer that a model has, by the keys that it sets.

    Raises:
        ModelNotFoundError: none of the known ones; names the key that is missing.
    """
    if isinstance(keys.get("linear_attn_config"), dict):
        return _read_kda(keys, keys.get("linear_attn_config"))
    if keys.number("linear_num_heads"):  # GLM-5.3
        names = {"num_heads": "linear_num_heads", "head_dim": "linear_head_dim"}
        return _read_kda(keys, {name: keys.need(key) for name, key in names.items()})
    if keys.number("linear_num_value_heads"):
        return _read_gated_delta(keys)
    if keys.number("conv_L_cache"):
        return _read_short_conv(keys)
    if keys.get("attn_type_list") is not None or keys.model_type.startswith("minimax"):
        return _read_lightning(keys)
    if keys.number("mamba_num_heads") or keys.number("mamba_n_heads") or keys.model_type == "mamba2":
        return _read_mamba2(keys)
    return _read_mamba1(keys)


def _read_gated_delta(keys: Keys) -> Linear:
    """Gated DeltaNet (arXiv 2412.06464) as in Qwen3-Next and Qwen3.5."""
    hidden, kernel = keys.need("hidden_size"), keys.number("linear_conv_kernel_dim", 4)
    k_heads, v_heads = keys.need("linear_num_key_heads"), keys.need("linear_num_value_heads")
    k_dim, v_dim = keys.need("linear_key_head_dim"), keys.need("linear_value_head_dim")
    conv = 2 * k_heads * k_dim + v_heads * v_dim
    v_width = v_heads * v_dim
    params = hidden * (conv + 2 * v_width + 2 * v_heads) + conv * kernel + 2 * v_heads + v_dim
    size = BYTES.get(str(keys.get("mamba_ssm_dtype")), 2)
    return Linear(params, conv * (kernel - 1), v_heads * v_dim * k_dim, size)


def _read_kda(keys: Keys, about: dict[str, Any]) -> Linear:
    """Kimi Delta Attention (arXiv 2510.26692); vLLM keeps its state in float32."""
    own = Keys({**about, "hidden_size": keys.need("hidden_size")})
    hidden, heads, dim = own.need("hidden_size"), own.need("num_heads"), own.need("head_dim")
    kernel, width = own.number("short_conv_kernel_size", 4), heads * dim
    gates = 2 * (hidden * dim + dim * width)
    params = 4 * hidden * width + 3 * width * kernel + gates + hidden * heads + width + heads + dim
    return Linear(params, 3 * width * (kernel - 1), heads * dim * dim, 4)


def _read_short_conv(keys: Keys) -> Linear:
    """LFM2's gated short convolution: it keeps the last inputs and no other state."""
    hidden, kernel = keys.need("hidden_size"), keys.need("conv_L_cache")
    return Linear(4 * hidden * hidden + hidden * kernel, hidden * (kernel - 1))


def _read_lightning(keys: Keys) -> Linear:
    """Lightning attention of MiniMax-Text-01 (arXiv 2501.08313), with an output gate."""
    hidden, heads = keys.need("hidden_size"), keys.need("num_attention_heads")
    width = heads * (keys.number("head_dim") or hidden // heads)
    return Linear(5 * hidden * width, 0, width * width // heads, 4)


def _read_mamba2(keys: Keys) -> Linear:
    """Mamba-2 (arXiv 2405.21060) by the names of Nemotron-H, of Granite and Falcon-H1, or of Mamba itself."""
    hidden = keys.need("hidden_size")
    heads = keys.number("mamba_num_heads") or keys.number("mamba_n_heads") or keys.need("num_heads")
    expanded = (keys.number("expand") or _number(keys, "mamba_expand") or 2) * hidden
    inner = _number(keys, "mamba_d_ssm") or _head_dim(keys, heads, expanded) * heads
    state = keys.number("ssm_state_size") or keys.number("mamba_d_state") or keys.need("state_size")
    groups = keys.number("mamba_n_groups") or keys.number("n_groups", 1)
    kernel = keys.number("conv_kernel") or keys.number("mamba_d_conv", 4)
    conv = inner + 2 * groups * state
    params = hidden * (inner + conv + heads) + conv * (kernel + 1) + 3 * heads + inner + inner * hidden
    size = BYTES.get(str(keys.get("mamba_ssm_cache_dtype")), 4 if keys.model_type == "nemotron_h" else 2)
    return Linear(params, conv * (kernel - 1), inner * state, size)


def _head_dim(keys: Keys, heads: int, expanded: int) -> int:
    return (
        _number(keys, "mamba_head_dim")
        or _number(keys, "mamba_d_head")
        or (_number(keys, "head_dim") if keys.model_type == "mamba2" else 0)
        or expanded // heads
    )


def _number(keys: Keys, name: str) -> int:
    """A number that some files leave to be computed: "auto"."""
    return 0 if keys.get(name) == "auto" else keys.number(name)


def _read_mamba1(keys: Keys) -> Linear:
    """Mamba (arXiv 2312.00752) as in Jamba and Falcon-Mamba."""
    hidden = keys.need("hidden_size")
    expand = keys.number("mamba_expand") or keys.number("expand", 2)
    inner = _number(keys, "d_inner") or expand * hidden
    state = keys.number("mamba_d_state") or keys.number("state_size", 16)
    kernel = keys.number("mamba_d_conv") or keys.number("conv_kernel", 4)
    rank = _number(keys, "mamba_dt_rank") or _number(keys, "time_step_rank") or -(-hidden // 16)
    params = 2 * hidden * inner + inner * (kernel + 1) + inner * (rank + 2 * state) + rank * inner + inner
    return Linear(params + inner * (state + 1) + inner * hidden, inner * (kernel - 1), inner * state)
