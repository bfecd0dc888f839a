"""What a hundred people who chat see, and what that costs; see README.md.

PYTHONPATH=src python benchmarks/chat.py --quick
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from chat_report import write_results
from chat_runs import ChatScenario, measure_api, measure_chat, try_quietly
from chat_servers import Chat, run_naive_chat, run_our_chat
from chat_text import make_answer
from machine import describe_machine, describe_run, list_versions
from method import rotate
from native import build, run_upstream
from our_gateway import SOURCE, make_session
from processes import end_on_terminate
from quiet import Patience

HERE = Path(__file__).parent
PATIENCE_S = 600.0
RATE = 100
TOKENS = 500
# Long enough that the API streams begin and end while everybody reads.
LONG_TOKENS = 1200
ONE = ChatScenario(1, TOKENS, RATE, "1 user")
CROWD = ChatScenario(100, TOKENS, RATE, "100 users", stagger_s=TOKENS / RATE, rounds=3)
BURST = ChatScenario(100, TOKENS, RATE, "100 users within 0.5 s")
SCENARIOS = (ONE, BURST, CROWD)
PARTS = ("chat", "api", "browser")
Row = dict[str, Any]


def compare_chats(folder: Path, repeats: int, patience: Patience, source: Path) -> list[Row]:
    """Our chat and the naive one by turns; each with one person and with a hundred."""
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        session = make_session(folder, "m")
        engine = stack.enter_context(run_upstream(folder, make_answer(TOKENS), RATE))
        ours = stack.enter_context(run_our_chat(session, engine.socket, source))
        naive = stack.enter_context(run_naive_chat(session, ours.gateway_port, ours.gateway_pid))
        for chat in (ours, naive):  # once each, not counted: first calls are slower
            measure_chat(chat, ONE)
        for repeat in range(repeats):
            for scenario in SCENARIOS:
                # The naive one falls behind so far that it would take minutes.
                for chat in rotate([ours, naive], repeat) if scenario is not CROWD else [ours]:
                    row = try_quietly(patience, lambda c=chat, s=scenario: measure_chat(c, s))
                    rows.append({"repeat": repeat, **row})
    return rows


def compare_api(folder: Path, repeats: int, patience: Patience, source: Path) -> list[Row]:
    """API streams alone and while a hundred people chat, by turns."""
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        session, program = make_session(folder, "m"), build("load", folder)
        engine = stack.enter_context(run_upstream(folder, make_answer(LONG_TOKENS), RATE))
        chat: Chat = stack.enter_context(run_our_chat(session, engine.socket, source))
        chatting = replace(BURST, tokens=LONG_TOKENS)
        measure_chat(chat, replace(ONE, tokens=LONG_TOKENS))
        for repeat in range(repeats):
            for scenario in rotate([None, chatting], repeat):
                row = try_quietly(patience, lambda s=scenario: measure_api(program, chat, s))
                rows.append({"repeat": repeat, **row})
    return rows


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one repeat, and no waiting for quiet")
    parser.add_argument("--repeats", type=int, help="of each part (5; 1 with --quick)")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be given again")
    parser.add_argument("--source", type=Path, default=SOURCE, help="another checkout's src")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for the results")
    options = parser.parse_args(arguments)
    options.repeats = options.repeats or (1 if options.quick else 5)
    return options


def measure(options: argparse.Namespace) -> dict[str, list[Row]]:
    """The rows of each part that was asked for."""
    patience = Patience(0 if options.quick else PATIENCE_S)
    rows: dict[str, list[Row]] = {}
    for part in options.part or PARTS:
        with tempfile.TemporaryDirectory(prefix="curc-bench-", ignore_cleanup_errors=True) as name:
            rows[part] = run_part(part, Path(name), options, patience)
    return rows


def run_part(part: str, folder: Path, options: argparse.Namespace, patience: Patience) -> list[Row]:
    """One part in a folder of its own."""
    if part == "chat":
        return compare_chats(folder, options.repeats, patience, options.source)
    if part == "api":
        return compare_api(folder, options.repeats, patience, options.source)
    from chat_browser import compare_first_tokens  # it needs Chromium

    return compare_first_tokens(folder, options.repeats, patience)


def main() -> None:
    """Measures, then writes the results."""
    end_on_terminate()
    options = parse_options(sys.argv[1:])
    about = {"run": describe_run(), "machine": describe_machine(), "versions": list_versions()}
    rows = measure(options)
    about["run"]["load_average_after"] = round(os.getloadavg()[0], 2)
    print(write_results(options.results, {**about, "repeats": options.repeats, "rows": rows}))


if __name__ == "__main__":
    main()
