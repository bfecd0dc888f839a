#!/usr/bin/env python3
"""Stands in for the Python that has vLLM (`engine_python` in the settings): a job with it runs no model.

`-c CODE` answers whoever asks whether vLLM is there; `-m vllm... --uds SOCKET --served-model-name NAME` runs
the fake engine. A file `fail.txt` in the model's folder is printed instead, and the engine ends; with
`slow.txt` it takes a minute to get ready.
"""

import itertools
import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Looks what is asked for."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["-c"]:
        if "json" in arguments[1]:
            print(json.dumps({"importable": True, "versions": {"vllm": "0.0"}}))
        return
    given = dict(itertools.pairwise(arguments))
    model = Path(given["--model"])
    if (model / "fail.txt").exists():
        print((model / "fail.txt").read_text(), flush=True)
        sys.exit(1)
    if (model / "slow.txt").exists():
        time.sleep(60)
    program = str(Path(__file__).with_name("fake_engine.py"))
    engine = [program, "--socket", given["--uds"], "--model", given["--served-model-name"]]
    os.execv(sys.executable, [sys.executable, *engine])


if __name__ == "__main__":
    main()
