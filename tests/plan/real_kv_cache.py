"""Asks the installed vLLM how it divides the KV cache of models, without weights.

Reads cases as JSON from standard input and writes an answer for each to standard output: the model is built
on torch's meta device from its config.json, its layers' own get_kv_cache_spec is asked, and vLLM's own
get_kv_cache_configs and get_kv_cache_capacity divide the memory. One process for all cases, since the imports
take ten seconds.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")

import torch
from vllm.config import VllmConfig, set_current_vllm_config
from vllm.distributed import init_distributed_environment, initialize_model_parallel
from vllm.engine.arg_utils import EngineArgs
from vllm.model_executor.layers.attention_layer_base import AttentionLayerBase
from vllm.model_executor.model_loader.utils import initialize_model
from vllm.model_executor.models.utils import extract_layer_index
from vllm.platforms import current_platform
from vllm.v1.core.kv_cache_utils import (
    _estimate_max_model_len_from_groups,
    _pool_bytes_per_block,
    get_kv_cache_capacity,
    get_kv_cache_configs,
)


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """What vLLM says of one case: tokens and requests that fit, and the longest context."""
    arguments = EngineArgs(**case["engine_args"], skip_tokenizer_init=True, enforce_eager=True)
    config = arguments.create_engine_config()
    config.scheduler_config.async_scheduling = case["async_scheduling"]
    specs = find_specs(config)
    config.cache_config.kv_cache_layout = "LBNHC"  # what CUDA's backends have by default
    config.model_config.original_max_model_len = case["engine_args"]["max_model_len"]
    stages = deal(specs, case["stage_layers"])
    found = get_kv_cache_configs(config, stages, [case["memory_bytes"]] * len(stages))
    tokens, concurrency = get_kv_cache_capacity(config, found[0])
    return {
        "tokens": tokens,
        "concurrency": concurrency,
        "longest": min(find_longest(config, one.kv_cache_groups, case["memory_bytes"]) for one in found),
        "kinds": sorted({type(spec).__name__ for spec in specs.values()}),
    }


def find_specs(config: Any) -> dict[str, Any]:
    """What each layer says of its cache."""
    with set_current_vllm_config(config), torch.device("meta"):
        initialize_model(config)
    current_platform.update_block_size_for_backend(config)
    with set_current_vllm_config(config):
        return {
            name: spec
            for name, layer in config.compilation_config.static_forward_context.items()
            if isinstance(layer, AttentionLayerBase)
            and not getattr(
                layer, "kv_sharing_target_layer_name", None
            )  # as the model runner leaves them out
            and (spec := layer.get_kv_cache_spec(config))
        }


def deal(specs: dict[str, Any], stage_layers: list[int]) -> list[dict[str, Any]]:
    """The layers of each pipeline stage."""
    if not stage_layers:
        return [specs]
    ends = [sum(stage_layers[: stage + 1]) for stage in range(len(stage_layers))]
    stages: list[dict[str, Any]] = [{} for _ in ends]
    for name, spec in specs.items():
        stage = next(place for place, end in enumerate(ends) if extract_layer_index(name) < end)
        stages[stage][name] = spec
    return stages


def find_longest(config: Any, groups: list[Any], memory_bytes: int) -> int:
    """The longest context that vLLM would suggest, up to max_model_len."""
    usable = memory_bytes - _pool_bytes_per_block(config, groups)
    return _estimate_max_model_len_from_groups(config, groups, usable)


def main() -> None:
    """One answer per case; an exception is an answer too."""
    with set_current_vllm_config(VllmConfig()):
        init_distributed_environment(1, 0, "tcp://127.0.0.1:0", 0, "gloo")
        initialize_model_parallel(1, 1)
    answers = {}
    for case in json.load(sys.stdin):
        try:
            answers[case["name"]] = answer(case)
        except Exception:  # noqa: BLE001 - whatever vLLM raises is told
            answers[case["name"]] = {"error": traceback.format_exc()}
    sys.stdout.write("\nANSWERS " + json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
