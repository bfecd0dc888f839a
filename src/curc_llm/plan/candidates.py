"""Candidates: the weights, GPU counts and layouts that are worth trying, best first."""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.catalogue.model import Model, Weights
from curc_llm.errors import PlanError
from curc_llm.plan.layout import Layout, make_layouts, straddles_nodes
from curc_llm.plan.limits import max_gpus
from curc_llm.plan.names import nearest
from curc_llm.plan.offer import Offer
from curc_llm.plan.presets import Goal, Preset
from curc_llm.plan.quantisation import ONLINE_FP8, use_of
from curc_llm.plan.refusal import Refusal
from curc_llm.plan.request import PlanRequest
from curc_llm.sites.site import Site

# How much of the original's quality is kept, best first, by how many bits a weight has and how they were
# chosen. A ranking of ours: published comparisons differ by model. Of equal launches the first is chosen.
QUALITY = {
    "fp32": 0,
    "bf16": 0,
    "fp16": 0,
    "fp8": 1,
    ONLINE_FP8: 2,
    "int8-w8a8": 3,
    "gptq-int8": 3,
    "mxfp4": 4,
    "nvfp4": 5,
    "awq-int4": 6,
    "w4a16": 6,
    "gptq-int4": 7,
}
# What people say for formats: each stands for the first of these that a model is published in.
FAMILIES = {
    "fp16": ("fp16", "bf16"),
    "bf16": ("bf16", "fp16"),
    "none": ("bf16", "fp16", "fp32"),
    "int8": ("int8-w8a8", "gptq-int8"),
    "int4": ("awq-int4", "w4a16", "gptq-int4"),
    "awq": ("awq-int4",),
    "gptq": ("gptq-int4", "gptq-int8"),
}
SIXTEEN_BIT = ("bf16", "fp16")
FULL_QUALITY = {*SIXTEEN_BIT, "fp32", "fp8", ONLINE_FP8, "int8-w8a8", "gptq-int8"}
MOST_GPUS = 64  # nobody is served better by more; the largest open models need 16 to 32


@dataclass(frozen=True, eq=False)
class Choice:
    """Weights, and what vLLM makes of them.

    Args:
        weights: as published.
        quantisation: their format, or `online-fp8`.
    """

    weights: Weights
    quantisation: str

    @property
    def is_online(self) -> bool:
        """True when vLLM quantises while it loads."""
        return self.quantisation == ONLINE_FP8


def is_full_quality(choice: Choice, model: Model) -> bool:
    """Whether weights count as good as the original: 16 and 8 bits, and whatever the maker released.

    Measured over the Llama 3.1 family, FP8 loses nothing that can be told from noise, INT8 (W8A8) 1 to 3 % on
    average, and 4 bits afterwards vary by task (Kurtic et al., "Give Me BF16 or Give Me Death?", ACL 2025,
    https://aclanthology.org/2025.acl-long.1304). INT8 counts here too by decision of the project; FP8 is
    preferred to it.

    Example:
        >>> [is_full_quality(choice, llama_70b) for choice in (fp8, awq_int4)]
        [True, False]
    """
    return choice.quantisation in FULL_QUALITY or choice.quantisation == model.weights[0].format


def explain_format(choice: Choice, offer: Offer) -> str:
    """Why the GPU can't use the weights; empty when it can."""
    use, why_not = use_of(choice.quantisation, offer.card)
    if not use:
        return why_not
    lowest = choice.weights.min_compute_capability
    capability = offer.card.compute_capability or 0.0
    if lowest is None or offer.card.vendor != "nvidia" or capability >= lowest:
        return ""
    hub_id, title = choice.weights.hub_id, offer.card.title
    return f"{hub_id} needs compute capability {lowest}; {title} has {capability}."


def make_choices(model: Model, wanted: str | None, preset: Preset) -> tuple[Choice, ...] | Refusal:
    """The weights to try, the most wanted first.

    Without a wish: the published first, then in order of quality; vLLM's own FP8 where none is published.

    Raises:
        PlanError: `wanted` is no format at all.
    """
    choices = _in_order(model)
    if wanted is not None:
        return _wanted_choices(model, wanted.lower(), choices)
    liked = [
        c for kind in preset.quantisations for c in choices if c.quantisation in FAMILIES.get(kind, (kind,))
    ]
    return tuple(dict.fromkeys([*liked, *choices]))


def _in_order(model: Model) -> list[Choice]:
    published = [Choice(weights, weights.format) for weights in model.weights]
    first, best = published[0], QUALITY[published[0].quantisation]
    # Weights that somebody turned into a finer format than the maker's own are larger and no better.
    rest = sorted(published[1:], key=lambda c: (QUALITY[c.quantisation] < best, QUALITY[c.quantisation]))
    online = _online(model)
    if online is None or any(c.quantisation == "fp8" for c in published):
        return [first, *rest]
    return [first, *sorted([*rest, online], key=lambda c: QUALITY[c.quantisation])]


def _online(model: Model) -> Choice | None:
    plain = next((w for w in model.weights if w.format in SIXTEEN_BIT), None)
    return None if plain is None or model.uses[0] == "embeddings" else Choice(plain, ONLINE_FP8)


def _wanted_choices(model: Model, wanted: str, choices: list[Choice]) -> tuple[Choice, ...] | Refusal:
    if wanted not in QUALITY and wanted not in FAMILIES:
        raise PlanError(f"There is no quantisation {wanted!r}.", nearest(wanted, [*QUALITY, *FAMILIES]))
    online = _online(model)
    if wanted == ONLINE_FP8 and online is not None:
        return (online,)
    for kind in FAMILIES.get(wanted, (wanted,)):
        found = tuple(c for c in choices if c.quantisation == kind)
        if found:
            return found
    published = ", ".join(dict.fromkeys(w.format for w in model.weights))
    if wanted == ONLINE_FP8:
        reason = (
            f"{model.title} has no 16-bit weights for vLLM to turn into FP8; it is published in {published}."
        )
    else:
        reason = f"{model.title} isn't published in {wanted}, as far as is known; it is in {published}."
    return Refusal("format", reason)


def make_counts(site: Site, offer: Offer, request: PlanRequest) -> tuple[int, ...]:
    """Numbers of GPUs to try on an offer, the fewest first: what was asked for, else all sensible ones.

    Within a node every count up to four and powers of two beyond; over nodes whole nodes.
    """
    asked = asked_gpus(request, offer)
    if asked is not None:
        return (asked,)
    most = min(max_gpus(site, offer), MOST_GPUS)
    if offer.card.is_mig:  # slices can't work together; two models can have one each
        return tuple(n for n in ((1, 2) if request.embed else (1,)) if n <= most)
    node = offer.gpus_per_node
    within = [n for n in range(1, node + 1) if n <= 4 or n == node or n & (n - 1) == 0]
    beyond = [node * n for n in range(2, offer.max_nodes + 1) if node * n <= most]
    return tuple(n for n in (*within, *beyond) if n <= most)


def asked_gpus(request: PlanRequest, offer: Offer) -> int | None:
    """The number of GPUs that a request amounts to; None when it leaves that open."""
    if request.num_gpus is not None:
        return request.num_gpus
    sizes = (request.tensor_parallel_size, request.pipeline_parallel_size, request.data_parallel_size)
    if any(size is not None for size in sizes):
        tp, pp, dp = (size or 1 for size in sizes)
        return tp * pp * dp
    return request.num_nodes * offer.gpus_per_node if request.num_nodes else None


def order_layouts(
    model: Model, offer: Offer, num_gpus: int, num_nodes: int, quantisation: str, goal: Goal
) -> tuple[Layout, ...]:
    """Layouts for so many GPUs, best for the goal first.

    For throughput as many copies as possible: they need not talk to each other. Else one copy over all GPUs,
    which answers fastest; copies where tensor parallelism can't use the count (3 GPUs), but not across nodes
    when the copies of a mixture-of-experts model would have to exchange tokens; pipeline stages last.
    """
    arch = model.architecture
    on_node = num_gpus // num_nodes
    layouts = tuple(
        layout
        for layout in make_layouts(arch, offer.card, num_gpus, on_node, quantisation)
        if not straddles_nodes(layout, on_node)
    )
    if goal == "throughput":
        return tuple(
            sorted(layouts, key=lambda lay: (lay.pipeline_parallel_size > 1, -lay.data_parallel_size))
        )
    may_copy = num_nodes == 1 or not arch.num_experts
    return tuple(sorted(layouts, key=lambda lay: _layout_rank(lay, may_copy)))


def _layout_rank(layout: Layout, may_copy: bool) -> int:
    if layout.pipeline_parallel_size == 1:
        return 0 if layout.data_parallel_size == 1 else 1 if may_copy else 3
    return 2 if layout.data_parallel_size == 1 else 4
