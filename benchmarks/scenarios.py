"""What is asked of each server: how many streams, how long, how fast."""

from __future__ import annotations

from dataclasses import dataclass

ENGINE_TOKENS = 64
# A server that can't keep up begins no request after so long; the others are done by then.
SLOW_MS = 6000


@dataclass(frozen=True)
class Scenario:
    """One load.

    Args:
        name: key in the results.
        streams: connections that are kept open, each with one request at a time.
        requests_each: requests per connection.
        events: events (tokens) of each answer.
        events_per_s: speed of each stream; 0 floods, None leaves it to a real engine.
        stagger_ms: over how long the first requests are spread.
        stop_after_ms: start no request after so long; 0 for no such end.
        is_json: ask for one JSON answer instead of a stream.
    """

    name: str
    streams: int
    requests_each: int
    events: int = 1
    events_per_s: int | None = 0
    stagger_ms: int = 0
    stop_after_ms: int = 0
    is_json: bool = False


def make_scenarios(is_quick: bool) -> list[Scenario]:
    """The loads against the fake engine; the quick ones are shorter, and leave out the floods of 1 and 10."""
    share = 1 if is_quick else 2
    floods = [Scenario("flood-100", 100, 2 * share, events=500, stop_after_ms=SLOW_MS)]
    if not is_quick:
        floods += [Scenario("flood-1", 1, 10, events=5000), Scenario("flood-10", 10, 10, events=1000)]
    return [
        *floods,
        Scenario("first-1", 1, 15 * share, events=10, events_per_s=100),
        Scenario("first-10", 10, 5 * share, events=10, events_per_s=50, stagger_ms=200),
        Scenario(
            "first-100", 100, 5 * share, events=20, events_per_s=50, stagger_ms=400, stop_after_ms=SLOW_MS
        ),
        Scenario("paced-100x50", 100, 1, events=150 * share, events_per_s=50, stagger_ms=1000),
        Scenario("paced-100x200", 100, 1, events=600 * share, events_per_s=200, stagger_ms=1000),
        Scenario("json-1", 1, 1_000_000, stop_after_ms=500 * share, is_json=True),
        Scenario("json-100", 100, 1_000_000, stop_after_ms=500 * share, is_json=True),
    ]


def make_engine_scenarios() -> list[Scenario]:
    """The loads against real vLLM."""
    return [
        Scenario(f"engine-{streams}", streams, requests, events=ENGINE_TOKENS, events_per_s=None)
        for streams, requests in ((1, 10), (10, 5), (50, 3))
    ]


WARM_UP = Scenario("warm-up", 100, 1, events=20)
ENGINE_WARM_UP = Scenario("warm-up", 10, 1, events=ENGINE_TOKENS, events_per_s=None)
