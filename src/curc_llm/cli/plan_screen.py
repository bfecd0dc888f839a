"""A plan for people: what it needs, costs and gives, or why it can't work and what can."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from curc_llm.plan.flags import render_flags
from curc_llm.plan.plan import Alternative, MemorySplit, Plan, Step
from curc_llm.plan.refusal import count_hours, count_requests

if TYPE_CHECKING:
    from curc_llm.sites.site import Site

Pair = tuple[str, str]
MOST_COLUMNS = 100
FEWEST_COLUMNS = 60
NAME_COLUMNS = 11
BAR_COLUMNS = 50
# weights, KV cache, what the engine works in, what an engine beside it has, what vLLM may not use
BLOCKS = ("█", "▒", "░", "▓", "·")
PLAIN_BLOCKS = ("#", "=", "-", "+", ".")


def render_plan(plan: Plan, site: Site, columns: int | None = None) -> str:
    """The plan as lines of at most `columns` characters (but commands, which are to be copied whole)."""
    width = columns or _width()
    parts = [_render_head(plan, site, width)]
    if plan.fits:
        parts.append(_render_pairs(list(_fitting_pairs(plan, site, width)), width))
    elif plan.memory is not None:
        parts.append(_render_pairs([("Memory", render_bar(plan.memory, _bar_columns(width)))], width))
    parts += [_render_warnings(plan.warnings, width)] if plan.warnings else []
    parts += [_render_alternatives(plan, width)] if plan.alternatives else []
    parts += [_render_why(plan.why, width)] if plan.why else []
    return "\n\n".join(parts)


def render_bar(split: MemorySplit, columns: int = BAR_COLUMNS, has_kv_cache: bool = True) -> str:
    """Where the memory of the fullest GPU goes, as a bar and in numbers.

    An encoder keeps nothing of what it has read: without a KV cache the rest is free.

    Example:
        >>> split = MemorySplit(memory_gib=80, outside_gib=8, weights_gib=40, activations_gib=2,
        ...     cuda_graphs_gib=1, runtime_gib=1, kv_cache_gib=28)
        >>> render_bar(split, 20).splitlines()[1]
        'weights 40.0 | KV cache 28.0 | work 4.0 | not used 8.0 of 80.0 GiB'
    """
    work = split.activations_gib + split.cuda_graphs_gib + split.runtime_gib
    sizes = (split.weights_gib, split.kv_cache_gib, work, split.beside_gib, split.outside_gib)
    names = ("weights", "KV cache" if has_kv_cache else "free", "work", "embeddings", "not used")
    shown = [part for part in zip(names, sizes, _blocks(), strict=True) if part[0] != names[3] or part[1]]
    numbers = " | ".join(f"{name} {size:,.1f}" for name, size, _ in shown)
    needed = sum(sizes)
    over = f" ({needed - split.memory_gib:,.1f} too many)" if needed > split.memory_gib + 0.05 else ""
    numbers = f"{numbers} of {split.memory_gib:,.1f} GiB{over}"
    legend = "  ".join(f"{block} {name}" for name, _, block in shown)
    return f"{_draw(sizes, split.memory_gib, columns)}\n{numbers}\n{legend}"


def _draw(sizes: Sequence[float], whole: float, columns: int) -> str:
    """The bar; what doesn't fit any more is cut off at its end, which then bears a `>`."""
    marks = [round(sum(sizes[: i + 1]) / whole * columns) for i in range(len(sizes))]
    starts = [0, *marks[:-1]]
    drawn = "".join(b * (end - start) for b, start, end in zip(_blocks(), starts, marks, strict=True))
    return f"[{drawn[: columns - 1]}>" if len(drawn) > columns else f"[{drawn.ljust(columns)}]"


def _blocks() -> tuple[str, ...]:
    return BLOCKS if _can_show("".join(BLOCKS)) else PLAIN_BLOCKS


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def render_request(plan: Plan, site: Site) -> str:
    """What Slurm is asked for, as options of sbatch; empty at a site without Slurm.

    Example:
        >>> render_request(plan, load_site("alpine"))
        '--partition=al40 --qos=gpu-normal --nodes=1 --ntasks=1 --cpus-per-task=9 --mem=29G --gres=gpu:l40:1'
    """
    from curc_llm.sites.lookup import find_gpu

    if not plan.qos or not plan.hours:
        return ""
    gres = find_gpu(site, plan.gpu_type, plan.partition).gres
    nodes = plan.num_nodes or 1
    minutes = max(1, round(plan.hours * 60))
    options = {
        "partition": plan.partition,
        "qos": plan.qos,
        "account": plan.account,
        "nodes": nodes,
        "ntasks": nodes,
        "cpus-per-task": plan.cpus,
        "mem": f"{plan.memory_gib}G",
        "gres": f"{gres}:{(plan.num_gpus or 1) * plan.replicas // nodes}",
        "time": f"{minutes // 60:02}:{minutes % 60:02}:00",
    }
    return " ".join(f"--{name}={shlex.quote(str(value))}" for name, value in options.items() if value != "")


def _render_head(plan: Plan, site: Site, width: int) -> str:
    if plan.fits:
        what = f"{plan.replicas} x {plan.title}, each" if plan.replicas > 1 else plan.title
        return f"{what} on {plan.num_gpus} x {plan.gpu_type} at {site.title}: fits"
    return _wrap(f"This can't work: {plan.reason}", width)


def _fitting_pairs(plan: Plan, site: Site, width: int) -> Iterator[Pair]:
    unit, hours = site.billing.unit, count_hours(plan.hours or 0)
    use = f", {plan.quantisation_use}" if plan.quantisation_use else ""
    yield "Weights", f"{plan.folder or plan.hub_id} ({plan.quantisation}{use}), {plan.weights_gib:,.1f} GiB"
    yield "GPUs", _describe_gpus(plan)
    if plan.memory is not None:
        yield "Memory", render_bar(plan.memory, _bar_columns(width), bool(plan.kv_cache_tokens))
    more = "; of each replica" if plan.replicas > 1 else ""
    yield "Context", _describe_context(plan) + more
    for other in plan.beside:
        yield "Embeddings", _describe_beside(plan, other)
    ready = f"ready after about {_minutes(plan.load_time_s or 0)}"
    if plan.decode_tokens_per_s is None:
        yield "Speed", f"{ready} (an estimate)"
    else:
        speed = f"about {plan.decode_tokens_per_s:,.0f} tokens/s"
        yield "Speed", f"{speed} for one request, {ready} (estimates)"
    yield "Cost", f"{plan.su_per_h:,.1f} {unit} per hour, {plan.su_total:,.0f} {unit} for {hours}"
    if request := render_request(plan, site):
        yield "Slurm", request
    for one in (plan, *plan.beside):
        yield "vLLM", shlex.join(render_flags(one.vllm_fields))


def _describe_beside(plan: Plan, other: Plan) -> str:
    """The embedding model: where it runs and what it takes."""
    where = "a GPU of its own" if plan.device_ids else "the same GPU, started after the chat model"
    parts = [f"{other.folder or other.hub_id} ({other.quantisation}) on {where}"]
    if (split := other.memory) is not None:
        work = split.activations_gib + split.cuda_graphs_gib + split.runtime_gib
        cache = f", KV cache {split.kv_cache_gib:,.1f}" if other.kv_cache_tokens else ""
        parts.append(f"weights {split.weights_gib:,.1f}{cache}, work {work:,.1f} GiB")
    return "; ".join([*parts, f"texts of up to {other.max_model_len:,} tokens"])


def _bar_columns(width: int) -> int:
    return min(BAR_COLUMNS, width - NAME_COLUMNS - 4)


def _describe_gpus(plan: Plan) -> str:
    nodes = "1 node" if plan.num_nodes == 1 else f"{plan.num_nodes} nodes"
    sizes = {
        "tensor": plan.tensor_parallel_size,
        "pipeline": plan.pipeline_parallel_size,
        "data": plan.data_parallel_size,
    }
    spread = ", ".join(f"{name} parallel {size}" for name, size in sizes.items() if (size or 1) > 1)
    parts = [f"{(plan.num_gpus or 0) * plan.replicas} x {plan.gpu_type} on {nodes} of {plan.partition}"]
    parts += [f"{plan.replicas} replicas with {plan.num_gpus} each"] if plan.replicas > 1 else []
    return ", ".join([*parts, *([spread] if spread else [])])


def _describe_context(plan: Plan) -> str:
    parts = [f"{plan.max_model_len:,} tokens"]
    runs = (plan.max_num_seqs or 1) * (plan.data_parallel_size or 1)
    if not plan.kv_cache_tokens:
        return f"{parts[0]}; up to {runs:,} requests at once"
    held = plan.max_concurrency or 0.0
    if int(held) == runs:
        parts.append(f"{count_requests(held)} of that length at once")
    elif held > runs:
        parts.append(f"up to {runs:,} requests at once (memory would hold {int(held):,} of that length)")
    else:
        parts.append(f"{count_requests(held)} of that length at once, or up to {runs:,} shorter ones")
    kib = (plan.kv_bytes_per_token or 0) / 1024
    parts.append(
        f"room for {plan.kv_cache_tokens * (plan.data_parallel_size or 1):,} tokens of {kib:,.1f} KiB"
    )
    return "; ".join(parts)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _render_pairs(pairs: Sequence[Pair], width: int) -> str:
    return "\n".join(line for name, value in pairs for line in _pair_lines(name, value, width))


def _pair_lines(name: str, value: str, width: int) -> Iterator[str]:
    room = width - NAME_COLUMNS - 2
    lines = [piece for line in value.split("\n") for piece in _fold(line, room)]
    for place, line in enumerate(lines):
        yield f"  {(name if place == 0 else '').ljust(NAME_COLUMNS)}{line}".rstrip()


def _fold(line: str, room: int) -> list[str]:
    return textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False) or [""]


def _wrap(text: str, width: int, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def render_unverified(plan: Plan, columns: int | None = None) -> str:
    """The last line: what has figures that nobody checked first-hand; empty when there is nothing."""
    if not plan.unverified:
        return ""
    return _wrap(f"Figures not checked first-hand: {', '.join(plan.unverified)}.", columns or _width())


def _width() -> int:
    return max(FEWEST_COLUMNS, min(MOST_COLUMNS, shutil.get_terminal_size((80, 24)).columns))


def _render_warnings(warnings: Sequence[str], width: int) -> str:
    return "\n".join(["Worth knowing:", *(_wrap(warning, width, "  - ", "    ") for warning in warnings)])


def _render_alternatives(plan: Plan, width: int) -> str:
    head = "Others:" if plan.fits else "These would work, the nearest first:"
    return "\n".join([head, *(_render_alternative(other, width) for other in plan.alternatives)])


def _render_alternative(other: Alternative, width: int) -> str:
    return f"{_wrap(other.change, width, '  - ', '    ')}\n      {other.command}"


def _render_why(steps: Sequence[Step], width: int) -> str:
    blocks = ["How this was worked out:"]
    for step in steps:
        lines = [f"{step.formula}", f"= {step.numbers}", f"= {step.result}"]
        lines += [f"({step.source})"] if step.source else []
        body = "\n".join(_wrap(line, width, "      ", "        ") for line in lines)
        blocks.append(f"  {step.name}\n{body}")
    return "\n".join(blocks)
