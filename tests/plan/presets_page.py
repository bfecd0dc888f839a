"""Writes docs/presets.md: `python -m tests.plan.presets_page`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from curc_llm.engine.arguments import render_arguments
from curc_llm.engine.network import make_network_arguments
from curc_llm.engine.topology import Meeting, make_ranks
from curc_llm.plan.facts import Facts
from curc_llm.plan.flags import render_flags
from curc_llm.plan.offer import Offer
from curc_llm.plan.plan import Plan
from curc_llm.plan.planner import make_plan
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import load_settings
from curc_llm.spec import EngineSpec, make_engine_spec, place_engine
from tests.plan.flag_reasons import explain_flag
from tests.plan.shipped import facts_of

PAGE = Path(__file__).parents[2] / "docs" / "presets.md"
SITES = ("alpine", "capella")
MEETING = Meeting("FIRST_NODE", 29501)
HEAD = """# Presets on hardware

*Written by `python -m tests.plan.presets_page` from `presets.yml`, the catalogue and the site files;
don't edit it here.*

For each preset of the form and of `curc-llm plan --preset`: every GPU type of the shipped sites that can
serve it, with the planner's figures; then the whole command line that vLLM gets there; then the reason for
each flag. vLLM's own parser takes every one of these lines (a test asks it). **None of this hardware was run
by us**: the figures are the planner's ([how it works](how-the-arithmetic-works.md), [what it was held
against](published-deployments.md)). Over several nodes vLLM's CPU build was run on two (tensor and data
parallel), not the CUDA build; pipelines were only parsed.

*Spread*: tensor x pipeline x data parallel. *Memory*: of the fullest GPU, weights + KV cache + work, of what
it has. *Requests*: of full length at once that the KV cache holds. *Speed*: tokens/s for one request.
**Bold**: what the planner recommends at that site. SESSION is the session's private folder, FIRST_NODE the
address of the job's first node.
"""
COLUMNS = (
    "GPUs", "weights", "spread", "context", "memory (GiB)", "requests", "speed", "ready after", "an hour"
)  # fmt: skip
TABLE = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"
WIDTH = 110


def write_page() -> str:
    """The page's text."""
    presets = facts_of(SITES[0]).presets.presets
    return "\n".join([HEAD, *(line for name in presets for line in _preset(name)), ""])


def list_plans(preset: str) -> list[tuple[Plan, bool]]:
    """Every fitting plan of a preset, one for each GPU type of the sites, and whether it is recommended."""
    return [found for site in SITES for found in _plans_at(facts_of(site), preset)]


def list_lines(plan: Plan) -> list[list[str]]:
    """vLLM's whole command line, on each node of the job."""
    engine = make_spec(plan)
    arguments = render_arguments(
        engine,
        socket=Path("SESSION/engine-0.sock"),
        device="cuda",
        model_path=engine.model,
        max_model_len=engine.max_model_len,
        drain_s=20,
    )
    site = facts_of(plan.site).site
    arguments += make_network_arguments(site.network_of(plan.partition))
    ranks = make_ranks(engine, plan.num_nodes or 1, MEETING)
    return [[*arguments, *render_flags(rank.fields)] for rank in ranks]


def make_spec(plan: Plan) -> EngineSpec:
    """The engine of a plan, with nobody's own settings."""
    settings = load_settings(environ={"HOME": "/nobody"})
    return place_engine(make_engine_spec(settings, plan.model, plan=plan, device="cuda"), plan)


def _plans_at(facts: Facts, preset: str) -> Iterator[tuple[Plan, bool]]:
    model = facts.presets.presets[preset].model
    best = make_plan(PlanRequest(model=model, preset=preset), facts)
    for offer in facts.offers:
        plan = _plan_on(offer, facts, model, preset)
        if plan.fits:
            is_best = (best.partition, best.gpu_type, best.num_gpus) == (
                plan.partition, plan.gpu_type, plan.num_gpus
            )  # fmt: skip
            yield plan, is_best


def _plan_on(offer: Offer, facts: Facts, model: str, preset: str) -> Plan:
    request = PlanRequest(model=model, preset=preset, gpu_type=offer.gpu_name, partition=offer.partition_name)
    return make_plan(request, facts)


def _preset(name: str) -> Iterator[str]:
    preset = facts_of(SITES[0]).presets.presets[name]
    plans = list_plans(name)
    yield f"## {preset.title}\n"
    yield f"`{name}`: {preset.description} Model: {plans[0][0].title}. Source: {_source(name)}.\n"
    yield TABLE
    yield from (_row(plan, is_best) for plan, is_best in plans)
    yield "\n### Command lines\n"
    yield from _commands([plan for plan, _ in plans])
    yield f"\n### Why ({preset.title})\n"
    yield "| flag | value | reason |\n|---|---|---|"
    yield from _reasons(name, plans)
    yield ""


def _source(name: str) -> str:
    presets = facts_of(SITES[0]).presets
    source = presets.sources[presets.presets[name].source]
    return f"[{source.title}]({source.url}), {source.date}"


def _row(plan: Plan, is_best: bool) -> str:
    split, facts = plan.memory, facts_of(plan.site)
    assert split is not None
    gpus = f"{plan.num_gpus} x {plan.gpu_type} ({_place(plan)})"
    used = f"{split.weights_gib:.1f} + {split.kv_cache_gib:.1f} + "
    work = split.activations_gib + split.cuda_graphs_gib + split.runtime_gib
    cells = [
        f"**{gpus}**" if is_best else gpus,
        plan.quantisation,
        f"{plan.tensor_parallel_size} x {plan.pipeline_parallel_size} x {plan.data_parallel_size}",
        f"{plan.max_model_len:,}",
        f"{used}{work:.1f} of {split.memory_gib:.1f}",
        f"{int(plan.max_concurrency or 0):,}",
        f"{plan.decode_tokens_per_s:,.0f}" if plan.decode_tokens_per_s else "",
        f"{(plan.load_time_s or 0) / 60:.0f} min",
        f"{plan.su_per_h:,.1f} {facts.site.billing.unit}",
    ]
    return f"| {' | '.join(cells)} |"


def _place(plan: Plan) -> str:
    nodes = f", {plan.num_nodes} nodes" if (plan.num_nodes or 1) > 1 else ""
    return f"{plan.site} {plan.partition}{nodes}"


def _commands(plans: list[Plan]) -> Iterator[str]:
    """Each different command line once, with the GPUs that it is for."""
    by_text: dict[str, list[str]] = {}
    for plan in plans:
        name = f"{plan.num_gpus} x {plan.gpu_type} ({_place(plan)})"
        by_text.setdefault("\n".join(_command(plan)), []).append(name)
    for text, names in by_text.items():
        yield f"{', '.join(names)}:\n\n{text}\n"


def _command(plan: Plan) -> Iterator[str]:
    """For a job of one node; of several the first node's, and how the others differ."""
    lines = list_lines(plan)
    yield f"```bash\n{_fold(lines[0])}\n```"
    for number, line in enumerate(lines[1:], start=2):
        mine = {flag: value for flag, value in _split(line) if (flag, value) not in _split(lines[0])}
        others = " ".join(f"{flag} {value}".strip() for flag, value in mine.items())
        yield f"\nNode {number} the same, but: `{others}`"


def _fold(arguments: list[str]) -> str:
    """A shell command in lines of at most WIDTH."""
    lines = ["vllm serve"]
    for flag, value in _split(arguments):
        part = f"{flag} {shlex.quote(value)}" if value else flag
        if len(lines[-1]) + len(part) > WIDTH - 4:
            lines.append(" ")
        lines[-1] += f" {part}"
    return " \\\n".join(lines)


def _reasons(name: str, plans: list[tuple[Plan, bool]]) -> Iterator[str]:
    """Each flag of any of the lines, once, with its values and the reason for it."""
    values: dict[str, list[str]] = {}
    for plan, _ in plans:
        for line in list_lines(plan):
            for flag, value in _split(line):
                seen = values.setdefault(flag, [])
                seen += [value] if value not in seen else []
    preset = facts_of(SITES[0]).presets.presets[name]
    for flag, seen in values.items():
        shown = ", ".join(f"`{value}`" for value in seen if value)
        yield f"| `{flag}` | {shown} | {explain_flag(flag, preset)} |"


def _split(arguments: list[str]) -> Iterator[tuple[str, str]]:
    for place, part in enumerate(arguments):
        if part.startswith("--"):
            following = arguments[place + 1] if place + 1 < len(arguments) else "--"
            yield part, "" if following.startswith("--") else following


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
