"""Parameters of a model from its config.json alone: an estimate, within 3 % of transformers' count. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.catalogue.config_keys import Keys
from curc_llm.catalogue.layers import Layer, list_layers
from curc_llm.catalogue.linear import read_linear
from curc_llm.catalogue.parameters_attention import count_attention
from curc_llm.catalogue.parameters_feed_forward import FeedForwardCount, count_feed_forward
from curc_llm.catalogue.parameters_vision import count_vision

# Encoders: no output layer, positions are learned, a pooler ends them.
ENCODERS = {
    *("bert", "roberta", "xlm-roberta", "xlm_roberta", "mpnet", "camembert", "electra", "nomic_bert"),
    *("modernbert", "new", "gte"),
}
LEARNED_POSITIONS = {"gpt2", "gpt_bigcode", "gpt_neo", "opt"} | ENCODERS - {
    *("nomic_bert", "modernbert", "new", "gte")
}
# Published checkpoints hold a prediction layer that config.json doesn't tell.
UNTOLD_PREDICTION = {"qwen3_next": 1}
# Architectures whose names end so have no output layer.
WITHOUT_HEAD = ("Model", "ForSequenceClassification", "ForTokenClassification")


@dataclass(frozen=True)
class Parameters:
    """How many parameters each part of a model has.

    Args:
        embeddings: input and output embeddings, once when they are tied; learned positions.
        per_layer_embeddings: a table for each layer (Gemma 3n and 4), of which a token reads one row.
        attention: of layers that look back on keys and values.
        linear: of layers that keep a state.
        dense: MLPs that every token passes.
        experts: all routed experts.
        shared: experts that every token passes, and what leads to the routed ones.
        routers: what chooses the experts.
        other: norms, and what only single families have.
        vision: everything that sees or hears.
        prediction: layers that predict further tokens (MTP), as published checkpoints hold them.
        share_active: of the routed experts that one token passes, 0 to 1.
    """

    embeddings: int
    per_layer_embeddings: int
    attention: int
    linear: int
    dense: int
    experts: int
    shared: int
    routers: int
    other: int
    vision: int
    prediction: int
    share_active: float

    @property
    def text(self) -> int:
        """Of the language model without prediction layers."""
        tables = self.embeddings + self.per_layer_embeddings
        layers = self.attention + self.linear + self.dense + self.experts + self.shared + self.routers
        return tables + layers + self.other

    @property
    def total(self) -> int:
        """All of them."""
        return self.text + self.vision + self.prediction

    @property
    def active(self) -> int:
        """Those of the language model that one token passes through."""
        idle = self.experts - round(self.experts * self.share_active)
        return self.text - self.per_layer_embeddings - idle


def count_parameters(keys: Keys, class_name: str = "") -> Parameters:
    """Counts a model's parameters.

    Args:
        keys: its config.json.
        class_name: as in its `architectures`; some have no output layer.

    Raises:
        ModelNotFoundError: a number is missing; names it.

    Example:
        >>> config = {"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32}
        >>> config |= {"intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8}
        >>> config |= {"vocab_size": 128256}
        >>> count_parameters(Keys(config)).total
        8030261248
    """
    layers = list_layers(keys)
    forward = [count_feed_forward(keys, layer, index) for index, layer in enumerate(layers)]
    experts = keys.number("num_experts")
    return Parameters(
        embeddings=count_embeddings(keys, class_name),
        per_layer_embeddings=_count_per_layer_embeddings(keys, len(layers)),
        attention=sum(count_attention(keys, layer) for layer in layers if _looks_back(layer)),
        linear=_count_linear(keys, layers),
        dense=sum(part.dense for part in forward),
        experts=sum(part.experts for part in forward),
        shared=sum(part.shared for part in forward),
        routers=sum(part.router for part in forward),
        other=_count_norms(keys, layers) + _count_extras(keys, layers),
        vision=count_vision(keys),
        prediction=_count_prediction(keys, layers, forward),
        share_active=min(1.0, keys.number("num_experts_per_tok", 1) / experts) if experts else 1.0,
    )


def count_embeddings(keys: Keys, class_name: str = "") -> int:
    """Input and output embeddings, and learned positions."""
    hidden, vocab = keys.need("hidden_size"), keys.need("vocab_size")
    tables = 1 if is_tied(keys) or _has_no_head(keys, class_name) else 2
    count = tables * vocab * hidden
    if keys.model_type in LEARNED_POSITIONS:
        count += hidden * (keys.number("max_position_embeddings") + keys.number("type_vocab_size"))
    return count


def _count_per_layer_embeddings(keys: Keys, num_layers: int) -> int:
    per_layer = keys.number("hidden_size_per_layer_input")
    return num_layers * per_layer * keys.number("vocab_size_per_layer_input") if per_layer else 0


def is_tied(keys: Keys) -> bool:
    """True when input and output embeddings are one."""
    for values in (keys.whole, keys.text, keys.defaults):
        stated = values.get("tie_word_embeddings")
        if stated is not None:
            return bool(stated)
    return False


def _has_no_head(keys: Keys, class_name: str) -> bool:
    return keys.model_type in ENCODERS or class_name.endswith(WITHOUT_HEAD)


def _looks_back(layer: Layer) -> bool:
    return layer.mixer not in {"linear", ""}


def _count_linear(keys: Keys, layers: tuple[Layer, ...]) -> int:
    count = sum(layer.mixer in {"linear", "hybrid"} for layer in layers)
    return count * read_linear(keys).params if count else 0


def _count_norms(keys: Keys, layers: tuple[Layer, ...]) -> int:
    """Two norms a layer (Gemma: four), one where a layer is either attention or MLP, and the last one."""
    hidden = keys.need("hidden_size")
    each = sum((layer.mixer != "") + (layer.feed_forward != "") for layer in layers)
    return hidden * (each * (2 if keys.model_type.startswith("gemma") else 1) + 1)


def _count_extras(keys: Keys, layers: tuple[Layer, ...]) -> int:
    """What only single families have, where it is more than a rounding error."""
    hidden, num_layers = keys.need("hidden_size"), len(layers)
    count = 0
    if per_layer := keys.number(
        "hidden_size_per_layer_input"
    ):  # Gemma 3n and 4: per-layer embeddings' way in
        count += 3 * num_layers * hidden * per_layer
    if inputs := keys.number("altup_num_inputs"):  # Gemma 3n: AltUp and LAuReL
        count += 2 * (inputs - 1) * hidden * hidden
        count += num_layers * 2 * hidden * keys.number("laurel_rank")
    if streams := keys.number("hc_mult"):  # DeepSeek-V4: hyper-connections before attention and MLP
        count += 2 * num_layers * streams * hidden * (2 * streams + streams * streams)
    return count


def _count_prediction(keys: Keys, layers: tuple[Layer, ...], forward: list[FeedForwardCount]) -> int:
    """Prediction layers: each is one more layer like the last, and a projection of two vectors into one.

    DeepSeek and GLM store the embeddings with them a second time (DeepSeek-V3's README_WEIGHTS.md), Qwen
    doesn't.
    """
    count = keys.number("num_nextn_predict_layers", UNTOLD_PREDICTION.get(keys.model_type, 0))
    if not count or not layers:
        return 0
    hidden, last = keys.need("hidden_size"), forward[-1]
    mixer = next((layer for layer in reversed(layers) if _looks_back(layer)), None)
    attention = count_attention(keys, mixer) if mixer else 0
    largest = max(forward, key=lambda part: part.experts + part.dense, default=last)
    one = attention + largest.dense + largest.experts + largest.shared + largest.router + 2 * hidden * hidden
    again = 2 * keys.need("vocab_size") * hidden if keys.number("kv_lora_rank") else 0
    return count * (one + again)
