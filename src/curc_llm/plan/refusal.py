"""Refusal: why a launch can't work, as one sentence with the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from curc_llm.plan.trial import Trial

Kind = Literal[
    "place",
    "count",
    "nodes",
    "qos",
    "hours",
    "cores",
    "layout",
    "format",
    "weights",
    "context",
    "share",
    "kv_cache_dtype",
    "load",
    "replicas",
]


@dataclass(frozen=True)
class Refusal:
    """Why a launch can't work.

    Args:
        kind: what is in the way; the alternatives begin with a change of that.
        reason: one sentence with the numbers.
        trial: how far the arithmetic came; None when it wasn't begun.
        limit: the largest value that is allowed, where there is one: GPUs, hours, cores or tokens.
        near: numbers of GPUs that can be had instead, the nearest first, where more than one is worth naming.
    """

    kind: Kind
    reason: str
    trial: Trial | None = None
    limit: float | None = None
    near: tuple[int, ...] = ()


MANY_REQUESTS = 1024  # beyond vLLM's own default for the largest GPUs

# Of several refusals the one that came furthest says most.
_STAGES: tuple[Kind, ...] = (
    "place",
    "replicas",
    "qos",
    "nodes",
    "count",
    "hours",
    "cores",
    "format",
    "kv_cache_dtype",
    "layout",
    "weights",
    "context",
    "share",
    "load",
)


def first_of(refusals: Sequence[Refusal]) -> Refusal:
    """The refusal to tell: the one that came furthest, and of these the one that lacked least memory."""

    def rank(refusal: Refusal) -> tuple[float, float]:
        missing = refusal.trial.fit.missing_gib * refusal.trial.num_gpus if refusal.trial else 0.0
        return (-_STAGES.index(refusal.kind), missing)

    return min(refusals, key=rank)


def count_gpus(num_gpus: int, gpu_name: str) -> str:
    """GPUs in words.

    Example:
        >>> count_gpus(2, "h200")
        '2 x h200'
    """
    return f"{num_gpus} x {gpu_name}"


def count_hours(hours: float) -> str:
    """Hours in words, without a power of ten.

    Example:
        >>> count_hours(4.0), count_hours(0.25), count_hours(1e6)
        ('4 h', '0.25 h', '1,000,000 h')
    """
    digits = f"{hours:,.4f}" if hours >= 0.01 else f"{hours:.9f}"
    return f"{digits.rstrip('0').rstrip('.')} h"


def count_requests(concurrency: float) -> str:
    """Requests of full length that fit at once, in words: no part of a request ever runs.

    Example:
        >>> count_requests(1.04), count_requests(2665.6)
        ('1 request', '2,665 requests')
    """
    whole = int(concurrency)
    return f"{whole:,} {'request' if whole == 1 else 'requests'}"


def explain_weights(trial: Trial) -> str:
    """The sentence for weights that are too large for the GPUs."""
    split = trial.fit.split
    usable_gib = split.memory_gib - split.outside_gib - split.beside_gib
    usable = f"{usable_gib:,.1f} of the {split.memory_gib:,.1f} GiB of each"
    return (
        f"{trial.title} in {trial.choice.quantisation} needs {trial.fit.weights_gib:,.1f} GiB for its weights"
        f" and {_overhead_gib(trial):,.1f} GiB on each GPU to work in{_for_many(trial)}, more than "
        f"{trial.gpus} can hold: vLLM may use {usable}."
    )


def explain_room(trial: Trial, least_tokens: int) -> str:
    """The sentence for GPUs that hold the weights and next to nothing else."""
    return (
        f"{trial.title} in {trial.choice.quantisation} leaves room for {trial.fit.longest_context_tokens:,} "
        f"tokens on {trial.gpus}, fewer than the {least_tokens:,} that make a launch worth its cost."
    )


def explain_context(trial: Trial, asked_tokens: int) -> str:
    """The sentence for a context that was asked for and doesn't fit."""
    cache_gib, longest = max(0.0, trial.fit.kv_cache_gib), trial.fit.longest_context_tokens
    return (
        f"{trial.title} in {trial.choice.quantisation} on {trial.gpus} leaves {cache_gib:,.1f} GiB for the KV"
        f" cache: room for {longest:,} tokens, not for the {asked_tokens:,} that were asked for."
    )


def explain_share(trial: Trial) -> str:
    """The sentence for a gpu_memory_utilization that leaves too little outside."""
    share, fit = trial.wish.gpu_memory_utilization, trial.fit
    return (
        f"gpu_memory_utilization {share:g} leaves {fit.split.outside_gib:,.2f} GiB of each "
        f"{trial.offer.gpu_name} to CUDA and other libraries, {fit.outside_missing_gib:,.2f} GiB too little."
    )


def explain_load(title: str, load_s: float, hours: float) -> str:
    """The sentence for a wall time in which the model isn't even loaded."""
    need = f"about {max(1, round(load_s / 60)):,} min to load"
    return f"{title} needs {need}; {count_hours(hours)} were asked for."


def explain_model_context(title: str, asked_tokens: int, max_tokens: int) -> str:
    """The sentence for a context beyond the model's own."""
    return f"{title} reads at most {max_tokens:,} tokens; {asked_tokens:,} were asked for."


def _for_many(trial: Trial) -> str:
    """Why so much is needed to work in, where it is for the number of requests."""
    seqs = trial.wish.max_num_seqs
    return f" on up to {seqs:,} requests at once" if seqs > MANY_REQUESTS else ""


def _overhead_gib(trial: Trial) -> float:
    split = trial.fit.split
    return split.activations_gib + split.cuda_graphs_gib + split.runtime_gib
