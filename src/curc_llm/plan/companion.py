"""Companion: an embedding model that is served beside the chat model, and what it takes of a GPU.

Two engines on one GPU. vLLM refuses to start unless gpu_memory_utilization x the GPU's memory is free
(vllm/v1/worker/utils.py, request_memory: `init_snapshot.free_memory < requested_memory`), and other
processes' memory isn't free. So each engine gets a share of its own, and the shares and both CUDA contexts,
which no share counts, fit into the GPU together. While an engine measures how much it needs, nothing else on
the GPU may change (vllm/v1/worker/gpu_worker.py, determine_available_memory: "Here we assume that the other
processes using the same GPU did not change their memory usage during the profiling"): so the job starts them
one after the other. With kv_cache_memory_bytes the second engine's cache has a size of its own, whatever the
measurement says (same function: "skipped memory profiling").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from curc_llm.catalogue.model import Model
from curc_llm.errors import PlanError
from curc_llm.plan.candidates import Choice, explain_format, make_choices
from curc_llm.plan.facts import Facts
from curc_llm.plan.kv_cache import in_flight_tokens, make_kv_cache
from curc_llm.plan.layout import Layout
from curc_llm.plan.memory import GIB, EngineWish, fit
from curc_llm.plan.offer import Offer
from curc_llm.plan.plan import Step
from curc_llm.plan.presets import find_preset
from curc_llm.plan.refusal import Refusal, explain_room, explain_weights
from curc_llm.plan.request import PlanRequest
from curc_llm.plan.trial import Trial, make_wish, try_launch
from curc_llm.plan.wants import Wants, make_wants

# Each step reads a whole text or more (trial.make_wish) and another is being prepared meanwhile: with room
# for two of the longest no step waits for memory.
NUM_REQUESTS = 2
NUM_NAMED = 3


@dataclass(eq=False)
class Companion:
    """An embedding model to be served beside another one; remembers what it takes on each kind of GPU.

    Args:
        name: its name in the catalogue.
        model: what is known of it.
        wants: what is asked of it.
    """

    name: str
    model: Model
    wants: Wants
    _parts: dict[tuple[Offer, bool], Trial | Refusal] = field(default_factory=dict, repr=False)

    def on(self, offer: Offer, shared: bool) -> Trial | Refusal:
        """The engine on one such GPU.

        Args:
            offer: the GPU type.
            shared: whether it has only as much of the memory as it needs; else a GPU of its own.
        """
        key = (offer, shared)
        if key not in self._parts:
            self._parts[key] = self._work_out(offer, shared)
        return self._parts[key]

    def _work_out(self, offer: Offer, shared: bool) -> Trial | Refusal:
        choices = make_choices(self.model, None, self.wants.preset)
        if isinstance(choices, Refusal):
            return choices
        refusal = Refusal("format", f"{self.model.title} has no weights.")
        for choice in choices:
            if why_not := explain_format(choice, offer):
                refusal = Refusal("format", f"{self.model.title} can't run on {offer.gpu_name}: {why_not}")
                continue
            trial = self._try(offer, choice, shared)
            if trial.fit.fits:
                return trial
            refusal = _explain(trial, self.wants)
        return refusal

    def _try(self, offer: Offer, choice: Choice, shared: bool) -> Trial:
        if not shared:
            return try_launch(self.model, offer, 1, 1, choice, Layout(), self.wants)
        wish = make_wish(offer, self.wants, self.wants.context_tokens)
        wish = _with_own_share(self.model, offer, choice, wish)
        found = fit(self.model, choice.weights, choice.quantisation, offer.card, Layout(), wish)
        is_small = wish.gpu_memory_utilization < self.wants.gpu_memory_utilization
        found = replace(found, fits=found.fits and is_small)
        base = (self.model, offer, 1, 1, choice, Layout(), wish, found, self.wants.context_tokens)
        return Trial(*base, room=found.max_concurrency, is_roomy=True, is_fast=True)


def make_companion(request: PlanRequest, facts: Facts) -> Companion | None:
    """The embedding model that a request wants beside its own model; None when it wants none.

    Raises:
        ModelNotFoundError: it is unknown; names the nearest.
        PlanError: it writes text, or the other one makes embeddings too.
    """
    if request.embed is None:
        return None
    found = facts.find_model(request.embed)
    model = found.model
    if not makes_embeddings(model):
        raise PlanError(
            f"{model.title} writes text; --embed takes a model that makes embeddings.",
            f"Embedding models are {_name_some(facts)}; see all: curc-llm models",
        )
    if found.weights is not None:
        model = model.model_copy(update={"weights": (found.weights,)})
    asked = PlanRequest(model=request.embed, seed=request.seed)
    return Companion(
        found.name, model, make_wants(asked, model, find_preset(None, facts.presets), facts.defaults)
    )


def check_chats(title: str, model: Model) -> None:
    """Raises PlanError when a model that is to have an embedding model beside it makes embeddings itself."""
    if makes_embeddings(model):
        raise PlanError(
            f"{title} makes embeddings itself; --embed adds them to a model that writes text.",
            "Launch it alone, without --embed, or name a chat model as MODEL.",
        )


def makes_embeddings(model: Model) -> bool:
    """Whether a model turns texts into vectors and writes nothing."""
    return model.uses[0] == "embeddings"


def share_step(trial: Trial, first: Trial) -> Step:
    """The arithmetic of two engines on one GPU, for `--why`.

    Args:
        trial: the embedding model's.
        first: the chat model's.
    """
    card, own = trial.offer.card, trial.wish.gpu_memory_utilization
    context_gib = trial.held_gib - card.memory_gib * own
    return Step(
        name=f"Part of {trial.title} on the first GPU",
        formula=f"weights + reserve + KV cache of {NUM_REQUESTS} texts, rounded up, + CUDA context",
        numbers=f"{card.memory_gib:.2f} GiB x {own} + {context_gib:.2f}; the chat model gets "
        f"{first.wish.gpu_memory_utilization}",
        result=f"{trial.held_gib:.2f} GiB",
        source="vllm/v1/worker/utils.py, request_memory; vllm/v1/worker/gpu_worker.py, "
        "determine_available_memory",
    )


def _with_own_share(model: Model, offer: Offer, choice: Choice, wish: EngineWish) -> EngineWish:
    """The settings with just as much memory as weights, work and a few long texts need."""
    card, arch = offer.card, model.architecture
    split = fit(model, choice.weights, choice.quantisation, card, Layout(), wish).split
    cache = make_kv_cache(arch, card, 1, wish.kv_cache_dtype)
    flight = in_flight_tokens(wish.max_num_batched_tokens, 1, card)
    blocks = NUM_REQUESTS * cache.blocks_per_request(wish.max_model_len, flight)
    cache_bytes = (blocks + 1) * cache.block_bytes() if cache.tables else 0  # one is never handed out
    work_gib = split.activations_gib + split.cuda_graphs_gib + split.runtime_gib
    needed_gib = split.weights_gib + work_gib + cache_bytes / GIB
    return replace(
        wish,
        gpu_memory_utilization=math.ceil(needed_gib / card.memory_gib * 1000) / 1000,
        kv_cache_memory_bytes=cache_bytes or None,
    )


def _explain(trial: Trial, wants: Wants) -> Refusal:
    if trial.fit.longest_context_tokens > 0 and trial.wish.gpu_memory_utilization < 1:
        return Refusal("context", explain_room(trial, wants.least_tokens), trial)
    return Refusal("weights", explain_weights(trial), trial)


def _name_some(facts: Facts) -> str:
    names = [name for name, model in facts.models.items() if makes_embeddings(model)]
    return ", ".join(names[:NUM_NAMED])
