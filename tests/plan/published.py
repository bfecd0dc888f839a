"""Published launches and start-up logs of vLLM (`data/*.yml`), as the planner's arithmetic takes them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from curc_llm.catalogue.architecture import Architecture
from curc_llm.catalogue.load import load_shipped
from curc_llm.catalogue.model import Format, Model, Weights
from curc_llm.factfile import Frozen, Source
from curc_llm.plan.layout import Layout
from curc_llm.plan.memory import EngineWish, Fit, fit
from curc_llm.plan.reserve import activations_gib
from curc_llm.sites.card import Card
from curc_llm.sites.load import load_cards

DATA = Path(__file__).with_name("data")
GIB = 2**30
# The planner describes vLLM 0.32; older logs are compared after undoing what changed since. Up to 0.16 its
# trial pass sorted all logits (llm-d planner: 38.9 bytes for each request and word of the vocabulary), and
# before 0.21 CUDA graphs weren't counted (gpu_worker.py: "default as of v0.21.0").
OLD_SAMPLER, OLD_SAMPLER_BYTES = (0, 17), 38.9
GRAPHS_COUNTED = (0, 21)
# gpu_memory_utilization where a launch doesn't state it: vLLM's default since 0.21, 0.92 because CUDA graphs
# are counted since then. Logs of older versions had 0.9, and didn't count them.
UTILISATION = 0.92
LOG_UTILISATION = 0.9


class Published(Frozen):
    """What launches and logs have in common; the fields are explained at the top of the YAML files."""

    id: str
    model: str
    planned_as: str = ""
    weights: str = ""
    weight_bytes: int | None = None
    format: Format
    architecture: Architecture | None = None
    source: str
    file: str = ""
    note: str = ""

    def find_model(self) -> Model:
        """The model of the catalogue, or one of the entry's own architecture."""
        if self.architecture is not None:
            return Model(
                source="",
                title=self.model,
                uses=("chat",),
                max_context_tokens=2**20,
                architecture=self.architecture,
                weights=(Weights(hub_id=self.model, format=self.format),),
            )
        wanted = (self.planned_as or self.model).lower()
        for model in load_shipped().models.values():
            if any(weights.hub_id.lower() == wanted for weights in model.weights):
                return model
        raise LookupError(f"{self.id}: {wanted} is not in the catalogue")

    def find_weights(self, model: Model) -> Weights:
        """The weights that were loaded: the catalogue's of that id, else of that format, else computed."""
        named = (self.weights or self.model).lower()
        same_format = [weights for weights in model.weights if weights.format == self.format]
        for weights in same_format:
            if weights.hub_id.lower() == named:
                return weights
        if same_format and self.weight_bytes is None:
            return same_format[0]
        return Weights(hub_id=self.weights or self.model, format=self.format, weight_bytes=self.weight_bytes)


class Deployment(Published):
    """A launch that runs, or that ran out of memory."""

    card: str
    num_gpus: int = Field(ge=1)
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    data_parallel_size: int = 1
    enable_expert_parallel: bool = False
    settings: dict[str, str | int | float | bool] = {}
    outcome: Literal["runs", "out-of-memory"]
    evidence: Literal["measured", "recipe", "configured", "stated"]
    reported: str = ""
    agrees: bool = True
    why: str = ""

    @property
    def layout(self) -> Layout:
        """Its parallel sizes."""
        return Layout(
            self.tensor_parallel_size,
            self.pipeline_parallel_size,
            self.data_parallel_size,
            self.enable_expert_parallel,
        )

    def plan(self) -> Fit:
        """What the planner's arithmetic says of it."""
        model, card = self.find_model(), cards()[self.card]
        wish = make_wish(dict(self.settings), card, model.max_context_tokens)
        return fit(model, self.find_weights(model), self.format, card, self.layout, wish)


class LogEntry(Published):
    """Figures of one start-up log, of one GPU."""

    card: str = ""
    tensor_parallel_size: int = 1
    vllm: str = ""
    max_model_len: int
    gpu_memory_utilization: float = LOG_UTILISATION
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    kv_cache_dtype: str = "auto"
    enforce_eager: bool = False
    assumed: dict[str, str | int | float] = {}
    weights_gib: float | None = None
    activation_gib: float | None = None
    non_torch_gib: float | None = None
    cuda_graphs_gib: float | None = None
    kv_cache_gib: float | None = None
    kv_cache_tokens: int | None = None
    max_concurrency: float | None = None
    one_request_gib: float | None = None
    longest_context_tokens: int | None = None
    compare: tuple[Literal["memory", "tokens", "concurrency", "one_request", "longest"], ...]

    @property
    def layout(self) -> Layout:
        """Its parallel sizes."""
        return Layout(self.tensor_parallel_size)

    def make_wish(self, card: Card) -> EngineWish:
        """Its settings; those that the log doesn't state as `assumed`, else vLLM's defaults."""
        stated = {
            name: value
            for name in ("max_model_len", "max_num_seqs", "max_num_batched_tokens", "kv_cache_dtype")
            if (value := getattr(self, name)) is not None
        }
        others = {
            "gpu_memory_utilization": self.gpu_memory_utilization,
            "enforce_eager": self.enforce_eager,
        }
        return make_wish({**self.assumed, **others, **stated}, card, self.max_model_len)

    def plan(self) -> Fit:
        """What the planner's arithmetic says of it; only where the card is known."""
        model, card = self.find_model(), cards()[self.card]
        return fit(model, self.find_weights(model), self.format, card, self.layout, self.make_wish(card))

    def predict_kv_gib(self) -> float:
        """The KV cache of one GPU by our arithmetic, for the vLLM of the log."""
        version = tuple(map(int, self.vllm.split(".")))
        split = self.plan().split
        room = split.memory_gib - split.outside_gib - split.weights_gib - split.runtime_gib
        if version >= GRAPHS_COUNTED:
            room -= split.cuda_graphs_gib
        if version >= OLD_SAMPLER:
            return room - split.activations_gib
        wish, arch = self.make_wish(cards()[self.card]), self.find_model().architecture
        seqs, batched = wish.max_num_seqs, wish.max_num_batched_tokens
        return room - activations_gib(arch, self.layout, seqs, batched, OLD_SAMPLER_BYTES)


@functools.cache
def cards() -> dict[str, Card]:
    """The shipped cards."""
    return load_cards()


def make_wish(settings: dict[str, str | int | float | bool], card: Card, max_model_len: int) -> EngineWish:
    """vLLM's settings with a server's defaults for the rest.

    Source of the defaults: vllm/engine/arg_utils.py, get_batch_defaults (0.32).
    """
    is_a100 = any("a100" in name.lower() for name in card.product_names)
    if card.memory_gib >= 160:
        seqs, batched = 1024, 16384
    elif card.memory_gib >= 70 and not is_a100:
        seqs, batched = 1024, 8192
    else:
        seqs, batched = 256, 2048
    defaults = {
        "max_model_len": max_model_len,
        "max_num_seqs": seqs,
        "max_num_batched_tokens": batched,
        "gpu_memory_utilization": UTILISATION,
    }
    return EngineWish(**{**defaults, **settings})  # type: ignore[arg-type]


def _read(name: str) -> tuple[dict[str, Source], list[dict[str, object]]]:
    values = yaml.safe_load((DATA / name).read_text(encoding="utf-8"))
    return {key: Source(**source) for key, source in values["sources"].items()}, values["entries"]


@functools.cache
def read_deployments() -> tuple[dict[str, Source], tuple[Deployment, ...]]:
    """Sources and launches of deployments.yml."""
    sources, entries = _read("deployments.yml")
    return sources, tuple(Deployment.model_validate(entry) for entry in entries)


@functools.cache
def read_logs() -> tuple[dict[str, Source], tuple[LogEntry, ...]]:
    """Sources and logs of calibration.yml."""
    sources, entries = _read("calibration.yml")
    return sources, tuple(LogEntry.model_validate(entry) for entry in entries)
