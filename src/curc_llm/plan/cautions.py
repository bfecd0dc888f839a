"""Cautions: what a person should know before launching a plan that fits."""

from __future__ import annotations

from collections.abc import Iterator

from curc_llm.catalogue.model import Weights
from curc_llm.plan.facts import Facts
from curc_llm.plan.host import cores_to_read_ahead
from curc_llm.plan.kv_cache_dtype import judge_kv_cache_dtype
from curc_llm.plan.presets import find_preset
from curc_llm.plan.quantisation import use_of
from curc_llm.plan.refusal import count_hours, count_requests
from curc_llm.plan.replicas import count_replicas
from curc_llm.plan.request import PlanRequest
from curc_llm.plan.search import Found
from curc_llm.plan.trial import Trial
from curc_llm.plan.weights import checkpoint_bytes
from curc_llm.sites.card import Card
from curc_llm.sites.site import Site

TIME_BUFFER = 0.2  # CURC advises to ask for about 20 % more time than a job needs
NEAR_LIMIT = 0.9
# CUDA that vLLM's builds are made for; 12.8 is the first that knows Blackwell.
MAIN_CUDA = 13.0


def make_warnings(request: PlanRequest, launch: Found, facts: Facts, load_s: float) -> tuple[str, ...]:
    """Everything that should be known, the weightiest first; each one sentence or two.

    `load_s` are the seconds until the model answers.
    """
    return (
        *_about_choice(request, launch),
        *_about_preset(request, launch, facts),
        *_about_access(launch, facts),
        *_about_beside(launch, facts),
        *_about_format(launch),
        *_about_site(request, launch, facts),
        *_about_time(request, launch, load_s),
        *_about_facts(launch),
    )


def list_unverified(launch: Found) -> tuple[str, ...]:
    """What has figures that nobody could check first-hand, each with the command that shows them."""
    model, weights, offer = launch.trial.model, launch.trial.choice.weights, launch.trial.offer
    found = [] if model.verified and weights.verified else [f"{model.title} (curc-llm models verify)"]
    if not (offer.card.verified and offer.gpu.verified and offer.partition.verified):
        found.append(f"{offer.gpu_name} (curc-llm site show)")
    if (beside := launch.trial.beside) is not None and not (
        beside.model.verified and beside.choice.weights.verified
    ):
        found.append(f"{beside.model.title} (curc-llm models verify)")
    return tuple(found)


def _about_choice(request: PlanRequest, launch: Found) -> Iterator[str]:
    trial = launch.trial
    length = trial.wish.max_model_len
    if length < trial.wanted_tokens:
        yield f"The context is lowered from {trial.wanted_tokens:,} to {length:,} tokens, which is what fits."
    first = trial.model.weights[0].format
    chosen = trial.choice.quantisation
    if request.quantisation is None and chosen != first:
        yield f"{chosen} weights were chosen; {first} takes more memory (--quantisation {first} asks for it)."
    asked, seqs = request.max_num_seqs, trial.wish.max_num_seqs
    if asked is not None and seqs < asked:
        yield f"At most {seqs:,} of the {asked:,} requests run at once: there is no memory for more."
    elif asked is not None and trial.max_concurrency < asked and trial.fit.kv_cache_tokens:
        fitting = f"{int(trial.max_concurrency):,} of the {asked:,} requests"
        yield f"Only {fitting} fit at once when each uses all of its {length:,} tokens; the others wait."
    if not trial.is_roomy:
        room = count_requests(trial.max_concurrency)
        yield f"There is little room: memory for {room} of {length:,} tokens at once."
    if not trial.is_fast:
        speed = f"{trial.tokens_per_s:,.0f}"
        tokens = "1 token" if speed == "1" else f"{speed} tokens"
        yield f"It answers slowly: about {tokens} a second, by estimate."


def _about_preset(request: PlanRequest, launch: Found, facts: Facts) -> Iterator[str]:
    """That a preset's context can't be had from this model."""
    wanted = find_preset(request.preset, facts.presets).max_model_len or 0
    trial = launch.trial
    longest = trial.model.max_context_tokens
    if request.max_model_len is not None or wanted <= trial.wanted_tokens:
        return
    own = f"{trial.title} reads at most {longest:,}"
    if trial.wanted_tokens < min(longest, wanted):
        own += f" and gets {trial.wanted_tokens:,} for embeddings, unless --max-model-len asks for more"
    yield f"The preset {request.preset} wants {wanted:,} tokens of context; {own}."


def _about_access(launch: Found, facts: Facts) -> Iterator[str]:
    yield from _about_use(launch.trial, facts)
    model = launch.trial.model
    if launch.trial.is_pooling:
        yield "This model makes embeddings (/v1/embeddings); it doesn't chat."
    elif not model.has_chat_template:
        yield "This model has no chat template: it completes text (/v1/completions), it doesn't chat."


def _about_use(trial: Trial, facts: Facts) -> Iterator[str]:
    """What a person must have done or read before using a model."""
    model, weights = trial.model, trial.choice.weights
    gated = model.gated if weights.gated is None else weights.gated
    if gated and not model.folder:
        yield _about_gate(weights, facts.site)
    if model.licence_note:
        yield f"Licence ({model.licence}): {model.licence_note}"
    if model.trust_remote_code:
        yield "vLLM runs Python code that comes with this model (trust_remote_code): read it beforehand."


def _about_beside(launch: Found, facts: Facts) -> Iterator[str]:
    """What there is to know of the embedding model, and of two on one GPU."""
    trial, beside = launch.trial, launch.trial.beside
    if beside is None:
        return
    title = beside.model.title
    yield from (f"{title}: {text}" for text in _about_use(beside, facts))
    if trial.is_shared:
        yield f"Both share a GPU: while {title} reads many texts, answers come more slowly."


def _about_gate(weights: Weights, site: Site) -> str:
    if weights.site_path and site.storage.models_dir:
        kept = f"{site.title} keeps it in {site.storage.models_dir}, where it needs no token"
        return f"{weights.hub_id} is gated on Hugging Face; {kept}."
    return f"{weights.hub_id} is gated: accept its terms on Hugging Face and keep a token beforehand."


def _about_format(launch: Found) -> Iterator[str]:
    trial = launch.trial
    card, format_ = trial.offer.card, trial.choice.quantisation
    use, _ = use_of(format_, card)
    if use == "weight-only" and format_ in ("fp8", "online-fp8", "mxfp4", "nvfp4"):
        yield (
            f"{card.title} has no {format_} units: the weights save memory, but it computes in 16 bits, so "
            "long prompts aren't read any faster."
        )
    if trial.choice.is_online:
        yield "vLLM turns the 16-bit weights into FP8 while it loads them, so all of them are read from disk."
    arch, weights = trial.model.architecture, trial.choice.weights
    if doubt := judge_kv_cache_dtype(trial.wish.kv_cache_dtype, arch, weights, format_, card).caution:
        yield doubt


def _about_site(request: PlanRequest, launch: Found, facts: Facts) -> Iterator[str]:
    site, offer = facts.site, launch.trial.offer
    account = request.account or site.account.default
    if site.account.is_required and not account:
        yield f"{site.title} refuses jobs without an account: launch with --account."
    if offer.gpu.on_request:
        whom = site.support or "its support"
        yield f"{offer.gpu_name} is for people who have asked {site.title} for it: {whom}."
    if offer.partition.arch == "aarch64":
        place = offer.partition_name
        yield f"The nodes of {place} have ARM processors: curc-llm and vLLM must be installed for them."
    if launch.term.qos is not None and launch.term.qos.is_for_tests:
        yield f"The QoS {launch.term.name} is meant for tests, not for work."
    if not launch.host.holds_checkpoint:
        held = f"{launch.host.memory_gib} GiB of host memory"
        remedy = _more_memory(launch, count_replicas(request))
        yield f"Loading may take longer: the checkpoint isn't read ahead into {held}{remedy}."
    yield from _about_driver(offer.card, site.runtime.cuda_driver)
    link = offer.partition.node_link
    if launch.trial.num_nodes > 1 and link not in ("infiniband", "roce"):
        yield f"Nodes of {offer.partition_name} are joined by {link}: expect slow answers."
    tp, on_node = launch.trial.layout.tensor_parallel_size, launch.trial.num_gpus // launch.trial.num_nodes
    if on_node % tp:
        yield (
            f"Tensor parallelism over {tp} GPUs crosses the network in each layer: a size of at most "
            f"{on_node} and pipeline stages over the nodes are faster."
        )


def _more_memory(launch: Found, count: int) -> str:
    """How more cores would bring the memory, where they can."""
    trial = launch.trial
    gpus_on_node = count * trial.num_gpus // trial.num_nodes
    size = checkpoint_bytes(trial.model.architecture, trial.choice.weights)
    cores = cores_to_read_ahead(trial.offer, gpus_on_node, size, count)
    return f" (--cpus-per-task {cores} brings enough)" if cores else ""


def _about_driver(card: Card, cuda_driver: float | None) -> Iterator[str]:
    needed = MAIN_CUDA if (card.compute_capability or 0.0) < 10.0 else max(MAIN_CUDA, 12.8)
    if cuda_driver is not None and cuda_driver < needed:
        yield (
            f"The nodes' driver serves CUDA {cuda_driver:g}; vLLM's usual build wants {needed:g}: "
            "use a build that fits."
        )


def _about_time(request: PlanRequest, launch: Found, load_s: float) -> Iterator[str]:
    hours, term = launch.term.hours, launch.term
    loading_h = load_s / 3600
    if loading_h > hours * TIME_BUFFER:
        share = f"{_time(load_s)} of the {_time(hours * 3600)}"
        yield f"Loading takes about {share}: ask for the time that you need plus 20 %."
    limit = term.qos.max_time_h if term.qos is not None else None
    if limit is not None and request.hours is not None and hours > limit * NEAR_LIMIT:
        near = f"{count_hours(hours)} is close to the {count_hours(limit)} of {term.name}"
        yield f"{near}: the session can't be made longer."


def _time(seconds: float) -> str:
    return f"{seconds:,.0f} seconds" if seconds < 120 else f"{seconds / 60:,.0f} minutes"


def _about_facts(launch: Found) -> Iterator[str]:
    model = launch.trial.model
    if model.is_estimate:
        yield "The model's size is an estimate from its config.json (within about 3 %)."
    yield from model.assumed
