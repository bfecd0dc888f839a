"""`python -P -m curc_llm.job.sweep RUN_ID`: ends what is left of an engine on this node, under srun on each.

Every process of an engine over several nodes carries its run's name in its environment (RUN_VARIABLE), which
children inherit: so it is found whatever has become of its parent. So does its folder for sockets (RUN_FILE).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from curc_llm.engine.tree import ProcessFacts, read_process
from curc_llm.session.paths import RUNTIME_PREFIX, list_runtime_parents

# By this variable the processes of an engine are found on any node.
RUN_VARIABLE = "CURC_ENGINE_RUN"
# By this file in it the engine's folder for sockets is found on any node but the first.
RUN_FILE = "run"
SWEPT = "swept"
PATIENCE_S = 10.0
LOOK_S = 0.1


def find_marked(run_id: str) -> list[ProcessFacts]:
    """The processes of this node that carry the run's name; of other users' none can be read."""
    mark = f"{RUN_VARIABLE}={run_id}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            is_marked = mark in (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if is_marked and (facts := read_process(int(entry.name))) is not None:
            found.append(facts)
    return found


def sweep(run_id: str, patience_s: float = PATIENCE_S) -> list[ProcessFacts]:
    """Kills them all; returns those that would not go."""
    deadline = time.monotonic() + patience_s
    while left := find_marked(run_id):
        if time.monotonic() > deadline:
            return left
        for facts in left:
            try:
                os.kill(facts.pid, signal.SIGKILL)
            except OSError:
                continue  # it ended meanwhile
        time.sleep(LOOK_S)
    return []


def mark_folder(folder: Path, run_id: str) -> None:
    """Makes a folder one that `remove_folders` finds."""
    (folder / RUN_FILE).write_text(run_id)


def remove_folders(run_id: str) -> None:
    """Removes the run's folders for sockets, which a rank that was killed couldn't."""
    for parent in list_runtime_parents():
        for folder in parent.glob(f"{RUNTIME_PREFIX}*"):
            if _is_ours(folder, run_id):
                shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path, run_id: str) -> bool:
    try:  # not through a link: others can write into /tmp, too
        return folder.lstat().st_uid == os.getuid() and (folder / RUN_FILE).read_text() == run_id
    except OSError:
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Sweeps this node, and says what it could not end."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m curc_llm.job.sweep RUN_ID\n")
        return 2
    for facts in sweep(arguments[0]):
        node = socket.gethostname()
        sys.stdout.write(f"Process {facts.pid} ({facts.name}) on {node} could not be ended.\n")
    remove_folders(arguments[0])
    sys.stdout.write(f"{SWEPT}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
