"""What vLLM is told: read here by us, and once by vLLM's own parser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curc_llm.engine.arguments import NO_DOMAIN, render_arguments, render_command
from curc_llm.spec import DEMO_MODEL_DIR, EngineSpec
from tests.tracing import without_coverage

SOCKET = Path("/run/engine-0.sock")
EVERYTHING: dict[str, Any] = {
    "max_num_seqs": 16,
    "gpu_memory_utilization": 0.9,
    "dtype": "bfloat16",
    "quantization": "fp8",
    "kv_cache_dtype": "fp8",
    "tensor_parallel_size": 2,
    "tool_call_parser": "hermes",
    "reasoning_parser": "qwen3",
    "chat_template": "/t.jinja",
    "trust_remote_code": True,
    "enforce_eager": True,
}


def render(
    device: Any = "cuda", *, context: int | None = 2048, drain_s: float = 0, **fields: Any
) -> list[str]:
    spec = EngineSpec(**{"served_model_name": "m", "model": "/models/m", "is_local": True, **fields})
    return render_arguments(
        spec, socket=SOCKET, device=device, model_path="/models/m", max_model_len=context, drain_s=drain_s
    )


def option(arguments: list[str], flag: str) -> str | None:
    return arguments[arguments.index(flag) + 1] if flag in arguments else None


CASES = {
    "plain": render(),
    "everything": render(**EVERYTHING),
    "cpu": render("cpu", gpu_memory_utilization=0.9),
    "embeddings": render(runner="pooling"),
    "drained": render(drain_s=20),
    "dash": render(served_model_name="-odd-name"),
    "no context": render(context=None),
}


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """All cases as vLLM's own parser understands them, in one process: importing vLLM takes seconds."""
    program = tmp_path_factory.mktemp("parser") / "parse.py"
    program.write_text(PARSE)
    done = subprocess.run(
        [sys.executable, str(program)],
        input=json.dumps(CASES),
        text=True,
        capture_output=True,
        env=without_coverage(os.environ),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answer


PARSE = """
import json, sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
cases = json.load(sys.stdin)
print(json.dumps({name: vars(parser.parse_args(case)) for name, case in cases.items()}, default=str))
"""


@pytest.mark.slow
def test_vllm_understands_every_argument(parsed: dict[str, dict[str, Any]]) -> None:
    plain, everything = parsed["plain"], parsed["everything"]
    assert (plain["model"], plain["served_model_name"], plain["uds"]) == ("/models/m", ["m"], str(SOCKET))
    assert (plain["max_model_len"], plain["allowed_media_domains"]) == (2048, [NO_DOMAIN])
    assert (plain["disable_uvicorn_access_log"], plain["disable_fastapi_docs"]) == (True, True)
    assert plain["quantization"] is None
    assert {name: everything[name] for name in EVERYTHING} == EVERYTHING
    assert everything["enable_auto_tool_choice"] is True


@pytest.mark.slow
def test_vllm_understands_the_less_common_cases(parsed: dict[str, dict[str, Any]]) -> None:
    assert (parsed["embeddings"]["runner"], parsed["embeddings"]["convert"]) == ("pooling", "embed")
    assert parsed["cpu"]["distributed_executor_backend"] == "uni"
    assert parsed["cpu"]["gpu_memory_utilization"] != 0.9
    assert parsed["drained"]["shutdown_timeout"] == 20
    assert parsed["dash"]["served_model_name"] == ["-odd-name"]
    assert parsed["no context"]["max_model_len"] is None


def test_what_is_empty_is_left_to_vllm() -> None:
    flags = {argument for argument in render(context=None) if argument.startswith("--")}
    assert flags == {
        *("--model", "--served-model-name", "--allowed-media-domains", "--uds"),
        *("--disable-uvicorn-access-log", "--disable-fastapi-docs", "--scheduling-policy"),
    }


def test_media_are_never_fetched_from_anywhere() -> None:
    assert option(render(), "--allowed-media-domains") == NO_DOMAIN
    assert NO_DOMAIN.endswith(".invalid")


def test_tools_are_chosen_only_with_a_parser() -> None:
    assert "--enable-auto-tool-choice" not in render()
    assert "--enable-auto-tool-choice" in render(tool_call_parser="hermes")


def test_one_worker_on_a_cpu_lives_in_the_engines_own_process() -> None:
    assert option(render("cpu"), "--distributed-executor-backend") == "uni"
    assert option(render("cpu", tensor_parallel_size=2), "--distributed-executor-backend") is None
    assert option(render("cuda"), "--distributed-executor-backend") is None


def test_the_revision_is_told_only_of_a_model_that_vllm_itself_fetches() -> None:
    fields: dict[str, Any] = {
        "served_model_name": "m",
        "model": "acme/m",
        "is_local": False,
        "revision": "v1",
    }
    spec = EngineSpec(**fields)
    more: dict[str, Any] = {"socket": SOCKET, "device": "cuda", "max_model_len": None}
    assert option(render_arguments(spec, model_path="acme/m", **more), "--revision") == "v1"
    assert option(render_arguments(spec, model_path="/cache/snapshots/abc", **more), "--revision") is None


def test_no_key_is_ever_an_argument() -> None:
    assert not [argument for argument in render(**EVERYTHING) if "key" in argument or "token" in argument]


def test_the_command_is_the_launcher_run_by_the_engines_python() -> None:
    command = render_command("/venv/bin/python", ["--model", "/m"])
    assert command[0] == "/venv/bin/python"
    assert Path(command[1]).name == "launcher.py"
    assert Path(command[1]).is_file()
    assert command[2:] == ["--model", "/m"]


def test_the_bundled_toy_writes_json_without_blanks_and_other_models_as_vllm_chooses() -> None:
    flags = {
        model: render_arguments(
            EngineSpec(served_model_name="m", model=model, is_local=True),
            socket=Path("/s"),
            device="cpu",
            model_path=model,
            max_model_len=None,
        )
        for model in (str(DEMO_MODEL_DIR), "/models/m")
    }
    config = flags[str(DEMO_MODEL_DIR)][flags[str(DEMO_MODEL_DIR)].index("--structured-outputs-config") + 1]
    assert json.loads(config)["disable_any_whitespace"] is True
    assert "--structured-outputs-config" not in flags["/models/m"]
