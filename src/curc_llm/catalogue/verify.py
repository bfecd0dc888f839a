"""Compares what the catalogue says of a model with the hub, or with a folder that holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curc_llm.catalogue.config_json import model_from_config
from curc_llm.catalogue.folder import read_folder
from curc_llm.catalogue.hub import HubFacts, read_hub
from curc_llm.catalogue.model import Model, Weights
from curc_llm.errors import ModelNotFoundError

# config.json alone gives parameters within 3 %; published sizes may or may not count files' headers.
MAX_PARAMS_DIFFERENCE = 0.03
MAX_BYTES_DIFFERENCE = 0.001
EXACT = ("class_name", "num_layers", "hidden_size", "num_attention_heads", "vocab_size")
EXPERTS = ("num_experts", "num_experts_per_token")


@dataclass(frozen=True)
class Difference:
    """A figure that isn't the same: what the catalogue says, and what the model itself does."""

    figure: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"{self.figure}: {self.ours} here, {self.theirs} there"


@dataclass(frozen=True)
class Verdict:
    """What came of one comparison.

    Args:
        name: the model's short name.
        where: the id or folder that it was compared with.
        differences: figures that aren't the same; empty: all are.
        note: what a person should know besides.
    """

    name: str
    where: str
    differences: tuple[Difference, ...] = ()
    note: str = ""

    @property
    def is_same(self) -> bool:
        """True when nothing differs."""
        return not self.differences


def verify_on_hub(name: str, model: Model) -> Iterator[Verdict]:
    """Compares each of a model's published weights with the hub.

    Raises:
        HubUnreachableError: the hub doesn't answer.
    """
    for weights in model.weights:
        try:
            facts = read_hub(weights.hub_id, weights.revision)
        except ModelNotFoundError as error:
            missing = Difference("hub_id", weights.hub_id, error.message)
            yield Verdict(name, weights.hub_id, (missing,))
            continue
        yield compare_with_hub(name, model, weights, facts)


def compare_with_hub(name: str, model: Model, weights: Weights, facts: HubFacts) -> Verdict:
    """Compares one of a model's weights with what the hub said."""
    gated = model.gated if weights.gated is None else weights.gated
    found = [*_compare_value("gated", gated, facts.gated)]
    if weights.weight_bytes and facts.weight_bytes:
        found += _compare_near("weight_bytes", weights.weight_bytes, facts.weight_bytes, MAX_BYTES_DIFFERENCE)
    if not facts.config:
        note = (
            "its config.json can't be read without accepting its terms" if facts.gated else "no config.json"
        )
        return Verdict(name, facts.hub_id, tuple(found), note)
    theirs = model_from_config(facts.config, title=facts.hub_id, hub_id=facts.hub_id)
    found += _compare_models(model, weights, theirs)
    note = "" if weights.revision else f"no revision is pinned; the newest is {facts.revision[:12]}"
    return Verdict(name, facts.hub_id, tuple(found), note)


def verify_in_folder(name: str, model: Model, folder: Path) -> Verdict:
    """Compares a model with a folder that holds one of its published weights.

    Raises:
        ModelNotFoundError: the folder holds no model, or one that isn't whole.
    """
    theirs = read_folder(folder)
    weights = _choose_weights(model, theirs)
    ours, held = weights.weight_bytes, theirs.weights[0].weight_bytes
    near = _compare_near("weight_bytes", ours, held, MAX_BYTES_DIFFERENCE) if ours and held else []
    return Verdict(name, str(folder), (*near, *_compare_models(model, weights, theirs)))


def _choose_weights(model: Model, theirs: Model) -> Weights:
    """Those of our weights that a folder holds: by id, else by format, else the first."""
    there = theirs.weights[0]
    same_id = (w for w in model.weights if there.hub_id and w.hub_id.lower() == there.hub_id.lower())
    same_format = (w for w in model.weights if w.format == there.format)
    return next(same_id, None) or next(same_format, None) or model.weights[0]


def _compare_models(model: Model, weights: Weights, theirs: Model) -> list[Difference]:
    ours, other = model.architecture.model_dump(), theirs.architecture.model_dump()
    found = []
    for figure in (*EXACT, *EXPERTS):
        found += _compare_value(figure, ours[figure], other[figure])
    found += _compare_near("total_params", ours["total_params"], other["total_params"], MAX_PARAMS_DIFFERENCE)
    if _memory(ours) != _memory(other):
        found.append(Difference("attention", _memory(ours), _memory(other)))
    if (
        model.max_context_tokens > theirs.max_context_tokens
    ):  # makers may well recommend less than is possible
        found += _compare_value("max_context_tokens", model.max_context_tokens, theirs.max_context_tokens)
    return [*found, *_compare_value("format", weights.format, theirs.weights[0].format)]


def _memory(architecture: Mapping[str, Any]) -> str:
    """The kinds of layers in words, in one order, for comparing and for people."""
    groups = []
    for group in architecture["attention"]:
        size = group["latent_dim"] or group["state_bytes"] or f"{group['num_kv_heads']}x{group['head_dim']}"
        window = f" window {group['window_tokens']}" if group["window_tokens"] else ""
        groups.append(f"{group['num_layers']} {group['kind']} {size}{window}")
    return ", ".join(sorted(groups)) or "none"


def _compare_value(figure: str, ours: object, theirs: object) -> list[Difference]:
    return [] if ours == theirs else [Difference(figure, _write(ours), _write(theirs))]


def _compare_near(figure: str, ours: int, theirs: int, share: float) -> list[Difference]:
    return [] if abs(ours - theirs) <= share * theirs else [Difference(figure, _write(ours), _write(theirs))]


def _write(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
