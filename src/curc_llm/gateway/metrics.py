"""Counts of requests and tokens, kept as plain numbers: on each request's way nothing dearer is done.

`exposition` turns them into Prometheus' text format when somebody asks.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from curc_llm.gateway.accesslog import Entry
from curc_llm.gateway.generation import Caretaker
from curc_llm.gateway.speed import Speedometer

# Upper bounds of the histograms' buckets in seconds: from a cached answer to a long reasoning.
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


@dataclass
class Distribution:
    """How many times lay below each of `BUCKETS_S` (the last: above all), and their sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    sum_s: float = 0.0

    def observe(self, time_s: float) -> None:
        """Adds one time."""
        self.counts[bisect_left(BUCKETS_S, time_s)] += 1
        self.sum_s += time_s


@dataclass
class Person:
    """What was used under one key's name.

    Args:
        requests: that have ended.
        prompt_tokens, completion_tokens: of those.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Metrics:
    """Counts what the gateway does.

    Args:
        caretaker: knows the generations that run.
    """

    def __init__(self, caretaker: Caretaker) -> None:
        self._caretaker = caretaker
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.prompt_tokens: Counter[str] = Counter()
        self.completion_tokens: Counter[str] = Counter()
        self.request_seconds: dict[str, Distribution] = {}
        self.first_token_seconds: dict[str, Distribution] = {}
        self.people: dict[str, Person] = {}
        self.auth_failures = 0
        self.queue_seconds: dict[str, Distribution] = {}
        self.retries: Counter[str] = Counter()
        self._speed = Speedometer()

    @property
    def running(self) -> int:
        """How many requests are under way, without those that wait for a slot."""
        return sum(one.ticket is None or one.ticket.granted is None for one in self._caretaker.active)

    def record(self, entry: Entry) -> None:
        """Counts a request that has ended."""
        model, usage = entry.model or "", entry.usage
        self.requests[entry.route, model, entry.status] += 1
        self.prompt_tokens[model] += usage.prompt_tokens or 0
        self.completion_tokens[model] += usage.completion_tokens or 0
        person = self.people.setdefault(entry.key_name, Person())
        person.requests += 1
        person.prompt_tokens += usage.prompt_tokens or 0
        person.completion_tokens += usage.completion_tokens or 0
        self.retries[model] += entry.retries
        if entry.priority:
            _observe(self.queue_seconds, entry.priority, entry.queued_s)
        _observe(self.request_seconds, model, entry.total_s)
        if entry.first_token_s is not None:
            _observe(self.first_token_seconds, model, entry.first_token_s)

    def record_failure(self) -> None:
        """Counts a failed attempt to get in."""
        self.auth_failures += 1

    def sample(self) -> None:
        """Notes the tokens that there are now; called about once a second while something runs."""
        self._speed.sample(time.monotonic(), self._total_tokens())

    def _total_tokens(self) -> int:
        running = sum(generation.num_events for generation in self._caretaker.active)
        return self.completion_tokens.total() + running

    def figures(self) -> dict[str, Any]:
        """The figures for /status."""
        total = self._total_tokens()
        return {
            "running": self.running,
            "requests": self.requests.total(),
            "tokens_generated": total,
            "tokens_per_s": self._speed.rate(time.monotonic(), total),
        }


def _observe(distributions: dict[str, Distribution], model: str, time_s: float) -> None:
    if (distribution := distributions.get(model)) is None:
        distribution = distributions[model] = Distribution()
    distribution.observe(time_s)
