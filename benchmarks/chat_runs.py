"""Runs of the chat benchmark: people who chat, API streams beside them, and both at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import IO, Any

from chat_servers import Chat
from native import run_load
from processes import end_group
from quiet import DISTURBED_CORES, Bystanders, Patience
from scenarios import Scenario

HERE = Path(__file__).parent
Row = dict[str, Any]
MAX_TRIES = 3
END_LIMIT_S = 300
# What API clients do meanwhile: as many streams as a small batch has, each as fast as a large model writes.
API_STREAMS = Scenario("api-20x100", 20, 1, events=600, events_per_s=100, stagger_ms=200)
CHATTING, ALONE = "while people chat", "alone"


@dataclass(frozen=True)
class ChatScenario:
    """What people do.

    Args:
        users: how many.
        tokens: of each answer.
        tokens_per_s: of each answer.
        name: its key in the results.
        stagger_s: over how long their first messages are spread.
        rounds: how many messages each writes, the next as soon as the answer is there; those after the first
            are counted, for by then everybody is at it.
    """

    users: int
    tokens: int
    tokens_per_s: int
    name: str
    stagger_s: float = 0.5
    rounds: int = 1

    @property
    def ideal_s(self) -> float:
        """How long an answer takes whose first token comes at once."""
        return (self.tokens - 1) / self.tokens_per_s


@contextmanager
def run_users(chat: Chat, scenario: ChatScenario) -> Iterator[IO[str]]:
    """People at a chat, in a process of their own; yields what it says."""
    command = [sys.executable, str(HERE / "chat_users.py")]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        load = replace(chat.make_load(scenario.users), stagger_s=scenario.stagger_s, rounds=scenario.rounds)
        json.dump(asdict(load), child.stdin)
        child.stdin.close()
        yield child.stdout
    finally:
        end_group(child, patience_s=2)


def measure_chat(chat: Chat, scenario: ChatScenario) -> Row:
    """People ask one question each; what they saw, and what it cost."""
    others = Bystanders()
    with run_users(chat, scenario) as said:
        *_, last = said
        result = json.loads(last)
    row = summarise_answers(result, scenario)
    return {"server": chat.name, "scenario": scenario.name, **row, "others_cores": round(others.cores(), 2)}


def summarise_answers(result: Row, scenario: ChatScenario) -> Row:
    """One row of what the users' process said."""
    answers, idle = result["answers"], result["idle"]
    well = [one for one in answers if not one["trouble"] and one["whole_s"] is not None]
    whole = [one for one in well if one["number"] > 0 or scenario.rounds == 1]
    tokens = len(well) * scenario.tokens
    return {
        "failed": len(answers) - len(well),
        "troubles": sorted({one["trouble"] for one in answers if one["trouble"]})[:3],
        "accepted_ms": quantiles([1000 * one["accepted_s"] for one in whole]),
        "first_ms": quantiles([1000 * one["first_s"] for one in whole]),
        "whole_of_ideal": quantiles([one["whole_s"] / scenario.ideal_s for one in whole]),
        "ended_of_ideal": quantiles([one["ended_s"] / scenario.ideal_s for one in whole]),
        "tokens": tokens,
        "updates": sum(one["events"] for one in well),
        "wire_bytes_per_token": round(sum(one["wire_bytes"] for one in well) / max(1, tokens), 1),
        "cpu_ms_per_token": {n: round(1000 * s / max(1, tokens), 4) for n, s in result["cpu_s"].items()},
        "idle_cores": {n: round(s / idle["elapsed_s"], 3) for n, s in idle["cpu_s"].items()},
        "cpu_s": result["cpu_s"],
        "client_cpu_s": result["client_cpu_s"],
        "elapsed_s": result["elapsed_s"],
    }


def quantiles(values: list[float]) -> dict[str, float]:
    """Median, 99th percentile (nearest rank) and largest; zeros without any."""
    ordered = sorted(values) or [0.0]
    p99 = ordered[int(0.99 * (len(ordered) - 1) + 0.5)]
    return {"p50": round(median(ordered), 4), "p99": round(p99, 4), "max": round(ordered[-1], 4)}


def measure_api(program: Path, chat: Chat, scenario: ChatScenario | None) -> Row:
    """API streams through the gateway; with a scenario, while people read its long answers."""
    others = Bystanders()
    if scenario is None:
        row = _load(program, chat)
        return {"server": ALONE, **row, "others_cores": round(others.cores(), 2)}
    with run_users(chat, scenario) as said:
        if not json.loads(said.readline() or "{}").get("chatting"):
            raise RuntimeError("The users' process ended before they read.")
        row, ended = _load(program, chat), time.time()
        chatted = json.loads(said.readline())
    if chatted["first_ended_at"] < ended:
        raise RuntimeError("Somebody's answer ended before the API streams did; make them longer.")
    row["chat"] = summarise_answers(chatted, scenario)
    return {"server": CHATTING, **row, "others_cores": round(others.cores(), 2)}


def _load(program: Path, chat: Chat) -> Row:
    target = f"tcp:{chat.gateway_port}"
    row = run_load(program, target, chat.session.key_file, API_STREAMS, chat.session.model)
    return {"scenario": API_STREAMS.name, **row}


def try_quietly(patience: Patience, measure: Any) -> Row:
    """Of a few tries the one in which others used the machine least."""
    tries: list[Row] = []
    while len(tries) < MAX_TRIES:
        patience.wait()
        tries.append(measure())
        print(tries[-1], file=sys.stderr, flush=True)
        if tries[-1]["others_cores"] < DISTURBED_CORES or patience.left_s <= 0:
            break
    return min(tries, key=lambda row: float(row["others_cores"]))
