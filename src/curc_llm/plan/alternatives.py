"""Alternatives: launches near the one that was asked for, each worked out before it is named."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from curc_llm.plan.plan import Alternative
from curc_llm.plan.refusal import Refusal, count_gpus, count_requests
from curc_llm.plan.request import PlanRequest
from curc_llm.plan.search import Found
from curc_llm.plan.trial import round_down

MOST = 4
Find = Callable[[PlanRequest], Found | Refusal]
Patch = dict[str, Any]

_ANY_LAYOUT: Patch = {
    "tensor_parallel_size": None,
    "pipeline_parallel_size": None,
    "data_parallel_size": None,
}
_ANY_COUNT: Patch = {"num_gpus": None, "num_nodes": None, **_ANY_LAYOUT}
_ANY_TYPE: Patch = {"gpu_type": None, "partition": None, "qos": None, "cpus_per_task": None}
_OPTIONS = {  # in the order of the command
    "gpu_type": "--gpu",
    "num_gpus": "--num-gpus",
    "num_nodes": "--num-nodes",
    "partition": "--partition",
    "qos": "--qos",
    "hours": "--hours",
    "quantisation": "--quantisation",
    "max_model_len": "--max-model-len",
    "max_num_seqs": "--max-num-seqs",
    "preset": "--preset",
    "account": "--account",
    "tensor_parallel_size": "--tensor-parallel-size",
    "pipeline_parallel_size": "--pipeline-parallel-size",
    "data_parallel_size": "--data-parallel-size",
    "gpu_memory_utilization": "--gpu-memory-utilization",
    "kv_cache_dtype": "--kv-cache-dtype",
    "cpus_per_task": "--cpus-per-task",
    "seed": "--seed",
}


def make_alternatives(request: PlanRequest, refusal: Refusal, find: Find) -> tuple[Alternative, ...]:
    """The nearest launches that work, the nearest first; at most four, never what was asked.

    Args:
        request: what was asked.
        refusal: why it doesn't work.
        find: works a request out.
    """
    found: dict[tuple[object, ...], Alternative] = {}
    for group in _groups(request, refusal):
        alternative = _first_that_fits(request, group, find)
        if alternative is not None:
            found.setdefault(_key(alternative.request), alternative)
        if len(found) == MOST:
            break
    return tuple(found.values())


def _first_that_fits(request: PlanRequest, group: Sequence[Patch], find: Find) -> Alternative | None:
    for patch in group:
        wanted = request.model_copy(update=patch)
        launch = find(wanted) if wanted != request else None
        if isinstance(launch, Found):
            return _make_alternative(request, wanted, launch)
    return None


def name_launch(request: PlanRequest, launch: Found, change: str) -> Alternative:
    """A launch that was found, as an alternative with these words for what is different."""
    return _make_alternative(request, request, launch, change)


def describe_launch(launch: Found, unit: str) -> str:
    """A launch in a line: GPUs, weights, price, speed, context and room.

    Args:
        launch: one that works.
        unit: what the site's service units are called.
    """
    trial = launch.trial
    speed = [] if trial.is_pooling else [f"about {trial.tokens_per_s:,.0f} tokens/s"]
    room = [f"{count_requests(trial.max_concurrency)} of that length"] if trial.fit.kv_cache_tokens else []
    is_for_tests = launch.term.qos is not None and launch.term.qos.is_for_tests
    parts = [
        f"{trial.gpus} in {trial.choice.quantisation}",
        f"{launch.su_per_h:,.1f} {unit} per hour",
        *speed,
        f"{trial.wish.max_model_len:,} tokens of context",
        *room,
        *(["for tests only"] if is_for_tests else []),
    ]
    return ", ".join(parts)


def render_command(request: PlanRequest) -> str:
    """The shell command that plans a request.

    Example:
        >>> render_command(PlanRequest(model="m", num_gpus=2, gpu_type="h200"))
        'curc-llm plan m --gpu h200 --num-gpus 2'
    """
    parts = ["curc-llm", "plan", shlex.quote(request.model)]
    for name, option in _OPTIONS.items():
        value = getattr(request, name)
        if value is not None:
            parts += [option, shlex.quote(f"{value:g}" if isinstance(value, float) else str(value))]
    return " ".join(parts)


def _groups(request: PlanRequest, refusal: Refusal) -> Iterator[Sequence[Patch]]:
    """Changes of the request, the nearest first; of each group the first that fits is named."""
    for patch in _direct(request, refusal):
        yield (patch,)
    if request.gpu_memory_utilization is not None and refusal.kind in ("weights", "context"):
        yield ({"gpu_memory_utilization": None},)
    if refusal.kind in ("weights", "context", "format", "layout"):
        if request.quantisation is not None:
            online: Sequence[Patch] = (
                ({"quantisation": "online-fp8"},) if request.quantisation == "fp8" else ()
            )
            yield (*online, {"quantisation": None})
        yield tuple(_more_gpus(request))
        yield (_ANY_COUNT, {**_ANY_COUNT, "quantisation": None})
    yield (_ANY_LAYOUT,)
    yield (_ANY_TYPE,)
    anywhere: Patch = {**_ANY_TYPE, **_ANY_COUNT}
    yield (anywhere, {**anywhere, "quantisation": None})
    yield ({**anywhere, "quantisation": None, **_shorter(request, refusal)},)
    yield ({**anywhere, "quantisation": None, "max_model_len": None, "hours": None},)


def _more_gpus(request: PlanRequest) -> Iterator[Patch]:
    """The next numbers of GPUs that could do, in the asked weights and then in others."""
    if request.num_gpus is not None:
        counts = sorted({request.num_gpus + step for step in (1, 2, 4, 8, request.num_gpus)})
        for patch in ({}, {"quantisation": None}) if request.quantisation else ({},):
            for num_gpus in counts:
                yield {"num_gpus": num_gpus, "num_nodes": None, **_ANY_LAYOUT, **patch}


def _direct(request: PlanRequest, refusal: Refusal) -> Iterator[Patch]:
    """Changes of the one thing that is in the way."""
    limit = refusal.limit
    if refusal.kind == "context" and request.max_model_len is not None and limit:
        yield {"max_model_len": round_down(int(limit))}
    if refusal.kind in ("qos", "hours", "count") and request.qos is not None:
        yield {"qos": None}
    if refusal.kind == "hours" and limit:
        yield {"qos": None, "hours": limit}
        yield {"qos": None, **_ANY_COUNT}
    if refusal.kind == "nodes" and request.num_nodes is not None:
        yield {"num_nodes": None}
        if request.num_gpus is not None and limit:
            even = -(-request.num_gpus // request.num_nodes) * request.num_nodes
            yield {"num_gpus": even, **_ANY_LAYOUT}
    if refusal.kind in ("count", "nodes") and limit:
        yield {"num_gpus": int(limit), "num_nodes": None, **_ANY_LAYOUT}
        yield {"num_gpus": int(limit), "num_nodes": None, **_ANY_LAYOUT, "quantisation": None}
    if refusal.kind == "cores" and limit:
        yield {"cpus_per_task": int(limit)}
    if refusal.kind == "place" and request.partition is not None and request.gpu_type is not None:
        yield {"partition": None}
        yield {"gpu_type": None}
    if refusal.kind == "share":
        yield {"gpu_memory_utilization": None}


def _shorter(request: PlanRequest, refusal: Refusal) -> Patch:
    """A context that fitted in the refused launch, or the model's own where more was asked for."""
    if request.max_model_len is None or not refusal.limit or refusal.kind != "context":
        return {"max_model_len": None}
    return {"max_model_len": round_down(int(refusal.limit))}


def _make_alternative(
    asked: PlanRequest, wanted: PlanRequest, launch: Found, change: str = ""
) -> Alternative:
    exact = wanted.model_copy(update=_exact(wanted, launch))
    return Alternative(
        change=change or _describe(asked, exact, launch),
        request=exact,
        command=render_command(exact),
        su_total=round(launch.su_total, 2),
    )


def _exact(wanted: PlanRequest, launch: Found) -> Patch:
    """The launch's own values, so that planning it again finds the same."""
    trial = launch.trial
    exact: Patch = {"gpu_type": trial.offer.gpu_name, "num_gpus": trial.num_gpus}
    exact["partition"] = trial.offer.partition_name if wanted.partition else None
    exact["quantisation"] = trial.choice.quantisation
    return exact


def _describe(asked: PlanRequest, exact: PlanRequest, launch: Found) -> str:
    """What is different from what was asked, in words."""
    parts = [*_describe_gpus(asked, exact, launch), *_describe_weights(asked, launch)]
    for name, words in (("max_model_len", "tokens"), ("cpus_per_task", "cores")):
        old, new = getattr(asked, name), getattr(exact, name)
        if old != new:
            number = new or (launch.trial.wish.max_model_len if words == "tokens" else launch.host.cpus)
            parts.append(f"{number:,} {words} instead of {old:,}")
    if asked.hours is not None and asked.hours != launch.term.hours:
        parts.append(f"{launch.term.hours:g} h instead of {asked.hours:g}")
    share = asked.gpu_memory_utilization
    if share is not None and exact.gpu_memory_utilization != share:
        parts.append(
            f"gpu_memory_utilization {launch.trial.wish.gpu_memory_utilization:g} instead of {share:g}"
        )
    if asked.qos is not None and asked.qos != launch.term.name:
        parts.append(f"QoS {launch.term.name} instead of {asked.qos}")
    return ", ".join(parts) or f"{launch.trial.gpus} in another layout"


def _describe_gpus(asked: PlanRequest, exact: PlanRequest, launch: Found) -> list[str]:
    num_gpus, gpu_type = exact.num_gpus or 1, exact.gpu_type
    partition = launch.trial.offer.partition_name
    if asked.partition is not None and asked.partition != partition:
        return [f"{launch.trial.gpus} in {partition}"]
    if asked.gpu_type is not None and asked.gpu_type != gpu_type:
        before = count_gpus(asked.num_gpus, asked.gpu_type) if asked.num_gpus else asked.gpu_type
        return [f"{launch.trial.gpus} instead of {before}"]
    if asked.num_gpus == num_gpus and asked.num_nodes not in (None, launch.trial.num_nodes):
        return [f"{launch.trial.gpus} on {launch.trial.num_nodes} node instead of {asked.num_nodes}"]
    if asked.num_gpus is not None and asked.num_gpus != num_gpus:
        noun = "GPU" if num_gpus == 1 else "GPUs"
        return [f"{num_gpus} {noun} instead of {asked.num_gpus}"]
    return [] if asked.gpu_type and asked.num_gpus else [launch.trial.gpus]


def _describe_weights(asked: PlanRequest, launch: Found) -> list[str]:
    format_ = launch.trial.choice.quantisation
    if asked.quantisation is None:
        return [f"in {format_}"] if format_ != launch.trial.model.weights[0].format else []
    return [] if asked.quantisation == format_ else [f"{format_} instead of {asked.quantisation}"]


def _key(request: PlanRequest) -> tuple[object, ...]:
    return (
        request.gpu_type,
        request.num_gpus,
        request.quantisation,
        request.max_model_len,
        request.hours,
        request.qos,
    )
