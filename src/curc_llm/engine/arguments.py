"""What vLLM is told on its command line. Pure: a spec in, a list of arguments out, no secret among them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from curc_llm.plan.flags import Value, render_flags
from curc_llm.spec import DEMO_MODEL_DIR, EngineSpec, choose_lora_rank
from curc_llm.spec.adapter import MOST_AT_ONCE

# `vllm serve` needs a distribution named `vllm`, which the CPU build isn't; the module works with both.
SERVER_MODULE = "vllm.entrypoints.openai.api_server"
Fields = dict[str, Value]
LAUNCHER = Path(__file__).with_name("launcher.py")
# A name that no host can have (RFC 2606): media must come with the request; vLLM fetches nothing.
NO_DOMAIN = "media-urls-are-off.invalid"
# JSON allows blanks between its parts, and the bundled toy, asked for JSON, writes blanks for ever. Only
# named backends can forbid them (vllm/config/structured_outputs.py); other models keep vLLM's own choice.
COMPACT_JSON = '{"backend": "xgrammar", "disable_any_whitespace": true}'


def render_command(engine_python: str, arguments: Sequence[str]) -> list[str]:
    """The command that starts vLLM with these arguments; see `launcher.py` for what it saves.

    Example:
        >>> render_command("/venv/bin/python", ["--model", "/m"])[2:]
        ['--model', '/m']
    """
    return [engine_python, str(LAUNCHER), *arguments]


def render_arguments(
    spec: EngineSpec,
    *,
    socket: Path,
    device: Literal["cuda", "cpu"],
    model_path: str,
    max_model_len: int | None,
    drain_s: float = 0.0,
    adapter_paths: Mapping[str, Path] | None = None,
) -> list[str]:
    """The arguments of `python -m vllm.entrypoints.openai.api_server` for one engine.

    Args:
        spec: the model and how it is served.
        socket: unix socket that vLLM listens on; its folder must be closed to others.
        device: `cuda` or `cpu`.
        model_path: folder with the model (after a download: the snapshot's folder), or a hub id.
        max_model_len: context in tokens, already no more than the model's limit; None leaves it to vLLM.
        drain_s: seconds that running requests get once vLLM is told to end.
        adapter_paths: folders of the adapters that are loaded at the start, by name.

    Example:
        >>> spec = EngineSpec(served_model_name="m", model="/m", is_local=True)
        >>> socket = Path("/run/e.sock")
        >>> render_arguments(spec, socket=socket, device="cpu", model_path="/m", max_model_len=2048)[:4]
        ['--model', '/m', '--served-model-name', 'm']
    """
    return render_flags(
        {
            **_model(spec, model_path, max_model_len),
            **_memory(spec, device),
            **_spread(spec, device),
            **_answers(spec),
            **_lora(spec),
            **_server(socket, drain_s),
        }
    ) + _lora_modules(spec, adapter_paths or {})


def _model(spec: EngineSpec, model_path: str, max_model_len: int | None) -> Fields:
    from_hub = model_path == spec.model and not spec.is_local
    is_pooling = spec.runner == "pooling"
    return {
        "model": model_path,
        "served_model_name": spec.served_model_name,
        "revision": spec.revision if from_hub else None,
        "max_model_len": max_model_len,
        "dtype": spec.dtype,
        # Left out, vLLM reads the quantisation from the model itself, which is nearly always right.
        "quantization": spec.quantization,
        "trust_remote_code": spec.trust_remote_code,
        "runner": "pooling" if is_pooling else None,
        "convert": "embed" if is_pooling else None,
        "seed": spec.seed,
    }


def _memory(spec: EngineSpec, device: Literal["cuda", "cpu"]) -> Fields:
    return {
        # On CPUs the share would be one of the whole machine's memory.
        "gpu_memory_utilization": spec.gpu_memory_utilization if device == "cuda" else None,
        "kv_cache_memory_bytes": spec.kv_cache_memory_bytes if device == "cuda" else None,
        "max_num_seqs": spec.max_num_seqs,
        "max_num_batched_tokens": spec.max_num_batched_tokens,
        "kv_cache_dtype": spec.kv_cache_dtype,
        "enforce_eager": spec.enforce_eager,
        # The gateway tells with each request whether somebody waits for it (gateway/priority.py).
        "scheduling_policy": "priority",
    }


def _spread(spec: EngineSpec, device: Literal["cuda", "cpu"]) -> Fields:
    """How the model is spread over GPUs."""
    sizes = (spec.tensor_parallel_size, spec.pipeline_parallel_size, spec.data_parallel_size)
    is_single = all((size or 1) == 1 for size in sizes)
    return {
        "tensor_parallel_size": spec.tensor_parallel_size,
        "pipeline_parallel_size": spec.pipeline_parallel_size,
        "data_parallel_size": spec.data_parallel_size,
        "enable_expert_parallel": spec.enable_expert_parallel,
        # A worker process of its own is one more Python that imports vLLM (a third of the start) and one more
        # hop for each token. Only with VLLM_ENABLE_V1_MULTIPROCESSING=0 does vLLM do without it.
        "distributed_executor_backend": "uni" if device == "cpu" and is_single else None,
    }


def _answers(spec: EngineSpec) -> Fields:
    return {
        # vLLM refuses automatic tool choice without a parser, so the two go together.
        "tool_call_parser": spec.tool_call_parser,
        "enable_auto_tool_choice": spec.tool_call_parser is not None,
        "reasoning_parser": spec.reasoning_parser,
        "structured_outputs_config": COMPACT_JSON if spec.model == str(DEMO_MODEL_DIR) else None,
        "chat_template": spec.chat_template,
        # A caller could otherwise make vLLM fetch any address that this node reaches (SSRF).
        "allowed_media_domains": NO_DOMAIN,
    }


def _lora(spec: EngineSpec) -> Fields:
    return {"enable_lora": True, **choose_lora_limits(spec)} if spec.has_lora else {}


def choose_lora_limits(spec: EngineSpec) -> dict[str, int]:
    """How many adapters a batch may use and how large their ranks may be, by vLLM's names.

    Args:
        spec: an engine with LoRA.

    Raises:
        AdapterError: an adapter's rank is larger than vLLM takes.

    Example:
        >>> choose_lora_limits(EngineSpec(served_model_name="m", model="/m", is_local=True, max_loras=2))
        {'max_loras': 2, 'max_lora_rank': 16}
    """
    ranks = tuple(adapter.rank for adapter in spec.adapters if adapter.rank)
    return {
        "max_loras": spec.max_loras or min(len(spec.adapters), MOST_AT_ONCE),
        "max_lora_rank": choose_lora_rank(ranks, spec.max_lora_rank),
    }


def _lora_modules(spec: EngineSpec, paths: Mapping[str, Path]) -> list[str]:
    """One flag with an object for each: so `/v1/models` names the base, and a path may hold anything."""
    told = [
        json.dumps({"name": name, "path": str(path), "base_model_name": spec.served_model_name})
        for name, path in paths.items()
    ]
    return ["--lora-modules", *told] if told else []


def _server(socket: Path, drain_s: float) -> Fields:
    return {
        "uds": str(socket),
        # Requests are the gateway's to log; vLLM's lines would only grow the log that phases are read from.
        "disable_uvicorn_access_log": True,
        "disable_fastapi_docs": True,
        # 0 is vLLM's default: end at once.
        "shutdown_timeout": round(drain_s) or None,
    }
