"""How far one gateway reaches: 1, 10, 100 and 1,000 replicas behind it, by arithmetic and simulation.

PYTHONPATH=src python benchmarks/scale_on_paper.py      # a minute; nothing is started

Measured: CPU per token and per request of our gateway (results/gateway.json), and the time that its own code
needs to choose a replica, run here. What it assumes is in `Assumptions`.
"""

from __future__ import annotations

import heapq
import json
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from curc_llm.gateway.routing import Load, Prefixes, choose
from curc_llm.gateway.work import measure_work

RESULTS = Path(__file__).parent / "results"
COUNTS = (1, 10, 100, 1000)


@dataclass(frozen=True)
class Assumptions:
    """What isn't measured.

    Args:
        tokens_per_s: of one replica under load; a 7B to 8B model on one A100 or H100 writes 1,000 to 12,500.
        slots: requests that a replica works on at once.
        answer_tokens: mean length of an answer; lengths are spread exponentially.
        prompt_characters: of a request.
        utilisation: of the replicas.
        busy: the same while it is simulated how long requests wait for a slot.
        busiest: share of its core that a gateway may use before its own queue is felt (M/D/1: at 0.7 a
            request waits 1.2 times its own service time).
    """

    tokens_per_s: float = 2500
    slots: int = 64
    answer_tokens: int = 300
    prompt_characters: int = 6000
    utilisation: float = 0.8
    busy: float = 0.95
    busiest: float = 0.7


@dataclass(frozen=True)
class Costs:
    """What a gateway's core spends, in seconds.

    Args:
        token: on each token of a stream.
        request: on each request, apart from its tokens and the choice of a replica.
    """

    token: float
    request: float


def read_costs(path: Path = RESULTS / "gateway.json") -> Costs:
    """The medians of the published benchmark: 100 streams of 200 tokens/s, and whole answers."""
    rows = [row for row in json.loads(path.read_text())["rows"]["fake"] if row["server"] == "curc-llm"]
    scenarios = ("paced-100x200", "json-100")
    each = {s: [row["cpu_s"] / row["events"] for row in rows if row["scenario"] == s] for s in scenarios}
    return Costs(median(each["paced-100x200"]), median(each["json-100"]))


def measure_choice_s(count: int, given: Assumptions, tries: int = 300) -> float:
    """Seconds that our own code needs to choose among so many replicas: marks, look-up, choice."""
    source, prefixes = random.Random(1), Prefixes()
    loads = [Load(tokens=source.randrange(20_000)) for _ in range(count)]
    bodies = [
        {"model": "m", "messages": [{"role": "user", "content": f"{i} " + "x" * given.prompt_characters}]}
        for i in range(tries)
    ]
    began = time.process_time()
    for body in bodies:
        work = measure_work(body, 0, with_marks=True)
        matched = prefixes.match(work.marks, {load.epoch for load in loads})
        chosen = choose([(load, load) for load in loads], matched, work.prompt_tokens)
        prefixes.note(work.marks, chosen.epoch)
    return (time.process_time() - began) / tries


def simulate_wait_s(count: int, given: Assumptions, policy: str, requests: int = 20_000) -> float:
    """Mean seconds that requests wait for a slot: Poisson arrivals, each replica a row of slots.

    Args:
        count: replicas.
        given: the load.
        policy: `least` (outstanding tokens, as ours), `turns` (round-robin) or `random`.
        requests: how many; the first tenth isn't counted.
    """
    source = random.Random(7)
    slot_tokens_per_s = given.tokens_per_s / given.slots
    per_s = count * given.tokens_per_s * given.busy / given.answer_tokens
    free_at = [[0.0] * given.slots for _ in range(count)]  # a heap for each replica
    loads, ends = [Load() for _ in range(count)], []
    now, waits = 0.0, []
    for number in range(max(requests, count * 60)):
        now += source.expovariate(per_s)
        while ends and ends[0][0] <= now:
            _, place, done = heapq.heappop(ends)
            loads[place].tokens -= done
        place = {
            "least": lambda: min(range(count), key=lambda i: loads[i].tokens),
            "turns": lambda n=number: n % count,
            "random": lambda: source.randrange(count),
        }[policy]()
        tokens = max(1, int(source.expovariate(1 / given.answer_tokens)))
        begins = max(now, heapq.heappop(free_at[place]))
        ended = begins + tokens / slot_tokens_per_s
        heapq.heappush(free_at[place], ended)
        # The router doesn't know an answer's length before: it counts the mean.
        loads[place].tokens += given.answer_tokens
        heapq.heappush(ends, (ended, place, given.answer_tokens))
        waits.append(begins - now)
    return mean(waits[len(waits) // 10 :])


def render() -> str:
    """The table, with what it rests on."""
    given, costs = Assumptions(), read_costs()
    lines = [
        "| replicas | tokens/s | requests/s | open streams | choice of one | gateway's core | so |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for count in COUNTS:
        tokens = count * given.tokens_per_s * given.utilisation
        requests, choice_s = tokens / given.answer_tokens, measure_choice_s(count, given)
        cores = tokens * costs.token + requests * (costs.request + choice_s)
        needed = math.ceil(cores / given.busiest)
        verdict = "one gateway" if needed == 1 else f"beyond one: {needed} of them"
        streams = count * given.slots * given.utilisation
        lines.append(
            f"| {count:,} | {tokens:,.0f} | {requests:,.1f} | {streams:,.0f} | {choice_s * 1e6:,.0f} µs"
            f" | {cores:.0%} | {verdict} |"
        )
    share = given.tokens_per_s * given.utilisation * (costs.token + costs.request / given.answer_tokens)
    lines += ["", f"One gateway saturates at about {given.busiest / share:.0f} such replicas"]
    lines[-1] += f" ({given.busiest / share * given.tokens_per_s * given.utilisation:,.0f} tokens/s)."
    lines += ["", "Mean wait for a slot with the replicas 95 % busy, simulated, in s:", ""]
    lines += ["| replicas | least outstanding (ours) | round-robin | random |", "| --- | --- | --- | --- |"]
    for count in COUNTS[1:]:
        waits = [simulate_wait_s(count, given, policy) for policy in ("least", "turns", "random")]
        lines.append(f"| {count:,} | " + " | ".join(f"{wait:.3f}" for wait in waits) + " |")
    about = (
        f"Measured: {costs.token * 1e6:.0f} µs of CPU a token and {costs.request * 1e3:.2f} ms a request"
        f" (results/gateway.json); the choice of a replica, timed here. Assumed: {given}."
    )
    return "# Scale on paper\n\n" + about + "\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = render()
    (RESULTS / "scale_on_paper.md").write_text(text)
    print(text)
