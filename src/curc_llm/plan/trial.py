"""Trial: one launch, worked out: which context it gets, whether it fits, and how much room it has."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from curc_llm.catalogue.model import Model
from curc_llm.plan.candidates import Choice
from curc_llm.plan.layout import Layout
from curc_llm.plan.memory import EngineWish, Fit, fit
from curc_llm.plan.offer import Offer
from curc_llm.plan.presets import batched_tokens
from curc_llm.plan.refusal import count_gpus
from curc_llm.plan.reserve import make_reserve
from curc_llm.plan.speed import decode_tokens_per_s
from curc_llm.plan.wants import Wants

CLEAN_TOKENS = 1024  # a context that the planner chose is a multiple of this
GOOD_CONTEXT_TOKENS = 8192  # isn't given up for the sake of more requests at once


@dataclass(frozen=True, eq=False)
class Trial:
    """One launch, worked out.

    Args:
        model: what is served.
        offer: the GPUs.
        num_gpus: of the whole launch.
        num_nodes: nodes that have them.
        choice: the weights.
        layout: how they are spread.
        wish: the engine's settings.
        fit: what the arithmetic found.
        wanted_tokens: context that was wanted; that of `wish` may be lower.
        room: requests of the wanted room's length that fit at once, over all copies.
        is_roomy: True when that is as many as a recommended launch has.
        tokens_per_s: of one request alone, an estimate; 0 for models that don't write.
        is_fast: True when that is as much as a recommended launch gives.
        beside: an embedding model of the same launch; `num_gpus` counts its GPU too.
    """

    model: Model
    offer: Offer
    num_gpus: int
    num_nodes: int
    choice: Choice
    layout: Layout
    wish: EngineWish
    fit: Fit
    wanted_tokens: int
    room: float = 0.0
    is_roomy: bool = False
    tokens_per_s: float = 0.0
    is_fast: bool = False
    beside: Trial | None = None

    @property
    def is_shared(self) -> bool:
        """True when the model beside it has no GPU of its own."""
        return self.beside is not None and self.layout.num_gpus == self.num_gpus

    @property
    def held_gib(self) -> float:
        """What an engine takes of each of its GPUs: its part, and the CUDA context, which isn't counted."""
        layout, wish = self.layout, self.wish
        reserve = make_reserve(
            self.model.architecture,
            self.offer.card,
            layout,
            wish.max_num_seqs,
            wish.max_num_batched_tokens,
            wish.enforce_eager,
        )
        return self.offer.card.memory_gib * wish.gpu_memory_utilization + reserve.context_gib

    @property
    def is_useful(self) -> bool:
        """True when it has the room and the speed of a recommended launch."""
        return self.is_roomy and self.is_fast

    @property
    def is_good_context(self) -> bool:
        """True when a request may be long enough for most uses, or as long as was wanted."""
        return self.wish.max_model_len >= min(GOOD_CONTEXT_TOKENS, self.wanted_tokens)

    @property
    def is_pooling(self) -> bool:
        """True when the model makes embeddings and writes nothing."""
        return self.model.uses[0] == "embeddings"

    @property
    def title(self) -> str:
        """The model's name for people."""
        return self.model.title

    @property
    def gpus(self) -> str:
        """The GPUs in words, such as `2 x h200`."""
        return count_gpus(self.num_gpus, self.offer.gpu_name)

    @property
    def max_concurrency(self) -> float:
        """Requests of full context that fit at once, over all copies."""
        return self.fit.max_concurrency * self.layout.data_parallel_size


def try_launch(
    model: Model,
    offer: Offer,
    num_gpus: int,
    num_nodes: int,
    choice: Choice,
    layout: Layout,
    wants: Wants,
    beside: Trial | None = None,
) -> Trial:
    """Works one launch out. Its `fit.fits` says whether it can work.

    Args:
        model: what is served.
        offer: the GPUs.
        num_gpus: of the whole launch.
        num_nodes: nodes that have them.
        choice: the weights.
        layout: how they are spread.
        wants: what is asked of the launch.
        beside: an embedding model of the same launch. Where `layout` takes all GPUs, it has a part of the
            first one's memory, and so much is left free on each.
    """
    maker = _Maker(model, offer, num_gpus, num_nodes, choice, layout, wants, beside)
    first = maker.at(wants.context_tokens)
    if wants.is_context_asked or first.fit.outside_missing_gib:
        return maker.with_room(first)
    enough = first.fit.fits and first.max_concurrency >= wants.preset.min_concurrency
    return maker.with_room(first if enough else maker.lowered(first))


@dataclass(frozen=True)
class _Maker:
    model: Model
    offer: Offer
    num_gpus: int
    num_nodes: int
    choice: Choice
    layout: Layout
    wants: Wants
    beside: Trial | None = None

    def at(self, tokens: int) -> Trial:
        """The launch with a context of so many tokens."""
        wish = make_wish(self.offer, self.wants, tokens, self._shared())
        found = self._fit(wish)
        most = found.most_num_seqs
        if most and most < wish.max_num_seqs:  # else vLLM refuses to start: each request needs a block
            wish = replace(wish, max_num_seqs=most)
            found = self._fit(wish)
        base = (self.model, self.offer, self.num_gpus, self.num_nodes, self.choice, self.layout)
        return Trial(*base, wish, found, self.wants.context_tokens, beside=self.beside)

    def _shared(self) -> Trial | None:
        return self.beside if self.layout.num_gpus == self.num_gpus else None

    def _fit(self, wish: EngineWish) -> Fit:
        choice = self.choice
        return fit(self.model, choice.weights, choice.quantisation, self.offer.card, self.layout, wish)

    def lowered(self, first: Trial) -> Trial:
        """The launch with the longest context that fits; `first` itself when even the least doesn't."""
        longest = min(first.fit.longest_context_tokens, self.wants.context_tokens)
        if longest < self.wants.least_tokens:
            return first
        tokens = self._most_with(self.wants.preset.min_concurrency, round_down(longest))
        return self.at(tokens)

    def _most_with(self, concurrency: float, longest: int) -> int:
        """The longest clean context at which so many requests fit, but at least a good one."""
        if concurrency <= 1:
            return longest
        good = min(GOOD_CONTEXT_TOKENS, longest)
        low, high = good // CLEAN_TOKENS, longest // CLEAN_TOKENS
        while low < high:
            middle = (low + high + 1) // 2
            if self.at(middle * CLEAN_TOKENS).max_concurrency >= concurrency:
                low = middle
            else:
                high = middle - 1
        return max(good, low * CLEAN_TOKENS) if high else longest

    def with_room(self, trial: Trial) -> Trial:
        """The launch with its room counted and its speed estimated."""
        if not trial.fit.fits:
            return trial
        wants, tokens = self.wants, self.wants.room_tokens
        same = trial.wish.max_model_len == tokens
        room = trial.max_concurrency if same else self.at(tokens).max_concurrency
        is_roomy = wants.is_pooling or (room >= wants.room_requests and trial.wish.max_model_len >= tokens)
        speed = 0.0 if wants.is_pooling else self._tokens_per_s()
        is_fast = wants.is_pooling or speed >= wants.preset.min_tokens_per_s
        return replace(trial, room=room, is_roomy=is_roomy, tokens_per_s=speed, is_fast=is_fast)

    def _tokens_per_s(self) -> float:
        choice, crossing = self.choice, self.offer.crossing(self.num_gpus // self.num_nodes)
        return decode_tokens_per_s(
            self.model,
            choice.weights,
            choice.quantisation,
            self.offer.card,
            self.layout,
            crossing=crossing if self.num_nodes > 1 else None,
        )


def make_wish(offer: Offer, wants: Wants, tokens: int, beside: Trial | None = None) -> EngineWish:
    """The engine's settings for a context of so many tokens on this GPU, which it may share with another."""
    card = offer.card
    step_tokens = batched_tokens(wants.preset, card.memory_gib, is_a100=card.compute_capability == 8.0)
    # A pooling model's prompt can't always be read in pieces; then a step must hold a whole one.
    step_tokens = max(step_tokens, wants.max_num_seqs, tokens if wants.is_pooling else 0)
    beside_gib = beside.held_gib if beside is not None else 0.0
    return EngineWish(
        max_model_len=tokens,
        max_num_seqs=wants.max_num_seqs,
        max_num_batched_tokens=step_tokens,
        gpu_memory_utilization=round_share(wants.gpu_memory_utilization - beside_gib / card.memory_gib)
        if beside_gib
        else wants.gpu_memory_utilization,
        kv_cache_dtype=wants.kv_cache_dtype,
        enforce_eager=wants.enforce_eager,
        beside_gib=beside_gib,
        max_loras=wants.max_loras,
        max_lora_rank=wants.max_lora_rank,
    )


def round_share(share: float) -> float:
    """A clean share of a GPU's memory, not above, and not below 0.

    Example:
        >>> round_share(0.8379), round_share(-0.1)
        (0.837, 0.0)
    """
    return max(0.0, math.floor(share * 1000) / 1000)


def with_steps(trial: Trial) -> Fit:
    """The launch's arithmetic once more, with every formula."""
    choice = trial.choice
    return fit(
        trial.model,
        choice.weights,
        choice.quantisation,
        trial.offer.card,
        trial.layout,
        trial.wish,
        with_steps=True,
    )


def round_down(tokens: int) -> int:
    """A clean number of tokens, not above.

    Example:
        >>> round_down(33000), round_down(600)
        (32768, 600)
    """
    return tokens // CLEAN_TOKENS * CLEAN_TOKENS or tokens
