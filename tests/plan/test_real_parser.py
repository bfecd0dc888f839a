"""Command lines of every kind that the planner writes are taken by vLLM's own parser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curc_llm.engine.arguments import render_arguments
from curc_llm.plan.facts import Facts, load_facts
from curc_llm.plan.flags import render_flags
from curc_llm.plan.plan import Plan
from curc_llm.plan.planner import make_plan
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings, load_settings
from curc_llm.spec import EngineSpec, make_engine_spec, place_engine
from tests.plan.presets_page import list_lines, list_plans
from tests.plan.shipped import facts_of
from tests.plan.shipped import plan as plan_at
from tests.tracing import without_coverage

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SITES = ("alpine", "capella")
COUNTS = (None, 1, 2, 3, 4, 8)
# The engine derives these from its other fields.
DERIVED = {"convert", "enable_auto_tool_choice"}
ENGINE = {"uds", "allowed_media_domains", "shutdown_timeout", "distributed_executor_backend"}

# Answers, for each case, what vLLM made of the values; the process ends at the first that it refuses.
PARSE = """
import json, sys
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
wrong = []
for case in json.load(sys.stdin):
    try:
        args = parser.parse_args(case["arguments"])
        validate_parsed_serve_args(args)
        AsyncEngineArgs.from_cli_args(args)
        found = {name: getattr(args, name) for name in case["values"]}
        if found != case["values"]:
            wrong.append(f"{case['arguments']}: {found} instead of {case['values']}")
        if args.tool_call_parser and args.tool_call_parser not in ToolParserManager.list_registered():
            wrong.append(f"no tool parser {args.tool_call_parser}: {case['arguments']}")
        if args.reasoning_parser and args.reasoning_parser not in ReasoningParserManager.list_registered():
            wrong.append(f"no reasoning parser {args.reasoning_parser}: {case['arguments']}")
    except SystemExit:
        wrong.append(f"refused: {case['arguments']}")
    except Exception as error:
        wrong.append(f"{type(error).__name__}: {error}: {case['arguments']}")
print(json.dumps(wrong))
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(environ={"HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture(scope="module")
def plans(settings: Settings) -> list[Plan]:
    """Plans of every model on every GPU type in several counts, and of every preset, at both sites."""
    found = [plan for site in SITES for plan in _plan_all(load_facts(settings, site)) if plan.fits]
    unique = {json.dumps([plan.site, plan.preset, plan.hub_id, plan.vllm_fields]): plan for plan in found}
    return list(unique.values())


def describe_kind(plan: Plan) -> str:
    """What a plan has in common with those that differ in numbers alone: a parser takes one as another."""
    fields = {name: value if type(value) in {bool, str} else "…" for name, value in plan.vllm_fields.items()}
    return json.dumps([plan.hub_id, fields])


def _plan_all(facts: Facts) -> Iterator[Plan]:
    gpu_types = {gpu: name for name, part in facts.site.partitions.items() for gpu in part.gpu_types}
    for model in facts.models:
        for gpu_type, partition in gpu_types.items():
            for count in COUNTS:
                request = PlanRequest(model=model, gpu_type=gpu_type, partition=partition, num_gpus=count)
                yield make_plan(request, facts)
        for preset in facts.presets.presets:
            yield make_plan(PlanRequest(model=model, preset=preset, seed=7), facts)
        yield make_plan(PlanRequest(model=model, quantisation="online-fp8"), facts)
        yield make_plan(PlanRequest(model=model, kv_cache_dtype="fp8"), facts)
    for embed in (name for name, model in facts.models.items() if model.uses[0] == "embeddings"):
        pair = make_plan(PlanRequest(model="qwen3-8b", embed=embed, num_gpus=1), facts)
        yield from (pair, *pair.beside)


def ask_vllm(cases: list[dict[str, Any]]) -> list[str]:
    """What vLLM refuses or understands otherwise."""
    done = subprocess.run(
        [sys.executable, "-c", PARSE],
        input=json.dumps(cases),
        text=True,
        capture_output=True,
        env=without_coverage(os.environ),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    wrong: list[str] = json.loads(done.stdout.splitlines()[-1])
    return wrong


def make_spec(settings: Settings, plan: Plan) -> EngineSpec:
    return place_engine(make_engine_spec(settings, plan.model, plan=plan, device="cuda"), plan)


def render_engine(spec: EngineSpec) -> list[str]:
    more: dict[str, Any] = {"socket": Path("/run/e.sock"), "device": "cuda", "model_path": spec.model}
    return render_arguments(spec, max_model_len=spec.max_model_len, drain_s=20, **more)


def test_vllm_takes_planned_command_lines_of_every_kind_and_understands_them(
    plans: list[Plan], settings: Settings
) -> None:
    cases = []
    for plan in {describe_kind(plan): plan for plan in plans}.values():
        values = {"model": plan.folder or plan.hub_id, **plan.vllm_fields}
        cases.append({"arguments": render_flags(values), "values": values})
        spec = make_spec(settings, plan)
        planned = {k: v for k, v in plan.vllm_fields.items() if k != "trust_remote_code"}
        cases.append({"arguments": render_engine(spec), "values": planned})
    cases += [{"arguments": line, "values": {}} for line in list_more_lines()]
    assert len(cases) > 500
    assert ask_vllm(cases) == []


def list_more_lines() -> list[list[str]]:
    """Those of the page of presets; and whole copies and experts over two nodes, of which it has none."""
    presets = facts_of("alpine").presets.presets
    made = [found for preset in presets for found, _ in list_plans(preset)]
    models = ("qwen3-30b-a3b-instruct-2507", "llama-3.1-8b-instruct")
    copies = [plan_at(model, "capella", num_gpus=8, preset="high-throughput") for model in models]
    return [line for found in (*made, *copies) for line in list_lines(found)]


def test_lines_of_all_kinds_of_topologies_are_among_them() -> None:
    used = {part for line in list_more_lines() for part in line}
    assert used >= {"--nnodes", "--headless", "--pipeline-parallel-size", "--enforce-eager"}
    assert used >= {"--data-parallel-size-local", "--data-parallel-start-rank", "--enable-expert-parallel"}


def test_layouts_and_presets_of_all_kinds_were_among_them(plans: list[Plan]) -> None:
    assert {plan.site for plan in plans} == set(SITES)
    assert {plan.tensor_parallel_size for plan in plans} >= {1, 2, 4}
    assert max(plan.pipeline_parallel_size or 1 for plan in plans) > 1
    assert max(plan.data_parallel_size or 1 for plan in plans) > 1
    assert any(plan.quantisation == "online-fp8" for plan in plans)
    assert any(plan.vllm_fields.get("runner") == "pooling" for plan in plans)
    assert any("kv_cache_memory_bytes" in plan.vllm_fields for plan in plans)


def test_every_preset_is_planned_on_both_sites(plans: list[Plan], settings: Settings) -> None:
    presets = load_facts(settings, "alpine").presets.presets
    for site in SITES:
        assert {plan.preset for plan in plans if plan.site == site} >= set(presets)


def test_an_engine_knows_every_setting_that_the_planner_uses(plans: list[Plan]) -> None:
    used = {name for plan in plans for name in plan.vllm_fields}
    assert used - DERIVED <= set(EngineSpec.model_fields)


def test_the_parser_refuses_what_is_wrong() -> None:
    bad = [
        {"arguments": ["--model", "m", "--no-such-flag", "1"], "values": {}},
        {"arguments": ["--model", "m", "--max-model-len", "many"], "values": {}},
        {"arguments": ["--model", "m", "--reasoning-parser", "nobody"], "values": {}},
        {"arguments": ["--model", "m", "--enable-auto-tool-choice"], "values": {}},
        {"arguments": ["--model", "m", "--seed", "3"], "values": {"seed": 4}},
    ]
    assert len(ask_vllm(bad)) == len(bad)


def test_vllm_knows_every_kind_of_kv_cache_that_can_be_asked_for() -> None:
    from typing import get_args

    from curc_llm.settings import KvCacheDtype

    code = (
        "from typing import get_args; from vllm.config.cache import CacheDType; print(*get_args(CacheDType))"
    )
    own = without_coverage(os.environ)
    known = subprocess.run([sys.executable, "-c", code], env=own, capture_output=True, text=True, check=True)
    assert set(get_args(KvCacheDtype)) <= set(known.stdout.split())
