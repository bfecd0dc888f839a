"""From a config.json alone to a model: every number is computed, and what had to be assumed is said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curc_llm.catalogue.architecture import Architecture
from curc_llm.catalogue.attention_groups import make_groups
from curc_llm.catalogue.config_keys import Keys
from curc_llm.catalogue.context import derive_context_limit
from curc_llm.catalogue.impossible import check_config
from curc_llm.catalogue.layers import list_layers, unknown_words
from curc_llm.catalogue.model import Model, Use, Weights
from curc_llm.catalogue.parameters import ENCODERS, WITHOUT_HEAD, Parameters, count_parameters
from curc_llm.catalogue.quantisation_config import read_format, read_kv_scales
from curc_llm.catalogue.vllm_support import REMEDY, look_up_support
from curc_llm.errors import ModelNotFoundError

MAX_CONFIG_BYTES = 16 * 2**20
# What vLLM takes when a config.json doesn't tell the length (0.32, config/model.py).
FALLBACK_CONTEXT_TOKENS = 2048
# Positions of these start behind the padding token's, so the last two can't be used.
SHIFTED_POSITIONS = {"roberta", "xlm-roberta", "camembert", "mpnet"}
SOURCE = "config.json"
# What values of the wrong kind end in: a list where a number should be, say.
NONSENSE = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)


def read_config(path: Path) -> dict[str, Any]:
    """The values of a config.json.

    Raises:
        ModelNotFoundError: it can't be read, or holds something else.
    """
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ValueError("it is larger than 16 MiB")  # noqa: TRY301 - told like every other trouble
        config = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelNotFoundError(f"{path} can't be read: {_say(error)}.", "Fetch the file again.") from error
    if not isinstance(config, dict):
        raise ModelNotFoundError(f"{path} holds no `{{...}}` with values.", "Fetch the file again.")
    return config


def _say(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno} isn't JSON"
    if isinstance(error, UnicodeDecodeError):
        return "it isn't text"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def model_from_config(config: Mapping[str, Any], title: str, hub_id: str = "") -> Model:
    """The model that a config.json describes; its parameters are an estimate.

    Args:
        config: the values.
        title: what to call it.
        hub_id: its Hugging Face id, where it has one.

    Raises:
        ModelNotFoundError: a number is missing without which nothing can be computed; names it.

    Example:
        >>> model_from_config(read_config(Path("Qwen3-8B/config.json")), "mine").max_context_tokens
        40960
    """
    try:
        return _make_model(config, title, hub_id)
    except NONSENSE as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise ModelNotFoundError(
            f"The config.json of {title} holds something that makes no sense ({why}).",
            "Fetch the file again, or enter the model in your own catalogue; see docs/adding-a-model.md.",
        ) from error


def _make_model(config: Mapping[str, Any], title: str, hub_id: str) -> Model:
    keys, support = Keys(config), look_up_support(config)
    try:
        check_config(keys)
        architecture, parameters = _make_architecture(keys)
    except ModelNotFoundError as error:
        # Nothing to mend in the numbers of a model that can't be served anyway.
        refused = ModelNotFoundError(support.refusal, REMEDY)
        raise (refused if support.refusal else error) from error
    format_, assumed = read_format(config)
    context, no_context = _find_context(keys)
    told = _list_assumed(keys, parameters)
    return Model(
        source=SOURCE,
        title=title,
        uses=_find_uses(keys, architecture.class_name),
        modalities=_find_modalities(keys),
        max_context_tokens=context,
        architecture=architecture,
        weights=(Weights(hub_id=hub_id, format=format_, brings_kv_scales=read_kv_scales(config)),),
        trust_remote_code=bool(config.get("auto_map")) and not keys.is_known,
        is_estimate=True,
        assumed=tuple(text for text in (*told, support.doubt, assumed, no_context) if text),
        vllm_refusal=support.refusal,
    )


def _make_architecture(keys: Keys) -> tuple[Architecture, Parameters]:
    names = keys.whole.get("architectures") or keys.text.get("architectures")
    class_name = str(names[0]) if isinstance(names, list) and names else keys.model_type or "unknown"
    layers = list_layers(keys)
    count = count_parameters(keys, class_name)
    num_experts = keys.number("num_experts") if count.experts else 0
    architecture = Architecture(
        class_name=class_name,
        num_layers=len(layers),
        hidden_size=keys.need("hidden_size"),
        num_attention_heads=keys.number("num_attention_heads") or 1,  # Mamba has none
        vocab_size=keys.need("vocab_size"),
        attention=make_groups(keys, layers),
        total_params=count.total,
        active_params=count.active if count.active < count.total else None,
        embedding_params=count.embeddings + count.per_layer_embeddings,
        num_experts=num_experts,
        num_experts_per_token=keys.number("num_experts_per_tok", 1) if num_experts else 0,
        expert_params=count.experts,
        vision_params=count.vision,
    )
    return architecture, count


def _find_context(keys: Keys) -> tuple[int, str]:
    """The longest context in tokens, and what had to be assumed for it."""
    limit = derive_context_limit(keys.whole) or keys.number("max_position_embeddings")
    if limit < 16:
        text = f"config.json tells no length of context; {FALLBACK_CONTEXT_TOKENS} tokens are assumed."
        return FALLBACK_CONTEXT_TOKENS, text
    return limit - (2 if keys.model_type in SHIFTED_POSITIONS else 0), ""


def _find_uses(keys: Keys, class_name: str) -> tuple[Use, ...]:
    if keys.model_type in ENCODERS or class_name.endswith(WITHOUT_HEAD):
        return ("embeddings",)
    found: list[Use] = ["chat"]
    heard = _find_modalities(keys)
    found += ["vision"] if "image" in heard else []
    found += ["audio"] if "audio" in heard else []
    return tuple(found)


def _find_modalities(keys: Keys) -> tuple[Any, ...]:
    whole = keys.whole.get("thinker_config")
    whole = whole if isinstance(whole, dict) else keys.whole
    sees = whole.get("vision_config") or whole.get("vision_encoder")
    return (*(["image"] if sees else []), *(["audio"] if whole.get("audio_config") else []))


def _list_assumed(keys: Keys, count: Parameters) -> list[str]:
    """What was assumed of the architecture, in sentences."""
    assumed = []
    if not keys.is_known:
        kind = keys.model_type or "no model_type"
        body = "a decoder with experts" if count.experts else "a dense decoder"
        assumed.append(
            f"Nothing is known of the architecture ({kind[:60]}); it was taken for {body} with grouped-query "
            "attention, gated MLPs and the numbers that config.json holds."
        )
    if words := unknown_words(keys):
        assumed.append(f"Layers of the kind {', '.join(words)[:80]} were taken for full attention.")
    if isinstance(keys.get("block_configs"), list):
        assumed.append("Its layers differ from each other, and were all taken for full-sized ones.")
    return assumed
