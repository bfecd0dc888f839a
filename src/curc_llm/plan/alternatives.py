"""Alternatives: launches near the one that was asked for, each worked out before it is named."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence

from curc_llm.plan.near_counts import ANY_LAYOUT, Patch, describe_counts, is_sensible, list_near_counts
from curc_llm.plan.plan import Alternative
from curc_llm.plan.refusal import Refusal, count_hours, count_requests
from curc_llm.plan.replicas import describe_replicas, fewer_replicas
from curc_llm.plan.request import PlanRequest, all_gpus
from curc_llm.plan.search import Found
from curc_llm.plan.trial import round_down

MOST = 4
Find = Callable[[PlanRequest], Found | Refusal]

_ANY_COUNT: Patch = {"num_gpus": None, "num_nodes": None, **ANY_LAYOUT}
_ANY_TYPE: Patch = {"gpu_type": None, "partition": None, "qos": None, "cpus_per_task": None}
_ANYWHERE: Patch = {**_ANY_TYPE, **_ANY_COUNT, "quantisation": None}
# When nothing near works: everything left to the planner, and then without the preset.
_ANYTHING: Patch = {
    **_ANYWHERE,
    **dict.fromkeys(("max_model_len", "max_num_seqs", "gpu_memory_utilization", "kv_cache_dtype", "hours")),
}
_LAST_RESORTS: tuple[Patch, ...] = (_ANYTHING, {**_ANYTHING, "preset": None})
# Where one value is in the way, whatever else was asked.
_INSTEAD: dict[str, tuple[Patch, ...]] = {
    "share": ({"gpu_memory_utilization": None},),
    "kv_cache_dtype": ({"kv_cache_dtype": "fp8"}, {"kv_cache_dtype": "auto"}),
}
# Requests at once that are tried, the most first, where too many were asked for.
_FEWER_REQUESTS = (1024, 256, 16)
_NUMBERS = {"max_model_len": "tokens", "max_num_seqs": "requests at once", "cpus_per_task": "cores"}
_OPTIONS = {  # in the order of the command
    "embed": "--embed",
    "gpu_type": "--gpu",
    "num_gpus": "--num-gpus",
    "num_nodes": "--num-nodes",
    "replicas": "--replicas",
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
    "distributed_executor_backend": "--distributed-executor-backend",
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
        _add_first(found, request, group, find)
        if len(found) == MOST:
            break
    if not found:
        _add_first(found, request, _LAST_RESORTS, find)
    if request.embed is not None and len(found) < MOST:
        _add_first(found, request, ({"embed": None},), find)
    return tuple(found.values())


def _add_first(
    found: dict[tuple[object, ...], Alternative], request: PlanRequest, group: Sequence[Patch], find: Find
) -> None:
    """Adds the first launch of a group that fits, unless it is there already."""
    for patch in group:
        wanted = request.model_copy(update=patch)
        launch = find(wanted) if wanted != request else None
        if isinstance(launch, Found) and is_sensible(launch):
            found.setdefault(_key(launch), _make_alternative(request, wanted, launch))
            return


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
    parts = [
        f"{trial.gpus} in {trial.choice.quantisation}",
        f"{launch.su_per_h:,.1f} {unit} per hour",
        *speed,
        f"{trial.wish.max_model_len:,} tokens of context",
        *room,
        *_describe_use(launch),
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
            parts += [option, shlex.quote(_render_value(value))]
    return " ".join(parts)


def _render_value(value: object) -> str:
    """A value without a power of ten, which nobody types."""
    return f"{value:.9f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _groups(request: PlanRequest, refusal: Refusal) -> Iterator[Sequence[Patch]]:
    """Changes of the request, the nearest first; of each group the first that fits is named."""
    for patch in _direct(request, refusal):
        yield (patch,)
    if refusal.kind == "layout":
        yield ({"num_gpus": all_gpus(request), **ANY_LAYOUT},)
    if request.gpu_memory_utilization is not None and refusal.kind in ("weights", "context"):
        yield ({"gpu_memory_utilization": None},)
    if request.max_num_seqs is not None and refusal.kind in ("weights", "context"):
        yield tuple({"max_num_seqs": n} for n in _FEWER_REQUESTS if n < request.max_num_seqs)
    if refusal.kind in ("weights", "context", "format", "layout"):
        if request.quantisation is not None:
            online: Sequence[Patch] = (
                ({"quantisation": "online-fp8"},) if request.quantisation == "fp8" else ()
            )
            yield (*online, {"quantisation": None})
        yield tuple(_more_gpus(request))
        yield (_ANY_COUNT, {**_ANY_COUNT, "quantisation": None})
    yield tuple(fewer_replicas(request))
    yield (ANY_LAYOUT,)
    yield (_ANY_TYPE,)
    yield ({**_ANYWHERE, "quantisation": request.quantisation}, _ANYWHERE)
    yield ({**_ANYWHERE, **_shorter(request, refusal)},)


def _sizes(request: PlanRequest) -> tuple[int | None, int | None, int | None]:
    return request.tensor_parallel_size, request.pipeline_parallel_size, request.data_parallel_size


def _more_gpus(request: PlanRequest) -> Iterator[Patch]:
    """The next numbers of GPUs that could do, in the asked weights and then in others."""
    if request.num_gpus is not None:
        counts = sorted({request.num_gpus + step for step in (1, 2, 4, 8, request.num_gpus)})
        for patch in ({}, {"quantisation": None}) if request.quantisation else ({},):
            for num_gpus in counts:
                yield {"num_gpus": num_gpus, "num_nodes": None, **ANY_LAYOUT, **patch}


def _direct(request: PlanRequest, refusal: Refusal) -> Iterator[Patch]:
    """Changes of the one thing that is in the way."""
    limit = refusal.limit
    if refusal.kind == "context" and request.max_model_len is not None and limit:
        yield {"max_model_len": round_down(int(limit))}
    if refusal.kind in ("qos", "hours", "count") and request.qos is not None:
        yield {"qos": None}
    if refusal.kind in ("hours", "load") and limit:
        yield {"hours": limit}  # of the QoS that was asked for, if any
        yield {"qos": None, **_ANY_COUNT}
    if refusal.kind in ("count", "nodes"):
        yield from list_near_counts(request, refusal)
        if request.quantisation is not None:
            yield from ({**patch, "quantisation": None} for patch in list_near_counts(request, refusal))
    if refusal.kind == "cores" and limit:
        yield {"cpus_per_task": int(limit)}
    if refusal.kind == "place" and request.partition is not None and request.gpu_type is not None:
        yield {"partition": None}
        yield {"gpu_type": None}
    yield from _INSTEAD.get(refusal.kind, ())


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
    gpus, layout = describe_counts(asked, exact, launch), _describe_layout(asked, launch)
    parts = [*describe_replicas(asked, exact), *gpus, *layout, *_describe_weights(asked, launch)]
    own = (launch.trial.wish.max_model_len, launch.trial.wish.max_num_seqs, launch.host.cpus)
    for (name, words), number in zip(_NUMBERS.items(), own, strict=True):
        old, new = getattr(asked, name), getattr(exact, name)
        if old != new:
            parts.append(f"{new or number:,} {words} instead of {old:,}")
    if asked.hours is not None and asked.hours != launch.term.hours:
        parts.append(f"{count_hours(launch.term.hours)} instead of {count_hours(asked.hours)[:-2]}")
    share = asked.gpu_memory_utilization
    if share is not None and exact.gpu_memory_utilization != share:
        parts.append(
            f"gpu_memory_utilization {launch.trial.wish.gpu_memory_utilization:g} instead of {share:g}"
        )
    if asked.qos is not None and asked.qos != launch.term.name:
        parts.append(f"QoS {launch.term.name} instead of {asked.qos}")
    if asked.kv_cache_dtype is not None and exact.kv_cache_dtype != asked.kv_cache_dtype:
        parts.append(f"kv_cache_dtype {launch.trial.wish.kv_cache_dtype} instead of {asked.kv_cache_dtype}")
    if asked.embed is not None and exact.embed is None:
        parts.append(f"without {asked.embed}")
    if asked.preset is not None and exact.preset is None:
        parts.append(f"without the preset {asked.preset}")
    parts = parts or [f"{launch.trial.gpus} in another layout"]
    return ", ".join([*parts, *_describe_use(launch)])


def _describe_use(launch: Found) -> list[str]:
    """What a launch is for, where it isn't for work."""
    qos = launch.term.qos
    return ["for tests only"] if qos is not None and qos.is_for_tests else []


def _describe_layout(asked: PlanRequest, launch: Found) -> list[str]:
    """Parallel sizes, where the asked ones were given up."""
    layout, old = launch.trial.layout, dict(zip(ANY_LAYOUT, _sizes(asked), strict=True))
    if all(size in (None, getattr(layout, name)) for name, size in old.items()):
        return []
    stated = {name: size for name, size in old.items() if size is not None}
    own = {name: getattr(layout, name) for name in old}
    new = {name: size for name, size in own.items() if size > 1 or name in stated}
    if stated.keys() == new.keys() and len(new) == 1:
        name = next(iter(new))
        return [f"{name} {new[name]} instead of {stated[name]}"]
    return [f"{_name_sizes(new)} instead of {_name_sizes(stated)}"]


def _name_sizes(sizes: dict[str, int]) -> str:
    return " x ".join(f"{name} {size}" for name, size in sizes.items())


def _describe_weights(asked: PlanRequest, launch: Found) -> list[str]:
    format_ = launch.trial.choice.quantisation
    if asked.quantisation is None:
        return [f"in {format_}"] if format_ != launch.trial.model.weights[0].format else []
    return [] if asked.quantisation == format_ else [f"{format_} instead of {asked.quantisation}"]


def _key(launch: Found) -> tuple[object, ...]:
    """What makes two launches different for a person."""
    trial, term = launch.trial, launch.term
    where = (trial.offer.partition_name, trial.offer.gpu_name, trial.num_gpus, trial.num_nodes, trial.layout)
    return (*where, trial.choice.quantisation, trial.wish, term.name, term.hours, launch.host.cpus)
