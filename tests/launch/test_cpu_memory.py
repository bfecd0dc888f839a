"""Engines without a GPU share the machine's memory; more than it holds are refused before any starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from curc_llm.engine.machine import choose_cpu_kv_cache_gib, read_memory_gib
from curc_llm.errors import ModelDoesNotFitError
from curc_llm.launch.cpu_memory import check_memory
from curc_llm.spec import DEMO_MODEL_DIR, EngineSpec
from tests.e2e.conftest import CLI, Person

TWO_GIB = {"VLLM_CPU_KVCACHE_SPACE": "2"}


def make_engines(count: int, model: str = "/models/m") -> list[EngineSpec]:
    return [EngineSpec(served_model_name="m", model=model, is_local=True) for _ in range(count)]


def test_what_fits_passes_and_one_more_is_refused_with_the_number_that_fits() -> None:
    check_memory(make_engines(4), [3.0] * 4, 24.0, TWO_GIB)
    with pytest.raises(ModelDoesNotFitError) as caught:
        check_memory(make_engines(5), [3.0] * 5, 24.0, TWO_GIB)
    assert caught.value.message.startswith("5 engines need about 30 GiB of memory")
    assert caught.value.message.endswith("this machine has 24 GiB.")
    assert caught.value.remedy == "Use fewer --replicas or models: 4 of these engines fit."


def test_one_engine_is_left_to_the_planner() -> None:
    check_memory(make_engines(1), [3.0], 1.0, TWO_GIB)


def test_the_bundled_model_needs_little() -> None:
    check_memory(make_engines(10, str(DEMO_MODEL_DIR)), [0.0] * 10, 20.0, {})


def test_engines_share_a_quarter_of_the_memory() -> None:
    one, three = choose_cpu_kv_cache_gib(), choose_cpu_kv_cache_gib(num_engines=3)
    assert 1 <= three <= one
    assert three == 1 or 3 * three <= read_memory_gib() / 4
    assert choose_cpu_kv_cache_gib(num_engines=10**6) == 1


@pytest.mark.slow
def test_serve_refuses_it_before_anything_starts(tmp_path: Path) -> None:
    environ = Person(tmp_path).environment | {"VLLM_CPU_KVCACHE_SPACE": "10000"}
    words = ("serve", "demo", "--replicas", "2", "--device", "cpu", "--detach")
    done = subprocess.run([*CLI, *words], env=environ, capture_output=True, text=True)
    assert done.returncode == 3
    assert "2 engines need about 20,002 GiB of memory" in done.stderr
    assert "Not even one fits" in done.stderr
    assert not list(tmp_path.rglob("session.json"))
