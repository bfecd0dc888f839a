"""`curc-llm plan`."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from curc_llm.cli.options import check_site, load, verb_options
from curc_llm.cli.output import Output
from curc_llm.cli.wall_time import WallTime
from curc_llm.plan.request import MOST_REPLICAS, MOST_SEED
from curc_llm.settings import KvCacheDtype

if TYPE_CHECKING:
    from curc_llm.plan.plan import Plan
    from curc_llm.plan.request import PlanRequest
    from curc_llm.settings import ModelSettings, Settings

REFUSED = 3
COUNT = click.IntRange(min=1)
Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--embed", metavar="MODEL", help="An embedding model to serve beside it in the same job."),
    click.option("--gpu", "gpu_type", metavar="TYPE", help="GPU type, as `curc-llm gpus` lists them."),
    click.option("--num-gpus", type=COUNT, help="GPUs of the whole launch; with --replicas, of each."),
    click.option("--num-nodes", type=COUNT, help="Nodes."),
    click.option(
        "--replicas",
        type=click.IntRange(1, MOST_REPLICAS),
        help="Engines of the model on one node, each with its own GPUs, behind one name.",
    ),
    click.option("--hours", type=WallTime(), help="Wall time: hours, or as Slurm writes it (04:00:00)."),
    click.option("--max-model-len", type=click.IntRange(min=16), help="Context in tokens."),
    click.option("--max-num-seqs", type=COUNT, help="Requests that run at once."),
    click.option("--preset", help="A goal, such as low-latency or long-context."),
    click.option("--quantisation", "--quantization", help="Weights: bf16, fp8, awq-int4, online-fp8 …"),
    click.option("--partition", help="Slurm partition."),
    click.option("--qos", help="Slurm quality of service."),
    click.option("--account", help="Slurm account."),
    click.option("--tensor-parallel-size", type=COUNT, help="GPUs that share each layer."),
    click.option("--pipeline-parallel-size", type=COUNT, help="Groups of GPUs with a run of layers each."),
    click.option("--data-parallel-size", type=COUNT, help="Copies of the model."),
    click.option(
        "--distributed-executor-backend",
        type=click.Choice(["mp", "ray"]),
        help="Over several nodes: vLLM's own processes, or Ray.",
    ),
    click.option(
        "--gpu-memory-utilization",
        type=click.FloatRange(0, 1, min_open=True),
        help="Share of each GPU's memory that vLLM may use.",
    ),
    click.option("--kv-cache-dtype", type=click.Choice(get_args(KvCacheDtype)), help="vLLM's own."),
    click.option("--cpus-per-task", type=COUNT, help="Cores of each node."),
    click.option("--seed", type=click.IntRange(0, MOST_SEED), help="vLLM's own."),
)


def request_options(function: Function) -> Function:
    """Adds what a plan may be asked for."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command()
@click.argument("model", required=False)
@request_options
@click.option(
    "--site", metavar="NAME|FILE", callback=check_site, help="Another site than the one in your settings."
)
@click.option("--why", is_flag=True, help="Show every formula with its numbers.")
@verb_options
def plan(
    model: str | None, site: str | None, why: bool, config: Path | None, as_json: bool, **asked: Any
) -> None:
    """Work out what a launch needs, costs and gives, or why it can't work and what can.

    MODEL is a name that `curc-llm models` lists, a Hugging Face id, a folder, or an entry of your settings.
    What you leave out is chosen for you. Nothing is launched. Exit status 3 means that it can't work.

    \b
    Examples:
      curc-llm plan llama-3.1-8b-instruct
      curc-llm plan llama-3.1-70b-instruct --gpu a100_80gb --num-gpus 2 --hours 8
      curc-llm plan llama-3.1-8b-instruct --embed qwen3-embedding-0.6b
      curc-llm plan --preset large --why
    """  # noqa: D301 - click wants the character
    from curc_llm.cli.plan_json import make_plan_json
    from curc_llm.cli.plan_screen import render_plan, render_unverified
    from curc_llm.launch.site_plan import find_more_models
    from curc_llm.plan.facts import load_facts
    from curc_llm.plan.planner import make_plan

    settings = load(config)
    facts = find_more_models(load_facts(settings, site), settings)
    made = make_plan(read_request(model, asked, settings), facts, with_why=why)
    made = _repeat_options(made, {"--site": site, "-c": config})
    footnote = render_unverified(made)
    Output(as_json).data(render_plan(made, facts.site), make_plan_json(made), footnote)
    if not made.fits:
        click.get_current_context().exit(REFUSED)


def _repeat_options(made: Plan, options: dict[str, object]) -> Plan:
    """The plan with commands that name the same site and settings file."""
    more = "".join(f" {name} {shlex.quote(str(value))}" for name, value in options.items() if value)
    others = tuple(a.model_copy(update={"command": a.command + more}) for a in made.alternatives)
    return made.model_copy(update={"alternatives": others})


def read_request(model: str | None, asked: dict[str, Any], settings: Settings) -> PlanRequest:
    """What was asked for: flags, then the settings entry of that name, then the settings' defaults.

    Raises:
        click.UsageError: no model was named and nothing says which is meant.
        PlanError: a value makes no sense at any site.
    """
    from curc_llm.plan.planner import make_request

    flags = {name: value for name, value in asked.items() if value is not None}
    wanted = model or (None if flags.get("preset") else settings.active_model)
    own = settings.models.get(wanted) if wanted else None
    values = {**_of_settings(settings.defaults, _WISHES), **(_of_settings(own) if own else {}), **flags}
    values["model"] = (own.model if own else None) or wanted or _preset_model(values.get("preset"))
    if (entry := settings.models.get(values.get("embed", ""))) is not None:
        values["embed"] = entry.model or values["embed"]
    return make_request(values)


# What the planner starts from anyway, and may lower: not the same as asking for it.
_WISHES = frozenset({"max_model_len", "max_num_seqs", "gpu_memory_utilization", "time_h"})
_RENAMED = {"time_h": "hours"}


def _of_settings(entry: ModelSettings, left_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    from curc_llm.plan.request import PlanRequest

    values = entry.model_dump(exclude_none=True, exclude=set(left_out))
    renamed = {_RENAMED.get(name, name): value for name, value in values.items()}
    return {name: value for name, value in renamed.items() if name in PlanRequest.model_fields}


def _preset_model(preset: str | None) -> str:
    from curc_llm.plan.presets import find_preset, load_presets

    if preset is None:
        raise click.UsageError("Name a MODEL, or a --preset that has one.")
    model = find_preset(preset, load_presets()).model
    if not model:
        raise click.UsageError(f"The preset {preset} has no model of its own: name a MODEL.")
    return model
