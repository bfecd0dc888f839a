"""Parameters of what a model sees and hears with. Pure.

All vision towers here are plain transformers (each layer 4 x width^2 for attention and 2 or 3 x width x inner
for the MLP), with a patch embedding in front and a projector into the language model behind. Source of the
shapes: transformers 5.19's model code; tests/catalogue/test_parameters.py compares the counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curc_llm.catalogue.config_keys import Keys, read_defaults

GATED = {
    *("qwen2_5_vl", "qwen2_5_vl_vision", "qwen2_5_vl_text", "pixtral", "gemma4_vision"),
    *("glm4v_vision", "glm4v_moe_vision"),
}
GLM = {"glm4v_vision", "glm4v_moe_vision"}
# Names that vision configurations use besides those of language models; Kimi's begin with `vt_`.
ALIASES = {
    "width": ("embed_dim", "vt_hidden_size", "hidden_size"),
    "depth": ("depth", "vt_num_hidden_layers", "num_hidden_layers", "num_layers", "layers"),
    "inner": ("vt_intermediate_size", "intermediate_size", "mlp_dim"),
    "channels": ("in_channels", "in_chans", "num_channels"),
}
MOBILENET_V5_PARAMS = 300_000_000  # Gemma 3n's encoder, a convolutional network: its name is mobilenetv5_300m


class VisionKeys(Keys):
    """Numbers of a vision or audio part."""

    def __init__(self, config: Mapping[str, Any], whole: Keys) -> None:
        super().__init__(config)
        self.language = whole
        if not self.is_known or self.model_type in {whole.model_type, whole.whole.get("model_type")}:
            # Published files call the part like the whole: qwen3_vl instead of qwen3_vl_vision.
            stem = self.model_type or str(whole.whole.get("model_type", ""))
            if f"{stem}_vision" in read_defaults():
                self.model_type = f"{stem}_vision"
                self.defaults = read_defaults()[self.model_type]

    def first(self, name: str, default: int = 0) -> int:
        """The first of a number's names that is set."""
        return next((n for n in (self.size(alias) for alias in ALIASES[name]) if n), default)

    def size(self, name: str, default: int = 0) -> int:
        """A number, or the first of a pair of equal ones, such as `[14, 14]`."""
        value = self.get(name)
        if isinstance(value, list | tuple):
            return next((int(part) for part in value if isinstance(part, int)), default)
        return self.number(name, default)


def count_vision(keys: Keys) -> int:
    """Parameters of the vision and audio parts; 0 for a model that only reads."""
    outer = keys.whole.get("thinker_config")
    whole = outer if isinstance(outer, dict) else keys.whole
    count = 0
    for name in ("vision_config", "vision_encoder"):
        if isinstance(part := whole.get(name), dict):
            count += _count_tower(VisionKeys(part, keys))
    audio = whole.get("audio_config")
    return count + (_count_audio(VisionKeys(audio, keys)) if isinstance(audio, dict) else 0)


def _count_tower(keys: VisionKeys) -> int:
    if "mobilenet" in str(keys.get("architecture")):
        return MOBILENET_V5_PARAMS
    width, depth = keys.first("width"), keys.first("depth")
    if not width or not depth:
        return 0
    inner = keys.first("inner") or keys.size("mlp_ratio", 4) * width
    if keys.model_type in GLM:
        inner = keys.size("out_hidden_size") or inner
    matrices = 3 if keys.model_type in GATED else 2
    blocks = depth * (4 * width * width + matrices * width * inner)
    return blocks + _count_input(keys, width) + _count_projector(keys, width)


def _count_input(keys: VisionKeys, width: int) -> int:
    """Patches into vectors, and learned positions."""
    patch = keys.size("patch_size", 14)
    times = keys.size("temporal_patch_size", 1)
    count = keys.first("channels", 3) * patch * patch * times * width
    if places := keys.size("num_position_embeddings"):
        return count + places * width
    if places := keys.size("position_embedding_size"):  # Gemma 4: one table for each direction
        return count + 2 * places * width
    has_table = keys.model_type not in GATED
    return count + (width * (keys.size("image_size") // max(1, patch)) ** 2 if has_table else 0)


def _count_projector(keys: VisionKeys, width: int) -> int:
    """What leads from the tower into the language model."""
    out = keys.language.need("hidden_size")
    family = str(keys.language.whole.get("model_type", ""))
    merge = keys.size("spatial_merge_size") or keys.size("merge_kernel_size") or 2
    merged = width * merge * merge
    if keys.model_type in GLM:
        side = keys.size("out_hidden_size", out)
        return side * merged + side * side + 3 * side * keys.first("inner")
    if family.startswith(("gemma3", "gemma4")):
        return width * out
    if family.startswith("llama4"):
        middle, end = keys.size("projector_input_dim", 4096), keys.size("projector_output_dim", 4096)
        return keys.first("inner") * middle + middle * end + end * out
    if family.startswith("internvl"):
        return merged * out + out * out
    if keys.model_type == "pixtral":
        return width * merged + width * out + out * out
    if "depth" in keys.text or "vt_hidden_size" in keys.text:  # Qwen and Kimi
        deep = keys.get("deepstack_visual_indexes")
        count = 1 + (len(deep) if isinstance(deep, list) else 0)
        return count * (merged * merged + merged * keys.size("out_hidden_size", out))
    return width * out + out * out


def _count_audio(keys: VisionKeys) -> int:
    """An audio encoder: Whisper's (plain transformer), else a Conformer (two MLPs, a convolution)."""
    if depth := keys.size("encoder_layers"):
        width, inner = keys.size("d_model"), keys.size("encoder_ffn_dim")
        return depth * (4 * width * width + 2 * width * inner)
    width, depth = keys.size("hidden_size"), keys.size("num_hidden_layers")
    # Attention with relative positions 5 w^2, two MLPs 16 w^2, gated convolution 3 w^2 (Gemma 3n and 4).
    depth = depth or keys.size("conf_num_hidden_layers")
    return 24 * depth * width * width
