"""Whether the page stays smooth while an answer of 20,000 tokens comes, in Chromium; see README.md.

PYTHONPATH=src python benchmarks/chat_frames.py [--tokens 20000] [--rate 100 --rate 500] [--runs 3]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from chat_browser import open_page, run_chromium
from chat_servers import Chat, run_our_chat
from chat_text import make_answer
from machine import describe_machine, describe_run, list_versions
from native import run_upstream
from our_gateway import SOURCE, make_session
from playwright.sync_api import Browser, Page
from processes import end_on_terminate
from quiet import Bystanders, Patience
from report import render_about
from table import render_rows

HERE = Path(__file__).parent
PATIENCE_S = 300.0
LIMIT_MS = 100
LOOK_MS = 2000
Row = dict[str, Any]

# `gaps` are between two calls of requestAnimationFrame, [when, ms]. `long` are Chromium's own long animation
# frames (over 50 ms): how long, how much of it was style and layout, and whose scripts ran.
RECORD = """() => {
    const record = (window.curcFrames = { gaps: [], long: [] });
    let last = performance.now();
    const tick = (now) => {
        record.gaps.push([Math.round(now), Math.round(10 * (now - last)) / 10]);
        last = now;
        requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    const scripts = (entry) => entry.scripts.map((s) => [
        s.invoker,
        `${s.sourceFunctionName} ${s.sourceURL.split("/").pop()}:${s.sourceCharPosition}`,
        Math.round(s.duration), Math.round(s.forcedStyleAndLayoutDuration)]);
    new PerformanceObserver((list) => {
        for (const e of list.getEntries()) {
            const end = e.startTime + e.duration;
            record.long.push({
                at: Math.round(e.startTime), ms: Math.round(e.duration),
                style_ms: e.styleAndLayoutStart ? Math.round(end - e.styleAndLayoutStart) : 0,
                scripts: scripts(e),
            });
        }
    }).observe({ type: "long-animation-frame" });
}"""
IS_ANSWERING = "!!document.querySelector('#curc-message .stop-button')"
NUM_NODES = "document.querySelectorAll('#curc-chat *').length"


def watch_answer(page: Page, limit_s: float) -> dict[str, Any]:
    """Asks, and records all frames until the answer is whole."""
    page.get_by_label("Your message").fill("Tell me all about it")
    page.evaluate(RECORD)
    began = time.monotonic()
    page.get_by_label("Your message").press("Enter")
    # On a busy machine the answer may begin later than the first look.
    page.locator("#curc-message .stop-button").wait_for()
    while page.evaluate(IS_ANSWERING):
        if time.monotonic() - began > limit_s:
            raise RuntimeError("The answer didn't end in time.")
        page.wait_for_timeout(LOOK_MS)
    return {**page.evaluate("window.curcFrames"), "nodes": page.evaluate(NUM_NODES)}


def measure(browser: Browser, chat: Chat, tokens: int, rate: int) -> Row:
    """One long answer in a window of its own."""
    others = Bystanders()
    page = open_page(browser, chat.port, chat.session.paths.login_secret)
    found = watch_answer(page, limit_s=4 * tokens / rate + 60)
    page.context.close()
    gaps = sorted(gap for _, gap in found["gaps"][1:])
    worst = sorted(found["long"], key=lambda frame: -frame["ms"])[:5]
    return {
        "server": "Chromium",
        "scenario": f"{tokens}x{rate}",
        "frames": len(gaps),
        "gap_p50_ms": median(gaps),
        "gap_p99_ms": gaps[int(0.99 * (len(gaps) - 1))],
        "gap_max_ms": gaps[-1],
        "gaps_over": sum(gap > LIMIT_MS for gap in gaps),
        "long_max_ms": max((frame["ms"] for frame in found["long"]), default=0),
        "long_over": sum(frame["ms"] > LIMIT_MS for frame in found["long"]),
        "nodes": found["nodes"],
        "worst": worst,
        "others_cores": round(others.cores(), 2),
    }


def run(options: argparse.Namespace, folder: Path) -> list[Row]:
    """All runs; each rate has an engine and a chat of its own."""
    rows: list[Row] = []
    patience = Patience(options.patience_s)
    for rate in options.rate or [100, 500]:
        place = folder / str(rate)
        place.mkdir()
        with contextlib.ExitStack() as stack:
            session = make_session(place, "m")
            engine = stack.enter_context(run_upstream(place, make_answer(options.tokens), rate))
            chat = stack.enter_context(run_our_chat(session, engine.socket, options.source))
            browser = stack.enter_context(run_chromium())
            for repeat in range(options.runs):
                patience.wait()
                rows.append({"repeat": repeat, **measure(browser, chat, options.tokens, rate)})
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def render(results: dict[str, Any]) -> str:
    """The Markdown."""
    rows = results["rows"]
    head = ["tokens x tokens/s", "run", "frames", "gap p50, ms", "gap p99", "longest gap", "gaps > 100 ms"]
    head += ["longest long frame", "long frames > 100 ms", "elements", "others, cores"]
    keys = ["frames", "gap_p50_ms", "gap_p99_ms", "gap_max_ms", "gaps_over", "long_max_ms", "long_over"]
    keys += ["nodes", "others_cores"]
    body = [[row["scenario"], str(row["repeat"]), *(f"{row[key]:g}" for key in keys)] for row in rows]
    parts = ["# An answer of 20,000 tokens in Chromium", render_about(results, rows)]
    return "\n\n".join([*parts, render_rows(head, body), NOTE]) + "\n"


NOTE = """Markdown with lists, tables, code and formulas, from the fake engine through gateway and chat, read
to its end. *Gap*: between two calls of `requestAnimationFrame`. *Long frame*: what Chromium itself reports as
a long animation frame, from its first task to its paint. Target: none over 100 ms."""


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--rate", type=int, action="append", help="tokens/s; may be repeated (100, 500)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--patience-s", type=float, default=PATIENCE_S)
    parser.add_argument("--source", type=Path, default=SOURCE, help="another checkout's src")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for the results")
    return parser.parse_args(arguments)


def main() -> None:
    """Measures, then writes the results."""
    end_on_terminate()
    options = parse_options(sys.argv[1:])
    about = {"run": describe_run(), "machine": describe_machine(), "versions": list_versions()}
    with tempfile.TemporaryDirectory(prefix="curc-bench-", ignore_cleanup_errors=True) as folder:
        rows = run(options, Path(folder))
    about["run"]["load_average_after"] = round(os.getloadavg()[0], 2)
    results = {**about, "repeats": options.runs, "rows": rows}
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "chat_frames.json").write_text(json.dumps(results, indent=1) + "\n")
    (options.results / "chat_frames.md").write_text(text := render(results))
    print(text)


if __name__ == "__main__":
    main()
