"""What vLLM is told on its command line. Pure: a spec in, a list of arguments out, no secret among them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from curc_llm.spec import EngineSpec

# `vllm serve` needs a distribution named `vllm`, which the CPU build isn't; the module works with both.
SERVER_MODULE = "vllm.entrypoints.openai.api_server"
LAUNCHER = Path(__file__).with_name("launcher.py")
# A name that no host can have (RFC 2606): media must come with the request; vLLM fetches nothing.
NO_DOMAIN = "media-urls-are-off.invalid"


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
) -> list[str]:
    """The arguments of `python -m vllm.entrypoints.openai.api_server` for one engine.

    Args:
        spec: the model and how it is served.
        socket: unix socket that vLLM listens on; its folder must be closed to others.
        device: `cuda` or `cpu`.
        model_path: folder with the model (after a download: the snapshot's folder), or a hub id.
        max_model_len: context in tokens, already no more than the model's limit; None leaves it to vLLM.
        drain_s: seconds that running requests get once vLLM is told to end.

    Example:
        >>> spec = EngineSpec(served_model_name="m", model="/m", is_local=True)
        >>> socket = Path("/run/e.sock")
        >>> render_arguments(spec, socket=socket, device="cpu", model_path="/m", max_model_len=2048)[:4]
        ['--model', '/m', '--served-model-name', 'm']
    """
    return [
        *_model(spec, model_path, max_model_len),
        *_memory(spec, device),
        *_answers(spec),
        *_server(socket, drain_s),
    ]


def _model(spec: EngineSpec, model_path: str, max_model_len: int | None) -> list[str]:
    from_hub = model_path == spec.model and not spec.is_local
    return [
        *_option("--model", model_path),
        *_option("--served-model-name", spec.served_model_name),
        *_option("--revision", spec.revision if from_hub else None),
        *_option("--max-model-len", max_model_len),
        *_option("--dtype", spec.dtype),
        # Left out, vLLM reads the quantisation from the model itself, which is nearly always right.
        *_option("--quantization", spec.quantization),
        *_switch("--trust-remote-code", spec.trust_remote_code),
        *(["--runner", "pooling", "--convert", "embed"] if spec.runner == "pooling" else []),
    ]


def _memory(spec: EngineSpec, device: Literal["cuda", "cpu"]) -> list[str]:
    # On CPUs the share would be one of the whole machine's memory.
    share = spec.gpu_memory_utilization if device == "cuda" else None
    is_single = (spec.tensor_parallel_size or 1) == 1
    return [
        *_option("--gpu-memory-utilization", share),
        *_option("--max-num-seqs", spec.max_num_seqs),
        *_option("--tensor-parallel-size", spec.tensor_parallel_size),
        *_option("--kv-cache-dtype", spec.kv_cache_dtype),
        *_switch("--enforce-eager", spec.enforce_eager),
        # A worker process of its own is one more Python that imports vLLM (a third of the start) and one more
        # hop for each token. Only with VLLM_ENABLE_V1_MULTIPROCESSING=0 does vLLM do without it.
        *_option("--distributed-executor-backend", "uni" if device == "cpu" and is_single else None),
    ]


def _answers(spec: EngineSpec) -> list[str]:
    return [
        # vLLM refuses automatic tool choice without a parser, so the two go together.
        *_option("--tool-call-parser", spec.tool_call_parser),
        *_switch("--enable-auto-tool-choice", spec.tool_call_parser is not None),
        *_option("--reasoning-parser", spec.reasoning_parser),
        *_option("--chat-template", spec.chat_template),
        # A caller could otherwise make vLLM fetch any address that this node reaches (SSRF).
        *_option("--allowed-media-domains", NO_DOMAIN),
    ]


def _server(socket: Path, drain_s: float) -> list[str]:
    return [
        *_option("--uds", str(socket)),
        # Requests are the gateway's to log; vLLM's lines would only grow the log that phases are read from.
        "--disable-uvicorn-access-log",
        "--disable-fastapi-docs",
        # 0 is vLLM's default: end at once.
        *_option("--shutdown-timeout", round(drain_s) or None),
    ]


def _option(flag: str, value: str | float | None) -> list[str]:
    if value is None:
        return []
    text = str(value)
    # A value that begins with a dash would be taken for the next flag.
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def _switch(flag: str, wanted: bool) -> list[str]:
    return [flag] if wanted else []
