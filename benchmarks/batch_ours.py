"""A batch of ours as a process of its own, as `session.map` runs it; prints how long it took.

Called by batch.py: python batch_ours.py BASE_URL MODEL KEY_FILE ROWS_FILE OUT_FILE CONCURRENCY TOKENS
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from curc_llm.batch.recipe import PromptRows, Recipe
from curc_llm.batch.row import CHAT
from curc_llm.batch.run import Run, RunOptions
from curc_llm.client.secret import Secret
from curc_llm.client.source import RemoteSource


def main() -> None:
    base_url, model, key_file, rows_file, out_file, concurrency, tokens = sys.argv[1:]
    prompts = [json.loads(line)["prompt"] for line in Path(rows_file).read_text().splitlines()]
    source = RemoteSource(base_url + "/v1", Secret(Path(key_file).read_text().strip()))
    began_s, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    recipe = Recipe(CHAT, model, params={"temperature": 0, "max_tokens": int(tokens), "ignore_eos": True})
    options = RunOptions(int(concurrency), restart=True)
    run = Run(source, PromptRows(recipe, lambda: prompts), Path(out_file), options)
    run.start().wait()
    elapsed_s, after = time.monotonic() - began_s, resource.getrusage(resource.RUSAGE_SELF)
    progress = run.progress
    run.close()
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    found = {"done": progress.done, "elapsed_s": elapsed_s, "cpu_s": cpu_s}
    print(json.dumps({**found, "tokens_written": progress.completion_tokens}))


if __name__ == "__main__":
    main()
