from __future__ import annotations

from collections.abc import Iterator

import pytest

from curc_llm.client import Session, connect
from curc_llm.client.metrics import Latency, Metrics, make_metrics
from curc_llm.client.samples import find_quantile, parse_samples
from curc_llm.errors import ApiError
from tests.fakes.fake_session import FakeSession

INF = float("inf")


def render_histogram(name: str, model: str, counts: dict[str, int]) -> Iterator[str]:
    for bound, count in counts.items():
        yield f'{name}_bucket{{le="{bound}",model="{model}"}} {count}.0'


def make_exposition(scale: int = 1) -> str:
    lines = [
        "# HELP curc_llm_requests_total Requests answered.",
        f'curc_llm_requests_total{{route="chat",model="a",status="200"}} {10 * scale}.0',
        f'curc_llm_requests_total{{route="chat",model="b",status="200"}} {5 * scale}.0',
        f'curc_llm_prompt_tokens_total{{model="a"}} {100 * scale}.0',
        f'curc_llm_completion_tokens_total{{model="a"}} {200 * scale}.0',
        f'curc_llm_completion_tokens_total{{model="b"}} {50 * scale}.0',
        'vllm:num_requests_waiting{engine="0",model_name="a"} 3.0',
        'vllm:num_requests_waiting{engine="0",model_name="b"} 1.0',
        'vllm:kv_cache_usage_perc{engine="0",model_name="a"} 0.25',
        'vllm:kv_cache_usage_perc{engine="0",model_name="b"} 0.5',
        "curc_llm_gpu_memory_used_bytes 1.073741824e+010",
        "curc_llm_gpu_memory_total_bytes 85899345920",
        *render_histogram(
            "curc_llm_first_token_seconds", "a", {"0.1": 0, "0.2": 10 * scale, "+Inf": 10 * scale}
        ),
        *render_histogram(
            "curc_llm_request_seconds", "a", {"1": 5 * scale, "2": 10 * scale, "+Inf": 10 * scale}
        ),
        *render_histogram("curc_llm_request_seconds", "b", {"1": 0, "2": 0, "+Inf": 5 * scale}),
    ]
    return "\n".join(lines) + "\n"


STATUS = {"gateway": {"running": 4, "tokens_per_s": 87.5}}


def test_all_figures_are_read_from_status_and_metrics(fake: FakeSession, session: Session) -> None:
    fake.exposition, fake.figures = make_exposition(), STATUS["gateway"]
    metrics = session.metrics()
    assert (metrics.running, metrics.waiting, metrics.requests) == (4, 4, 15)
    assert (metrics.tokens_per_s, metrics.prompt_tokens, metrics.completion_tokens) == (87.5, 100, 250)
    assert metrics.kv_cache_usage == 0.5
    assert (metrics.gpu_memory_used_bytes, metrics.gpu_memory_total_bytes) == (10 * 2**30, 80 * 2**30)
    assert metrics.first_token.count == 10
    assert metrics.first_token.p50_s == pytest.approx(0.15)
    assert metrics.request.p99_s == 2.0


def test_one_models_figures_can_be_picked() -> None:
    metrics = make_metrics(STATUS, make_exposition(), model="a", now=1.0)
    assert (metrics.requests, metrics.completion_tokens, metrics.waiting) == (10, 200, 3)
    assert metrics.kv_cache_usage == 0.25
    assert metrics.request.count == 10
    assert metrics.gpu_memory_total_bytes == 80 * 2**30


def test_what_an_older_session_does_not_tell_is_none(fake: FakeSession, session: Session) -> None:
    fake.exposition = None
    metrics = session.metrics()
    assert metrics.waiting is metrics.kv_cache_usage is metrics.gpu_memory_used_bytes is None
    assert metrics.first_token == Latency()
    assert metrics.running == 0


def test_what_happened_between_two_looks() -> None:
    before = make_metrics(STATUS, make_exposition(1), now=100.0)
    after = make_metrics(STATUS, make_exposition(3), now=110.0)
    between = after.since(before)
    assert (between.requests, between.prompt_tokens, between.completion_tokens) == (30, 200, 500)
    assert between.tokens_per_s == 50.0
    assert between.request.count == 30
    assert between.running == 4
    assert before.since(before).first_token == Latency()


def test_a_gateway_that_started_again_counts_from_zero() -> None:
    before = make_metrics(STATUS, make_exposition(3), now=100.0)
    after = make_metrics(STATUS, make_exposition(1), now=110.0)
    assert after.since(before).requests == 15
    assert after.since(before).request.count == 15


@pytest.mark.slow
def test_a_session_that_does_not_answer_is_told(fake: FakeSession) -> None:
    with connect(fake.url) as session:
        fake.hang_up()
        with pytest.raises(ApiError, match="Nothing answers"):
            session.metrics()


def test_a_key_that_is_refused_is_told(fake: FakeSession) -> None:
    with connect(fake.url, api_key="curc-wrong") as session, pytest.raises(ApiError, match="HTTP 401"):
        session.metrics()


def test_metrics_can_be_shown_without_a_wall_of_buckets() -> None:
    assert "buckets" not in repr(make_metrics(STATUS, make_exposition()))
    assert isinstance(Metrics(1.0), Metrics)


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        ([(1.0, 0), (2.0, 10), (INF, 10)], 0.5, 1.5),
        ([(1.0, 10), (2.0, 10), (INF, 10)], 0.5, 0.5),
        ([(1.0, 5), (2.0, 10), (INF, 10)], 0.5, 1.0),
        ([(1.0, 0), (2.0, 0), (INF, 10)], 0.5, 2.0),
        ([(1.0, 0), (INF, 0)], 0.5, None),
        ([], 0.5, None),
        ([(INF, 10), (2.0, 10), (1.0, 0)], 0.1, 1.1),
    ],
)
def test_percentiles_are_estimated_as_prometheus_does(
    buckets: list[tuple[float, float]], share: float, value: float | None
) -> None:
    assert find_quantile(buckets, share) == (pytest.approx(value) if value is not None else None)


def test_samples_of_all_shapes_are_read() -> None:
    text = (
        "# TYPE a counter\na 1\nc NaN\nd +Inf\n\nnot a sample\ne{x=1} 3\ng x\n"
        'b{x="1",y="two words, with \\"quotes\\" and } brace\\n"} 2.5e3 1700000000\n'
        'f{model_name="org/m"} 1\n'
    )
    found = {sample.name: sample for sample in parse_samples(text)}
    assert found["a"].value == 1
    assert found["b"].labels == {"x": "1", "y": 'two words, with "quotes" and } brace\n'}
    assert found["b"].value == 2500
    assert found["d"].value == INF
    assert found["f"].model == "org/m"
    assert found["a"].model is None
    assert "g" not in found


def test_it_agrees_with_what_prometheus_own_library_writes() -> None:
    from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

    registry = CollectorRegistry()
    Counter("curc_llm_completion_tokens", "x", ["model"], registry=registry).labels('a "b"\n\\c').inc(7)
    times = Histogram("curc_llm_request_seconds", "x", ["model"], registry=registry, buckets=(1, 2, INF))
    for time_s in (0.5, 1.5, 1.5, 1.5):
        times.labels("a").observe(time_s)
    text = generate_latest(registry).decode()
    assert make_metrics({}, text, model='a "b"\n\\c').completion_tokens == 7
    assert make_metrics({}, text).request.count == 4
    assert make_metrics({}, text).request.p50_s == pytest.approx(1 + 1 / 3)
