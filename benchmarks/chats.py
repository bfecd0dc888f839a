"""How long it takes to list and to search 2,000 saved chats, and what kill -9 costs; see README.md.

PYTHONPATH=src python benchmarks/chats.py [--chats 2000] [--folder DIR]

Each figure is one call in a process of its own, as after a restart. `cold`: the files' contents were dropped
from the kernel's memory before (posix_fadvise, POSIX_FADV_DONTNEED), so that they come from the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from platform import python_version

from machine import describe_machine, describe_run, list_versions

from curc_llm.chats import ChatStore
from curc_llm.chats.index import NAME
from curc_llm.chats.lines import Line, join
from curc_llm.chats.message import make_id
from curc_llm.chats.writer import make_head

RESULTS = Path(__file__).parent / "results" / "chats.md"
DOCS = Path(__file__).parents[1] / "docs"
MESSAGES = 20
SEED = 20261121
RARE = "bergsturz"
OTHER_TONGUES = (
    "Größe der Stichprobe übermäßig",
    "Ποια είναι η κατανομή;",
    "мощность критерия",
    "登录节点是什么",
)
CODE = (
    "```python\nimport numpy as np\n\nx = np.random.default_rng({0}).weibull({0}, 1000)\nprint(x.mean())\n```"
)
TABLE = "| n | power |\n|---|---|\n| {0} | 0.8 |\n| {0}0 | 0.9 |"
FORMULA = "$$\\hat\\theta = \\frac{{1}}{{n}} \\sum_{{i=1}}^{{{0}}} x_i \\quad \\underline{{x}}$$"
# What is asked: a name for the table, and the call.
CALLS = {
    "list": "store.list()",
    "search: one chat has it": f"store.search('{RARE}')",
    "search: nothing has it": "store.search('zzyzx')",
    "search: all have it": "store.search('the')",
    "search: a name of the format": "store.search('prompt_tokens')",
    "search: three words": "store.search('partition memory weibull')",
    "search: a phrase": "store.search('\"login node\"')",
    "search: other letters": "store.search('ΚΑΤΑΝΟΜΉ')",
}
CHILD = """
import json, sys, time
from pathlib import Path
from curc_llm.chats import ChatStore
import curc_llm.chats.search
store = ChatStore(Path(sys.argv[1]))
wall, cpu = time.perf_counter(), time.process_time()
found = {call}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps([wall, cpu, len(found) if hasattr(found, "__len__") else found.num_chats]))
"""

# Takes pieces as they come from a model at 100 tokens/s, and says of each when it came.
WRITER = """
import os, sys, time
from pathlib import Path
from curc_llm.chats import ChatStore
writer = ChatStore(Path(sys.argv[1])).create()
writer.append_question("Count")
answer = writer.begin_answer()
os.write(1, writer.chat.chat_id.encode() + b"\\n")
while True:
    now = f"{time.time():.6f}\\n"
    answer.add(now)
    os.write(1, now.encode())
    time.sleep(0.01)
"""
KILLS = 30
TOKENS, USERS = 50_000, 100


def make_chats(folder: Path, num: int) -> None:
    """Chats as people have them: sentences of the documentation, code, tables, formulas, other languages."""
    chance = random.Random(SEED)
    text = " ".join(path.read_text() for path in sorted(DOCS.glob("*.md")))
    sentences = [one for one in re.split(r"(?<=[.:])\s+", text) if 20 < len(one) < 400]
    folder.mkdir(mode=0o700, parents=True)
    begin = time.time() - num * 7200
    for number in range(num):
        chat_id = f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(begin + number * 7200))}-{number:012x}"
        data = join(make_lines(chat_id, begin + number * 7200, number, sentences, chance))
        descriptor = os.open(folder / f"{chat_id}.jsonl", os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, data)
        os.close(descriptor)
    os.sync()


def make_lines(
    chat_id: str, at: float, number: int, sentences: Sequence[str], chance: random.Random
) -> list[Line]:
    """One chat."""
    questions = [" ".join(chance.choices(sentences, k=chance.randint(1, 3))) for _ in range(MESSAGES // 2)]
    lines: list[Line] = [make_head(chat_id, questions[0], at)]
    if number % 9 == 0:
        lines.append({"set": {"title": f"Renamed {number}", "pinned": number % 90 == 0 or None}, "at": at})
    parent = None
    for turn, question in enumerate(questions):
        asked = {"id": make_id(), "parent": parent, "role": "user", "at": at + 60 * turn, "content": question}
        text = make_answer(number + turn, sentences, chance)
        if number == 1234 and turn == 5:
            text += f" {RARE.capitalize()}."
        figures = {
            "model": "llama-3.1-8b-instruct",
            "finish_reason": "stop",
            "prompt_tokens": 100 * turn + 40,
        }
        figures |= {"completion_tokens": len(text) // 4, "tokens_per_s": 71.3, "first_token_s": 0.08}
        answer = {
            "id": make_id(),
            "parent": asked["id"],
            "role": "assistant",
            "at": at + 60 * turn,
            **figures,
        }
        lines += [asked, {**answer, "status": "done", "reasoning": "", "content": text}]
        parent = answer["id"]
    return lines


def make_answer(number: int, sentences: Sequence[str], chance: random.Random) -> str:
    """About 300 tokens on average, 1,500 at most."""
    pieces = chance.choices(sentences, k=min(40, int(chance.expovariate(1 / 8)) + 2))
    if number % 3 == 0:
        pieces.insert(1, f"\n\n{CODE.format(number)}\n\n")
    if number % 7 == 0:
        pieces.insert(1, f"\n\n{TABLE.format(number)}\n\n")
    if number % 5 == 0:
        pieces.insert(1, f"\n\n{FORMULA.format(number)}\n\n")
    if number % 11 == 0:
        pieces.append(OTHER_TONGUES[number % len(OTHER_TONGUES)])
    return " ".join(pieces)


def drop_from_memory(folder: Path) -> None:
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def run_once(folder: Path, call: str) -> list[float]:
    command = [sys.executable, "-c", CHILD.replace("{call}", call), str(folder)]
    return list(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def measure(folder: Path, name: str, call: str, repeats: int, *, is_cold: bool, with_index: bool) -> str:
    """One row: wall and CPU time of several runs."""
    runs = []
    for _ in range(repeats):
        if not with_index:
            (folder / NAME).unlink(missing_ok=True)
        if is_cold:
            drop_from_memory(folder)
        runs.append(run_once(folder, call))
    wall = [1000 * run[0] for run in runs]
    cpu = statistics.median(1000 * run[1] for run in runs)
    row = [
        name,
        f"{runs[0][2]:,.0f}",
        f"{statistics.median(wall):.0f}",
        f"{min(wall):.0f} to {max(wall):.0f}",
    ]
    return f"| {' | '.join([*row, f'{cpu:.0f}'])} |"


def kill_once(folder: Path, after_s: float) -> float:
    """Milliseconds between the last piece that came and the last that a reader finds after kill -9."""
    command = [sys.executable, "-c", WRITER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        chat_id = writer.stdout.readline().strip()
        time.sleep(after_s)
        writer.kill()
        came = writer.stdout.read().split()
    kept = ChatStore(folder).open(chat_id).path[-1].content.split()
    assert kept == came[: len(kept)]
    return 1000 * (float(came[-1]) - float(kept[-1]))


def measure_writing(folder: Path) -> float:
    """Microseconds of CPU, of all threads, for each piece of 100 answers at once at 100 pieces/s each."""
    writers = [ChatStore(folder).create() for _ in range(USERS)]
    for writer in writers:
        writer.append_question("Count")
    answers = [writer.begin_answer() for writer in writers]
    cpu, began = time.process_time(), time.perf_counter()
    for number in range(TOKENS // USERS):
        for answer in answers:
            answer.add("token ")
        time.sleep(max(0.0, 0.01 * (number + 1) - (time.perf_counter() - began)))
    cpu = time.process_time() - cpu
    for answer in answers:
        answer.end()
    return 1e6 * cpu / TOKENS


def describe_writing(folder: Path) -> list[str]:
    chance = random.Random(SEED)
    lost = [kill_once(folder, 0.5 + chance.random()) for _ in range(KILLS)]
    missed = f"a reader misses the last {statistics.median(lost):.0f} ms (median), {max(lost):.0f} ms at most"
    cpu_us = measure_writing(folder)
    return [
        "",
        "## While an answer comes",
        "",
        f"- `kill -9` of the writing process, {KILLS} times, at 100 tokens/s: {missed}. Target: 100 ms.",
        f"- {USERS} answers at once at 100 tokens/s each: {cpu_us:.1f} µs of CPU a token, all threads.",
    ]


def measure_all(folder: Path, repeats: int) -> list[str]:
    rows = []
    for is_cold in (True, False):
        said = "cold" if is_cold else "warm"
        for with_index in (False, True):
            ChatStore(folder).list()
            name = f"list, {said}, {'with' if with_index else 'without'} index"
            more = {"is_cold": is_cold, "with_index": with_index}
            rows.append(measure(folder, name, CALLS["list"], repeats, **more))
        for name, call in list(CALLS.items())[1:]:
            rows.append(measure(folder, f"{name}, {said}", call, repeats, is_cold=is_cold, with_index=True))
    return rows


def describe(folder: Path, num: int, repeats: int) -> list[str]:
    run, machine, versions = describe_run(), describe_machine(), list_versions()
    sizes = [path.stat().st_size for path in folder.glob("*.jsonl")]
    index = (folder / NAME).stat().st_size / 2**20 if (folder / NAME).exists() else 0.0
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True
    ).stdout
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, kernel {machine['kernel']}"
    what = f"{num:,} chats of {MESSAGES} messages, {sum(sizes) / 2**20:,.0f} MiB in all"
    return [
        "# Saved chats",
        "",
        f"{run['date']}, `{run['command']}`; {where}, file system {kind.strip()}; Python {python_version()},",
        f"commit {versions['commit']}; load average of others before: {run['load_average_before']}.",
        "",
        f"{what}, the longest with {max(sizes) / 1024:,.0f} KiB; the index has {index:.1f} MiB.",
        f"{repeats} runs of each, each in a process of its own; milliseconds of the call alone. `cold`:",
        "the files' contents come from the disk. Targets: list under 300 ms, search under 1,000 ms.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--chats", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where the chats are made, such as a folder on NFS")
    parser.add_argument("--dry", action="store_true", help="print the results only")
    asked = parser.parse_args()
    parent = Path(tempfile.mkdtemp(prefix="curc-llm-chats-", dir=asked.folder))
    try:
        make_chats(parent / "chats", asked.chats)
        rows = measure_all(parent / "chats", asked.repeats)
        head = ["", "| call | chats found | median, ms | from to, ms | CPU, ms |", "|---" * 5 + "|"]
        told = describe(parent / "chats", asked.chats, asked.repeats)
        text = "\n".join([*told, *head, *rows, *describe_writing(parent / "killed")]) + "\n"
    finally:
        shutil.rmtree(parent)
    if not asked.dry:
        RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
