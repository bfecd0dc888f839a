"""Impossible: what a config.json may say that no model can be, told in a sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from curc_llm.catalogue.config_keys import Keys
from curc_llm.catalogue.context import is_length, rope_entries
from curc_llm.catalogue.heads import read_kv_heads
from curc_llm.errors import ModelNotFoundError


def check_config(keys: Keys) -> None:
    """Refuses a config.json that contradicts itself.

    Raises:
        ModelNotFoundError: it does; the message says where.

    Example:
        >>> check_config(Keys({"num_attention_heads": 32, "num_key_value_heads": 5}))
        ModelNotFoundError: config.json says 5 KV heads, which don't divide its 32 attention heads.
    """
    for reason in _list_reasons(keys):
        raise ModelNotFoundError(f"config.json says {reason}.", "Fetch the file again, or mend it.")


def _list_reasons(keys: Keys) -> Iterator[str]:
    yield from _check_kinds(keys)
    yield from _check_heads(keys)
    yield from _check_layers(keys)
    experts, chosen = keys.number("num_experts"), keys.number("num_experts_per_tok")
    if experts and chosen > experts:
        yield f"{chosen} experts per token; it has {experts} experts"
    for rope in rope_entries(keys.text):
        factor = rope.get("factor")
        if factor is not None and not is_length(factor):
            yield f"that RoPE is scaled by {str(factor)[:40]}, which is no number above 0"


def _check_kinds(keys: Keys) -> Iterator[str]:
    names = keys.whole.get("architectures")
    if names is not None and not isinstance(names, list):
        yield f"architectures: {str(names)[:60]!r}, which is no list of names"
    about = keys.whole.get("quantization_config")
    if about is not None and not isinstance(about, dict):
        yield f"quantization_config: {str(about)[:60]!r}, which holds no names and values"


def _check_heads(keys: Keys) -> Iterator[str]:
    heads = keys.number("num_attention_heads")
    if not heads or keys.number("kv_lora_rank"):  # latent attention has no KV heads, whatever stands there
        return
    kv_heads = read_kv_heads(keys, heads)
    if kv_heads > heads:
        yield f"{kv_heads} KV heads, more than its {heads} attention heads"
    elif heads % kv_heads and not isinstance(keys.get("num_key_value_heads"), list):
        yield f"{kv_heads} KV heads, which don't divide its {heads} attention heads"


def _check_layers(keys: Keys) -> Iterator[str]:
    num_layers, words = keys.number("num_hidden_layers"), keys.words("layer_types")
    if not num_layers or not words or keys.model_type == "nemotron_h":  # there the words count
        return
    # Prediction layers may stand behind the others (Step 3.5).
    if len(words) not in (num_layers, num_layers + keys.number("num_nextn_predict_layers")):
        yield f"kinds of {len(words)} layers (layer_types); it has {num_layers} (num_hidden_layers)"
