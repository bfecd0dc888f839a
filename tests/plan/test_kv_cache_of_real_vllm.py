"""How the KV cache is divided, against vLLM itself.

Two ways. Its own functions for the configurations of real models (without weights, so they may be of any
size), and real engines of tiny models with dummy weights, whose log is compared with the planner's numbers.
On a processor the KV space is given: this tests the division by kind of attention, not the memory split.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from curc_llm.catalogue.architecture import Architecture, AttentionGroup
from curc_llm.catalogue.load import load_shipped
from curc_llm.plan.kv_cache import in_flight_tokens, make_kv_cache
from curc_llm.plan.layout import stage_layers
from curc_llm.sites.card import Card
from tests.plan.by_hand import A100, CPU, LLAMA_8B, full, sliding
from tests.tracing import without_coverage

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
]

HERE = Path(__file__).parent
CONFIGS = HERE.parent / "catalogue" / "configs"
DEMO = Path(__file__).parents[2] / "src" / "curc_llm" / "data" / "demo_model"
GIB = 2**30
MEMORY = 40 * GIB
ENVIRONMENT = without_coverage(os.environ) | {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
BATCHED = 512
# What a GPU has by default, too. Left alone, vLLM takes float32 for the states of Gated DeltaNet on a
# processor with AVX-512 BF16, and bfloat16 on any other (vllm/platforms/cpu.py).
STATE_DTYPE = "bfloat16"
# The longest context is looked for in steps.
STEP = 997
# Text parts of models with images, whose own classes need packages that the tests leave out.
TEXT = {
    "gemma3": ("Gemma3ForCausalLM", "gemma3_text"),
    "gemma4": ("Gemma4ForCausalLM", "gemma4_text"),
    "llama4": ("Llama4ForCausalLM", "llama4_text"),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A model of the catalogue; with `like_gpu` vLLM's blocks and scheduling are those of a GPU."""

    model: str
    like_gpu: bool = False
    stages: int = 1
    max_model_len: int = 20000
    kv_cache_dtype: str = "auto"

    @property
    def name(self) -> str:
        words = [self.model, "gpu" if self.like_gpu else "cpu", f"pp{self.stages}", self.kv_cache_dtype]
        return "-".join(words)


CASES = (
    Case("llama-3.1-8b-instruct"),
    Case("llama-3.1-8b-instruct", like_gpu=True),
    Case("llama-3.1-70b-instruct", like_gpu=True, stages=3),
    Case("qwen3-32b", like_gpu=True, kv_cache_dtype="fp8"),
    Case("gemma-3-27b-it"),
    Case("gemma-3-27b-it", stages=2),
    Case("gemma-4-31b-it"),
    Case("gpt-oss-20b"),
    Case("deepseek-v3"),
    Case("deepseek-v3", like_gpu=True),
    Case("llama-4-scout"),
    Case("qwen3-next-80b-a3b-instruct"),
    Case("qwen3-next-80b-a3b-instruct", like_gpu=True),
    Case("nemotron-nano-9b-v2"),
)


def architecture(case: Case) -> Architecture:
    return load_shipped().models[case.model].architecture


def is_latent(case: Case) -> bool:
    return any(group.kind == "mla" for group in architecture(case).attention)


def write_config(case: Case, folder: Path) -> Path:
    config = json.loads((CONFIGS / f"{case.model}.json").read_text())
    if "text_config" in config:
        class_name, model_type = TEXT[config["model_type"]]
        config = {**config["text_config"], "architectures": [class_name], "model_type": model_type}
    config.pop("quantization_config", None)
    place = folder / case.name
    place.mkdir()
    (place / "config.json").write_text(json.dumps(config))
    return place


def ask(case: Case, folder: Path) -> dict[str, Any]:
    """The case as real_kv_cache.py takes it."""
    blocks: dict[str, Any] = {"block_size": 64 if is_latent(case) else 16} if case.like_gpu else {}
    if case.model.startswith("qwen3-next"):
        blocks["mamba_ssm_cache_dtype"] = STATE_DTYPE
    stages = stage_layers(architecture(case).num_layers, case.stages) if case.stages > 1 else ()
    return {
        "name": case.name,
        "memory_bytes": MEMORY,
        "async_scheduling": case.like_gpu,
        "stage_layers": stages,
        "engine_args": {
            "model": str(write_config(case, folder)),
            "max_model_len": case.max_model_len,
            "max_num_batched_tokens": BATCHED,
            "max_num_seqs": 64,
            "dtype": "bfloat16",
            "kv_cache_dtype": case.kv_cache_dtype,
            "enable_prefix_caching": True,
            **blocks,
        },
    }


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What vLLM says of all cases."""
    folder = tmp_path_factory.mktemp("configs")
    asked = json.dumps([ask(case, folder) for case in CASES])
    done = subprocess.run(
        [sys.executable, str(HERE / "real_kv_cache.py")],
        input=asked,
        text=True,
        capture_output=True,
        timeout=900,
        env=ENVIRONMENT,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWERS ")]
    assert lines, done.stderr[-3000:]
    found: dict[str, dict[str, Any]] = json.loads(lines[0].removeprefix("ANSWERS "))
    return found


def predict(arch: Architecture, card: Card, case: Case) -> tuple[float, int]:
    """Requests at once, and the longest context, in MEMORY by our arithmetic."""
    cache = make_kv_cache(arch, card, 1, case.kv_cache_dtype)
    flight = in_flight_tokens(BATCHED, 1, card)
    sizes = stage_layers(arch.num_layers, case.stages)
    blocks = min(MEMORY // cache.block_bytes(size) for size in sizes)
    fitting = [
        tokens
        for tokens in (case.max_model_len, *range(1, case.max_model_len, STEP))
        if cache.blocks_per_request(tokens, flight) <= blocks - 1
    ]
    return blocks / cache.blocks_per_request(case.max_model_len, flight), max(fitting, default=0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_real_model_is_divided_as_vllm_divides_it(case: Case, answers: dict[str, dict[str, Any]]) -> None:
    told = answers[case.name]
    assert "error" not in told, told
    concurrency, longest = predict(architecture(case), A100 if case.like_gpu else CPU, case)
    assert concurrency == pytest.approx(told["concurrency"], rel=2e-3)
    assert longest <= told["longest"] < longest + STEP


def test_all_kinds_of_attention_were_asked(answers: dict[str, dict[str, Any]]) -> None:
    kinds = {kind for told in answers.values() for kind in told["kinds"]}
    assert kinds == {
        "FullAttentionSpec",
        "SlidingWindowSpec",
        "ChunkedLocalAttentionSpec",
        "MLAAttentionSpec",
        "MambaSpec",
    }


# --- real engines ----------------------------------------------------------------------------------------

COMMON = {
    "vocab_size": 2048,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "dtype": "bfloat16",
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_attention_heads": 4,
    "hidden_act": "silu",
}
GEMMA: dict[str, Any] = {
    **COMMON,
    "architectures": ["Gemma3ForCausalLM"],
    "model_type": "gemma3_text",
    "num_hidden_layers": 8,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "sliding_window": 512,
    "query_pre_attn_scalar": 64,
    "layer_types": (["sliding_attention"] * 3 + ["full_attention"]) * 2,
}
DEEPSEEK: dict[str, Any] = {
    **COMMON,
    "architectures": ["DeepseekV2ForCausalLM"],
    "model_type": "deepseek_v2",
    "moe_intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_key_value_heads": 4,
    "kv_lora_rank": 512,
    "q_lora_rank": None,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
    "topk_method": "greedy",
    "moe_layer_freq": 1,
    "scoring_func": "softmax",
    "norm_topk_prob": False,
    "routed_scaling_factor": 1.0,
    "rope_theta": 10000.0,
}
DELTA_NET: dict[str, Any] = {
    **COMMON,
    "architectures": ["Qwen3NextForCausalLM"],
    "model_type": "qwen3_next",
    "moe_intermediate_size": 64,
    "shared_expert_intermediate_size": 64,
    "num_hidden_layers": 8,
    "full_attention_interval": 4,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 64,
    "linear_value_head_dim": 64,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}
# A state: convolution (4 - 1) x (2 x 2 x 64 + 4 x 64) and recurrence 4 x 64 x 64, two bytes each.
STATE_BYTES = 2 * (3 * 512 + 4 * 64 * 64)
LENGTH = 4096


def tiny(class_name: str, *groups: AttentionGroup) -> Architecture:
    layers = sum(group.num_layers for group in groups)
    return LLAMA_8B.model_copy(update={"class_name": class_name, "num_layers": layers, "attention": groups})


ENGINES: dict[str, tuple[dict[str, Any] | None, Architecture]] = {
    "grouped heads": (None, tiny("LlamaForCausalLM", full(4, 2, 32))),
    "sliding windows": (GEMMA, tiny("Gemma3ForCausalLM", full(2, 1, 64), sliding(6, 1, 64, 512))),
    "latent": (
        DEEPSEEK,
        tiny("DeepseekV2ForCausalLM", AttentionGroup(kind="mla", num_layers=3, latent_dim=576)),
    ),
    "states": (
        DELTA_NET,
        tiny(
            "Qwen3NextForCausalLM",
            full(2, 1, 64),
            AttentionGroup(kind="linear", num_layers=6, state_bytes=STATE_BYTES),
        ),
    ),
}
START = """
from vllm import LLM
if __name__ == "__main__":
    LLM(model={model!r}, load_format="dummy", enforce_eager=True, max_model_len={length},
        max_num_batched_tokens={batched}, max_num_seqs=8, mamba_ssm_cache_dtype={state_dtype!r})
"""


def read_log(kind: str, folder: Path) -> str:
    """What an engine of that kind writes while it starts, with 1 GiB of KV space."""
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(DEMO / name, folder)
    config, _ = ENGINES[kind]
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    script = folder / "start.py"
    script.write_text(
        START.format(model=str(folder), length=LENGTH, batched=BATCHED, state_dtype=STATE_DTYPE)
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=900,
        # In one process: what a second one imports takes as long as the engine itself.
        env=ENVIRONMENT | {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"},
        check=False,
    )
    return done.stdout


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The logs of one engine of each kind, two at a time."""
    folder = tmp_path_factory.mktemp("engines")
    with ThreadPoolExecutor(2) as pool:
        running = {kind: pool.submit(read_log, kind, folder / kind.replace(" ", "-")) for kind in ENGINES}
        return {kind: future.result() for kind, future in running.items()}


@pytest.mark.parametrize("kind", ENGINES)
def test_a_real_engine_logs_the_tokens_and_requests_that_were_planned(
    kind: str, logs: dict[str, str]
) -> None:
    pattern = r"KV cache size: ([\d,]+) tokens, Maximum concurrency for [\d,]+ tokens per request: ([\d.]+)x"
    told = re.search(pattern, logs[kind])
    assert told, logs[kind][-3000:]
    cache = make_kv_cache(ENGINES[kind][1], CPU)
    requests = (GIB // cache.block_bytes()) / cache.blocks_per_request(
        LENGTH, in_flight_tokens(BATCHED, 1, CPU)
    )
    assert int(requests * LENGTH) == int(told[1].replace(",", ""))
    assert f"{requests:.2f}" == told[2]
