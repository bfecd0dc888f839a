"""Search: every launch of a model that a request leaves open, and the best of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from curc_llm.catalogue.model import Model
from curc_llm.plan.candidates import Choice, explain_format, make_choices, order_layouts
from curc_llm.plan.companion import Companion
from curc_llm.plan.cost import su_per_h
from curc_llm.plan.facts import Facts
from curc_llm.plan.grants import Grant, choose_offers, list_grants
from curc_llm.plan.host import GIB, Host, make_host
from curc_llm.plan.kv_cache_dtype import judge_kv_cache_dtype
from curc_llm.plan.layout import Layout, explain_layout, explain_spread
from curc_llm.plan.limits import Term
from curc_llm.plan.offer import Offer
from curc_llm.plan.ranking import choose_best, choose_faster, choose_finer, choose_smallest
from curc_llm.plan.refusal import (
    Refusal,
    count_gpus,
    explain_context,
    explain_load,
    explain_model_context,
    explain_room,
    explain_share,
    explain_weights,
    first_of,
)
from curc_llm.plan.replicas import count_replicas, refuse_replicas
from curc_llm.plan.request import PlanRequest
from curc_llm.plan.site_refusal import refuse_everywhere
from curc_llm.plan.speed import load_time_s
from curc_llm.plan.trial import Trial, try_launch
from curc_llm.plan.wants import Wants
from curc_llm.plan.weights import checkpoint_bytes

LOADED_SHARE = 2  # of the load's time, rounded up to quarters of an hour, is the least that is offered
FAR_MORE = 1.5  # room that makes up for a layout that answers more slowly
Sizes = tuple[int | None, int | None, int | None]


@dataclass(frozen=True, eq=False)
class Found:
    """A launch that works.

    Args:
        trial: its arithmetic.
        term: QoS and hours.
        host: cores and memory.
        su_per_h: what it costs for an hour.
        gpu_su_per_h: of that, the GPUs.
    """

    trial: Trial
    term: Term
    host: Host
    su_per_h: float
    gpu_su_per_h: float

    @property
    def su_total(self) -> float:
        """What the whole job costs."""
        return self.su_per_h * self.term.hours


class Search:
    """All launches of one model under one set of wants; remembers what it has worked out.

    Args:
        name: the model's name in the catalogue.
        model: what is known of it.
        wants: what is asked of every launch.
        facts: what is known of site and presets.
        companion: an embedding model to be served beside it.
    """

    def __init__(
        self, name: str, model: Model, wants: Wants, facts: Facts, companion: Companion | None = None
    ) -> None:
        self.name = name
        self.model = model
        self.wants = wants
        self.facts = facts
        self.companion = companion
        self._trials: dict[tuple[object, ...], Trial | Refusal] = {}
        self._choices: dict[str | None, tuple[Choice, ...] | Refusal] = {}
        self._found: dict[PlanRequest, Found | Refusal] = {}

    def find(self, request: PlanRequest) -> Found | Refusal:
        """The launch to recommend for a request (ranking.choose_best), or why there is none."""
        if request not in self._found:
            self._found[request] = self._find(request)
        return self._found[request]

    def _find(self, request: PlanRequest) -> Found | Refusal:
        refusals: list[Refusal] = []
        found = list(self._launches(request, refusals))
        if not found:
            if count_replicas(request) > 1 and (told := self._explain_replicas(request)) is not None:
                return told
            refusal = first_of(refusals)
            is_open = request.gpu_type is None and request.partition is None
            is_one_of_many = is_open and len(refusals) > 1 and len(self.facts.offers) > 1
            site, offers = self.facts.site, self.facts.offers
            return refuse_everywhere(refusals, request, site, offers) if is_one_of_many else refusal
        return choose_best(found, self.choices(request.quantisation), self.wants.preset)

    def _explain_replicas(self, request: PlanRequest) -> Refusal | None:
        """Why there aren't GPUs for so many replicas; why there are none for one where even that is so."""
        alone = self.find(request.model_copy(update={"replicas": None}))
        if not isinstance(alone, Found):
            return alone
        same = request.model_copy(update={"num_gpus": alone.trial.num_gpus})
        _, refused = list_grants(alone.trial.offer, same, self.wants, self.facts)
        return refuse_replicas(first_of(refused), request, self.facts.site) if refused else None

    def smallest(self, request: PlanRequest) -> Found | None:
        """The cheapest launch that fits at all, whatever its room and quality; None when there is none."""
        return choose_smallest(list(self._launches(request, [], stop_at_first=True)))

    def finer(self, request: PlanRequest, best: Found) -> Found | None:
        """The best launch with finer weights than the recommended one; None when there is none."""
        if request.quantisation is not None:
            return None
        found = list(self._launches(request, []))
        return choose_finer(found, best, self.choices(None), self.wants.preset)

    def faster(self, request: PlanRequest, best: Found) -> Found | None:
        """The cheapest launch that answers much faster with the same weights; None when there is none."""
        return choose_faster(list(self._launches(request, [])), best)

    def choices(self, wanted: str | None) -> tuple[Choice, ...]:
        """The weights to try for a wish; the same objects every time, none when there are no such weights."""
        choices = self._make_choices(wanted)
        return () if isinstance(choices, Refusal) else choices

    def _make_choices(self, wanted: str | None) -> tuple[Choice, ...] | Refusal:
        if wanted not in self._choices:
            self._choices[wanted] = make_choices(self.model, wanted, self.wants.preset)
        return self._choices[wanted]

    def _launches(
        self, request: PlanRequest, refusals: list[Refusal], stop_at_first: bool = False
    ) -> Iterator[Found]:
        """Launches worth choosing among; why others don't work goes into `refusals`."""
        choices = self._make_choices(request.quantisation)
        offers = choose_offers(request, self.wants, self.facts)
        refusal = next((answer for answer in (offers, choices) if isinstance(answer, Refusal)), None)
        refusal = refusal or self._explain_context(request)
        if refusal is not None or isinstance(offers, Refusal) or isinstance(choices, Refusal):
            refusals.extend([refusal] if refusal else [])
            return
        for offer in offers:
            grants, refused = list_grants(offer, request, self.wants, self.facts)
            refusals.extend(refused)
            for choice in choices if grants else ():
                yield from self._on_offer(grants, choice, request, refusals, stop_at_first)

    def _explain_context(self, request: PlanRequest) -> Refusal | None:
        """Why no GPU helps; None when one might."""
        longest = self.model.max_context_tokens
        if request.max_model_len is None or request.max_model_len <= longest:
            return None
        reason = explain_model_context(self.model.title, request.max_model_len, longest)
        return Refusal("context", reason, limit=longest)

    def _on_offer(
        self,
        grants: Sequence[Grant],
        choice: Choice,
        request: PlanRequest,
        refusals: list[Refusal],
        stop_at_first: bool,
    ) -> Iterator[Found]:
        """Launches on one GPU type with the fewest GPUs that fit, up to the first with useful room."""
        offer = grants[0].offer
        if why_not := explain_format(choice, offer):
            refusals.append(Refusal("format", f"{self.model.title} can't run on {offer.gpu_name}: {why_not}"))
            return
        if why_not := self._explain_kv_cache(choice, offer):
            refusals.append(Refusal("kv_cache_dtype", why_not))
            return
        for grant in grants:
            if grant is not grants[-1] and self._is_hopeless(choice, grant):
                continue
            trial = self._trial(grant, choice, request)
            if isinstance(trial, Refusal):
                refusals.append(trial)
                continue
            if too_short := self._explain_load(trial, request):
                refusals.append(too_short)
                continue
            yield self._price(trial, grant.term, request)
            if trial.is_useful or stop_at_first:
                return

    def _explain_kv_cache(self, choice: Choice, offer: Offer) -> str:
        """Why vLLM refuses the type of KV cache here; empty when it doesn't."""
        dtype, arch = self.wants.kv_cache_dtype, self.model.architecture
        return judge_kv_cache_dtype(dtype, arch, choice.weights, choice.quantisation, offer.card).refusal

    def _explain_load(self, trial: Trial, request: PlanRequest) -> Refusal | None:
        """Why the hours that were asked for are over before the model answers; None when they aren't."""
        size = checkpoint_bytes(self.model.architecture, trial.choice.weights)
        load_s = load_time_s(size, self.facts.site.storage.read_gb_per_s, trial.num_nodes)
        if request.hours is None or request.hours * 3600 > load_s:
            return None
        reason = explain_load(self.model.title, load_s, request.hours)
        return Refusal("load", reason, trial, limit=math.ceil(load_s / 900 * LOADED_SHARE) / 4)

    def _is_hopeless(self, choice: Choice, grant: Grant) -> bool:
        """Whether the weights alone are far more than the GPUs have, which takes no arithmetic to see."""
        share = 0.5 if choice.is_online or choice.weights.format == "fp32" else 1.0
        weights_gib = checkpoint_bytes(self.model.architecture, choice.weights) * share / GIB
        usable_gib = grant.offer.card.memory_gib * self.wants.gpu_memory_utilization
        return weights_gib * 0.9 > usable_gib * grant.num_gpus

    def _trial(self, grant: Grant, choice: Choice, request: PlanRequest) -> Trial | Refusal:
        sizes = (request.tensor_parallel_size, request.pipeline_parallel_size, request.data_parallel_size)
        key = (grant.offer, grant.num_gpus, grant.num_nodes, choice, sizes)
        if key not in self._trials:
            self._trials[key] = self._work_out(grant, choice, sizes)
        return self._trials[key]

    def _work_out(self, grant: Grant, choice: Choice, sizes: Sizes) -> Trial | Refusal:
        """The best trial on these GPUs; an embedding model beside it shares them, or has one of its own.

        It shares them unless that doesn't fit or leaves far less room: a GPU more costs more than memory.
        """
        if self.companion is None:
            return self._best_layout(grant, choice, sizes, grant.num_gpus)
        shared = self._beside(grant, choice, sizes, shared=True)
        if isinstance(shared, Trial) and shared.is_roomy:
            return shared
        apart = self._beside(grant, choice, sizes, shared=False)
        if isinstance(shared, Trial):
            return apart if isinstance(apart, Trial) and _is_better(apart, shared) else shared
        return apart if isinstance(apart, Trial) else first_of([shared, apart])

    def _beside(self, grant: Grant, choice: Choice, sizes: Sizes, shared: bool) -> Trial | Refusal:
        """The best trial with the embedding model on the first GPU too, or on the last one alone."""
        assert self.companion is not None  # noqa: S101 - the caller looked
        if not shared and (grant.num_gpus < 2 or grant.num_nodes > 1):
            reason = f"{self.companion.model.title} could have a GPU of its own only where a node gives two."
            return Refusal("place", reason)
        beside = self.companion.on(grant.offer, shared)
        if isinstance(beside, Refusal):
            return beside
        return self._best_layout(grant, choice, sizes, grant.num_gpus - (not shared), beside)

    def _best_layout(
        self, grant: Grant, choice: Choice, sizes: Sizes, num_gpus: int, beside: Trial | None = None
    ) -> Trial | Refusal:
        """The best layout's trial: the first with useful room, else the first unless one has far more.

        Pipeline stages make no single request faster, so tensor parallelism that fits is never given up for
        them.
        """
        layouts = self._layouts(grant, choice, sizes, num_gpus)
        if isinstance(layouts, Refusal):
            return layouts
        best, fewest_stages = None, num_gpus
        for layout in layouts:
            if layout.pipeline_parallel_size > fewest_stages:
                continue
            base = (self.model, grant.offer, grant.num_gpus, grant.num_nodes, choice, layout, self.wants)
            trial = try_launch(*base, beside)
            if best is None or _is_better(trial, best):
                best = trial
            if trial.fit.fits and layout.tensor_parallel_size > 1:
                fewest_stages = min(fewest_stages, layout.pipeline_parallel_size)
            if trial.is_roomy:
                break
        assert best is not None  # noqa: S101 - `layouts` is never empty
        return best if best.fit.fits else self._refuse(best)

    def _layouts(
        self, grant: Grant, choice: Choice, sizes: Sizes, num_gpus: int
    ) -> tuple[Layout, ...] | Refusal:
        offer, goal = grant.offer, self.wants.preset.goal
        # Over nodes tensor parallelism is slow, so only who names its size gets it there.
        num_nodes = 1 if sizes[0] else grant.num_nodes
        layouts = order_layouts(self.model, offer, num_gpus, num_nodes, choice.quantisation, goal)
        chosen = tuple(layout for layout in layouts if _has_sizes(layout, sizes))
        uses_ray = self.wants.uses_ray
        spread = tuple(c for c in chosen if not explain_spread(c, grant.num_nodes, uses_ray=uses_ray))
        if chosen and not spread:
            return Refusal("layout", explain_spread(chosen[0], grant.num_nodes))
        return spread or Refusal("layout", self._explain_layouts(offer, num_gpus, sizes))

    def _explain_layouts(self, offer: Offer, num_gpus: int, sizes: Sizes) -> str:
        tp, pp, dp = (size or 1 for size in sizes)
        asked = Layout(tp, pp, dp) if any(sizes) else Layout(num_gpus)
        if num_gpus % asked.num_gpus:
            needed = f"{asked.num_gpus} GPUs or a multiple"
            return f"Parallel sizes {tp} x {pp} x {dp} need {needed}; {num_gpus} were asked for."
        why = explain_layout(self.model.architecture, asked, offer.card, offer.gpus_per_node)
        return why or f"{self.model.title} can't be spread so over {count_gpus(num_gpus, offer.gpu_name)}."

    def _refuse(self, trial: Trial) -> Refusal:
        refusal = self._refuse_alone(trial)
        if trial.beside is None or not trial.is_shared:
            return refusal
        other = f"{trial.beside.title} on the same GPU has {trial.wish.beside_gib:,.1f} GiB of it"
        return replace(refusal, reason=f"{refusal.reason[:-1]}; {other}.")

    def _refuse_alone(self, trial: Trial) -> Refusal:
        fit, wants = trial.fit, self.wants
        if fit.outside_missing_gib:
            return Refusal("share", explain_share(trial), trial)
        if fit.longest_context_tokens <= 0:
            return Refusal("weights", explain_weights(trial), trial)
        if wants.is_context_asked:
            reason = explain_context(trial, wants.context_tokens)
        else:
            reason = explain_room(trial, wants.least_tokens)
        return Refusal("context", reason, trial, limit=fit.longest_context_tokens)

    def _price(self, trial: Trial, term: Term, request: PlanRequest) -> Found:
        weight_bytes = checkpoint_bytes(self.model.architecture, trial.choice.weights)
        count, billing = count_replicas(request), self.facts.site.billing
        gpus_on_node = count * trial.num_gpus // trial.num_nodes
        num_engines = count if trial.beside is None else 2
        host = make_host(trial.offer, gpus_on_node, weight_bytes, billing, request.cpus_per_task, num_engines)
        cores = host.cpus * trial.num_nodes
        rate, of_gpus = (
            su_per_h(billing, term.qos, trial.offer.gpu, num_gpus=count * trial.num_gpus, cores=number)
            for number in (cores, 0)
        )
        return Found(trial, term, host, rate, of_gpus)


def _is_better(trial: Trial, best: Trial) -> bool:
    if trial.fit.fits != best.fit.fits:
        return trial.fit.fits
    if trial.fit.fits:
        return trial.room > best.room * FAR_MORE
    return trial.fit.missing_gib < best.fit.missing_gib


def _has_sizes(layout: Layout, sizes: Sizes) -> bool:
    own = (layout.tensor_parallel_size, layout.pipeline_parallel_size, layout.data_parallel_size)
    return all(size is None or size == value for size, value in zip(sizes, own, strict=True))
