"""What vLLM's published start-up logs say, against the planner's arithmetic (data/calibration.yml)."""

from __future__ import annotations

import statistics

import pytest

from curc_llm.plan.kv_cache import KvCache, in_flight_tokens, make_kv_cache
from tests.plan.published import GIB, LogEntry, cards, read_logs

SOURCES, LOGS = read_logs()
# A prediction above the log means that the planner promised memory that vLLM didn't have.
TOO_MUCH_GIB = 0.6
SHARE = 0.02


def logs_of(what: str) -> list[LogEntry]:
    return [entry for entry in LOGS if what in entry.compare]


def names(entry: LogEntry) -> str:
    return entry.id


def make_cache(entry: LogEntry) -> tuple[KvCache, int]:
    """How the cache is divided, and the tokens in flight."""
    card = cards()[entry.card or "a100-80gb-sxm"]
    arch = entry.find_model().architecture
    cache = make_kv_cache(arch, card, entry.tensor_parallel_size, entry.kv_cache_dtype)
    return cache, in_flight_tokens(entry.make_wish(card).max_num_batched_tokens, 1, card)


def concurrency_of(entry: LogEntry) -> float:
    """Requests of max_model_len tokens in the KV memory that the log states."""
    assert entry.kv_cache_gib is not None
    cache, flight = make_cache(entry)
    blocks = int(entry.kv_cache_gib * GIB // cache.block_bytes())
    return blocks / cache.blocks_per_request(entry.max_model_len, flight)


def longest_of(entry: LogEntry) -> int:
    """The longest request that the KV memory of the log holds."""
    assert entry.kv_cache_gib is not None
    cache, flight = make_cache(entry)
    blocks = int(entry.kv_cache_gib * GIB // cache.block_bytes())
    low, high = 0, entry.max_model_len
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if cache.blocks_per_request(middle, flight) <= blocks else (low, middle - 1)
        )
    return low


@pytest.mark.parametrize("entry", LOGS, ids=names)
def test_each_log_has_a_source(entry: LogEntry) -> None:
    assert SOURCES[entry.source].url.startswith("http")


@pytest.mark.parametrize("entry", [entry for entry in LOGS if entry.weights_gib and entry.card], ids=names)
def test_weights_on_a_gpu_are_as_the_log_says(entry: LogEntry) -> None:
    assert entry.plan().split.weights_gib == pytest.approx(entry.weights_gib, rel=0.03)


@pytest.mark.parametrize("entry", logs_of("memory"), ids=names)
def test_no_more_room_for_the_cache_is_promised_than_vllm_had(entry: LogEntry) -> None:
    assert entry.kv_cache_gib is not None
    assert entry.predict_kv_gib() <= entry.kv_cache_gib + TOO_MUCH_GIB


def test_the_predicted_room_for_the_cache_is_near_the_logs() -> None:
    errors = [entry.predict_kv_gib() - (entry.kv_cache_gib or 0.0) for entry in logs_of("memory")]
    mean = statistics.mean(errors)
    spread = statistics.mean(abs(error) for error in errors)
    print(f"\n{len(errors)} logs: KV cache {mean:+.2f} GiB off on average, {spread:.2f} GiB either way")
    assert len(errors) >= 10
    assert spread < 1.0


@pytest.mark.parametrize("entry", logs_of("tokens"), ids=names)
def test_the_stated_memory_holds_as_many_tokens_as_vllm_says(entry: LogEntry) -> None:
    tokens = concurrency_of(entry) * entry.max_model_len
    assert tokens == pytest.approx(entry.kv_cache_tokens, rel=SHARE)


@pytest.mark.parametrize("entry", logs_of("concurrency"), ids=names)
def test_the_stated_memory_holds_as_many_requests_as_vllm_says(entry: LogEntry) -> None:
    assert concurrency_of(entry) == pytest.approx(entry.max_concurrency, rel=SHARE)


@pytest.mark.parametrize("entry", logs_of("one_request"), ids=names)
def test_one_request_needs_as_much_as_vllm_says(entry: LogEntry) -> None:
    cache, flight = make_cache(entry)
    needed_gib = cache.block_bytes() * cache.blocks_per_request(entry.max_model_len, flight) / GIB
    assert needed_gib == pytest.approx(entry.one_request_gib, rel=SHARE)


@pytest.mark.parametrize("entry", logs_of("longest"), ids=names)
def test_the_longest_context_is_the_one_that_vllm_suggests(entry: LogEntry) -> None:
    assert longest_of(entry) == pytest.approx(entry.longest_context_tokens, rel=SHARE)
