"""`python -m curc_llm.job SPEC`: runs a session to its end. This process is the guard; its pid is the job's.

Only light modules are imported before the supervisor starts: the gateway should answer within a second.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from curc_llm.errors import CurcLlmError
from curc_llm.job.guard import Guard
from curc_llm.session.paths import SessionPaths, make_runtime_dir

EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the session; returns 0 when it ended as asked, 1 when it failed."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m curc_llm.job SPEC\n")
        return EXIT_USAGE
    os.umask(0o077)
    spec_path = Path(arguments[0]).absolute()
    try:
        SessionPaths(spec_path.parent).make()
        runtime_dir = make_runtime_dir()
    except CurcLlmError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    try:
        return _run(spec_path, runtime_dir)
    finally:
        shutil.rmtree(runtime_dir, ignore_errors=True)


def _run(spec_path: Path, runtime_dir: Path) -> int:
    """Runs the supervisor under the guard, then leaves no secret and no open end."""
    read_end, write_end = os.pipe()
    os.set_inheritable(read_end, True)
    command = [sys.executable, "-m", "curc_llm.job.run", str(spec_path), str(runtime_dir), str(read_end)]
    status = Guard(command, liveness_fd=None, pass_fds=(read_end,)).run()
    os.close(write_end)
    from curc_llm.job.aftermath import clear_up

    clear_up(SessionPaths(spec_path.parent), status)
    return status if status in {0, EXIT_USAGE} else 1


if __name__ == "__main__":
    sys.exit(main())
