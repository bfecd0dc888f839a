"""The results of `chat.py` as JSON and as Markdown."""

from __future__ import annotations

import contextlib
import functools
import json
from pathlib import Path
from typing import Any

from chat_browser import CHROMIUM, ENGINE
from chat_browser import SCENARIO as FIRST_TOKEN
from chat_runs import ALONE, CHATTING
from chat_servers import NAIVE, OURS
from method import Summary, interval, pair, ratio
from report import render_about
from table import Figure, Table, delay_ms, events_per_s, first_ms, render, render_rows
from targets import Target, render_targets

CROWD, BURST = "100 users", "100 users within 0.5 s"
NAMES = {"chat": "Chatting", "api": "API streams meanwhile", "browser": "First token on the screen"}
Measured = list[tuple[Target, Summary | None]]


def write_results(folder: Path, results: dict[str, Any]) -> str:
    """Writes chat.json and chat.md; returns the Markdown. Parts that weren't measured this time stay."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        earlier = json.loads((folder / "chat.json").read_text())
        results = {**results, "rows": {**earlier["rows"], **results["rows"]}}
        results["earlier"] = [*earlier.get("earlier", []), earlier["run"]]
    text = render_results(results)
    (folder / "chat.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "chat.md").write_text(text)
    return text


def render_results(results: dict[str, Any]) -> str:
    """The Markdown."""
    parts = {name: PARTS[name](results["rows"][name]) for name in PARTS if results["rows"].get(name)}
    targets = [target for measured, _ in parts.values() for target in measured]
    every = [row for rows in results["rows"].values() for row in rows]
    text = ["# A hundred people at the chat", render_about(results, every)]
    if earlier := results.get("earlier"):
        text.append(f"Measured in parts, the last of them at the time above, the first {earlier[0]['date']}.")
    text += ["## Targets", render_targets(targets)]
    for name, (_, body) in parts.items():
        text += [f"## {NAMES[name]}", *body]
    return "\n\n".join(text) + "\n"


def render_chats(rows: list[dict[str, Any]]) -> tuple[Measured, list[str]]:
    """People at our chat and at the naive one."""
    table = Table(rows, NAIVE)
    plain = functools.partial(table.plain, CROWD, OURS)
    targets: Measured = [
        (Target("100 users: first token, p50", 100, False, " ms"), plain(first_ms("p50"))),
        (Target("the same, all within 0.5 s", 100, False, " ms"), table.plain(BURST, OURS, first_ms("p50"))),
        (
            Target("100 users: whole answer, of ideal", 1.05, False),
            plain(share("whole_of_ideal", "p50")),
        ),
        (Target("100 users: CPU of the chat a token", 0.1, False, " ms"), plain(cpu("chat"))),
    ]
    head = ["each at 100 tokens/s", "chat", "first token p50 / p99, ms", "whole answer, of ideal p50 / p99"]
    head += ["next message can be sent, of ideal p50", "CPU a token: chat, ms", "gateway, ms"]
    head += ["idle pages: chat, cores", "bytes a token", "failed"]
    body = [
        _chat_row(table, scenario, server)
        for scenario in table.scenarios
        for server in table.servers
        if table.values(scenario, server, cpu("chat"))
    ]
    return targets, [render_rows(head, body), CHAT_NOTE]


CHAT_NOTE = """Each user has a page of their own open, with its timer and its heartbeat. *100 users* begin
spread over the time of one answer and ask again as soon as they are answered, twice; counted are the answers
after the first, so that 100 are being written all the time. *Within 0.5 s* all begin at once, and ask once.
*Ideal* is an answer whose first token comes at once. CPU counts from the first message to the last answer's
end, and holds what the open pages cost anyhow; *idle pages* is that alone."""


def _chat_row(table: Table, scenario: str, server: str) -> list[str]:
    def cell(figure: Figure, digits: int = 2) -> str:
        return render(table.plain(scenario, server, figure), digits)

    failed = sum(r["failed"] for r in table.rows if (r["scenario"], r["server"]) == (scenario, server))
    return [
        scenario,
        server,
        f"{cell(first_ms('p50'), 0)} / {cell(first_ms('p99'), 0)}",
        f"{cell(share('whole_of_ideal', 'p50'))} / {cell(share('whole_of_ideal', 'p99'))}",
        cell(share("ended_of_ideal", "p50")),
        cell(cpu("chat"), 3),
        cell(cpu("gateway"), 3),
        cell(lambda row: float(row["idle_cores"]["chat"]), 3),
        cell(lambda row: float(row["wire_bytes_per_token"]), 0),
        str(failed),
    ]


def render_api(rows: list[dict[str, Any]]) -> tuple[Measured, list[str]]:
    """API streams alone and beside people who chat."""
    table = Table(rows, ALONE)
    scenario = table.scenarios[0]
    targets: Measured = [
        (
            Target("API streams while 100 users chat: tokens/s of alone", 0.9, True),
            table.ratio(scenario, CHATTING, events_per_s),
        )
    ]
    head = ["20 streams of 100/s", "tokens/s", "first byte p50 / p99, ms", "token under way p50 / p99, ms"]
    body = [_api_row(table, scenario, server) for server in (ALONE, CHATTING)]
    return targets, [render_rows(head, body), _render_interval(table, scenario)]


def _api_row(table: Table, scenario: str, server: str) -> list[str]:
    def cell(figure: Figure, digits: int = 2) -> str:
        return render(table.plain(scenario, server, figure), digits)

    return [
        server,
        cell(events_per_s, 0),
        f"{cell(first_ms('p50'))} / {cell(first_ms('p99'))}",
        f"{cell(delay_ms('p50'))} / {cell(delay_ms('p99'))}",
    ]


def _render_interval(table: Table, scenario: str) -> str:
    values = [table.values(scenario, server, events_per_s) for server in (CHATTING, ALONE)]
    found = interval(pair(values[0], values[1], ratio))
    if found is None:
        return "One repeat: no interval."
    low, high = found
    return f"95 % interval of the paired ratio (Student's t, all repeats): {low:.3f} to {high:.3f}."


def render_browser(rows: list[dict[str, Any]]) -> tuple[Measured, list[str]]:
    """One person on real vLLM."""
    table = Table(rows, ENGINE)
    added = table.added(FIRST_TOKEN, CHROMIUM, milliseconds)
    targets: Measured = [
        (Target("one user, real vLLM: first token seen, over the engine's", 150, False, " ms"), added)
    ]
    body = [[way, render(table.plain(FIRST_TOKEN, way, milliseconds), 0)] for way in (ENGINE, CHROMIUM)]
    return targets, [render_rows(["", "first token, ms"], body), BROWSER_NOTE]


BROWSER_NOTE = """The bundled model; the same question. On the page the clock runs from Enter to the first
frame with a letter of the answer, in a window that was just opened; each is the median of a few questions."""
PARTS = {"chat": render_chats, "api": render_api, "browser": render_browser}


def share(name: str, rank: str) -> Figure:
    """A ratio of one run, at `p50` or `p99`."""
    return lambda row: float(row[name][rank])


def cpu(who: str) -> Figure:
    """CPU milliseconds a token, of `chat` or `gateway`."""
    return lambda row: float(row["cpu_ms_per_token"][who])


def milliseconds(row: dict[str, Any]) -> float:
    """When the first token was there."""
    return 1000 * float(row["first_s"])
