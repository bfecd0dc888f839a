"""Requests at once where nobody said how many: as vLLM would choose, so that the gateway knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from curc_llm.engine.gpu_facts import GpuFacts
from curc_llm.engine.slots import choose_num_seqs
from curc_llm.spec import EngineSpec
from tests.tracing import without_coverage

ENGINE = EngineSpec(served_model_name="m", model="/m", is_local=True)
ASK_VLLM = """
import json
from vllm.engine.arg_utils import EngineArgs
from vllm.usage.usage_lib import UsageContext
print(json.dumps([EngineArgs.get_batch_defaults(n)[1][UsageContext.OPENAI_API_SERVER] for n in (1, 2)]))
"""


@pytest.mark.parametrize(
    ("name", "memory_gib", "slots"),
    [
        ("NVIDIA L40", 45.0, 256),
        ("NVIDIA A100-SXM4-80GB", 80.0, 256),
        ("NVIDIA H100 80GB HBM3", 79.6, 1024),
        ("NVIDIA H200", 140.4, 1024),
        ("NVIDIA B200", 178.0, 1024),
    ],
)
def test_the_gpu_decides_as_in_vllm(name: str, memory_gib: float, slots: int) -> None:
    assert choose_num_seqs(ENGINE, "cuda", (GpuFacts(name, memory_gib, memory_gib),)) == slots


def test_what_was_asked_for_counts() -> None:
    asked = ENGINE.model_copy(update={"max_num_seqs": 7})
    assert choose_num_seqs(asked, "cuda", (GpuFacts("NVIDIA H200", 140.4, 140.0),)) == 7


def test_fewer_tokens_in_a_batch_are_fewer_requests() -> None:
    small = ENGINE.model_copy(update={"max_num_batched_tokens": 64})
    assert choose_num_seqs(small, "cpu", ()) == 64
    assert choose_num_seqs(small, "cuda", ()) is None


def test_where_no_gpu_can_be_seen_it_is_left_to_vllm() -> None:
    assert choose_num_seqs(ENGINE, "cuda", ()) is None


@pytest.mark.engine
@pytest.mark.slow
def test_without_a_gpu_it_is_what_real_vllm_says() -> None:
    asked = subprocess.run(
        [sys.executable, "-c", ASK_VLLM], capture_output=True, text=True, check=True, timeout=300,
        env=without_coverage(os.environ),
    )  # fmt: skip
    two = ENGINE.model_copy(update={"tensor_parallel_size": 2})
    ours = [choose_num_seqs(engine, "cpu", ()) for engine in (ENGINE, two)]
    assert json.loads(asked.stdout.splitlines()[-1]) == ours
