"""The supervisor's first moments: the gateway is started before anything slow is imported.

Run by the guard as `python -m curc_llm.job.run SPEC RUNTIME_DIR LIVENESS_FD`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curc_llm.session.paths import SessionPaths

# What no part of a session but the download needs, and what its environment must therefore not hold.
SECRET_ENDINGS = ("_TOKEN", "_API_KEY", "_SECRET", "_PASSWORD")


@dataclass
class GatewayProcess:
    """A started gateway and the supervisor's end of its control channel."""

    process: subprocess.Popen[bytes]
    channel: socket.socket


def make_plain_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without anything that looks like a secret."""
    return {k: v for k, v in environ.items() if not k.upper().endswith(SECRET_ENDINGS)}


def start_gateway(paths: SessionPaths) -> GatewayProcess:
    """Starts the gateway; it waits for its configuration on the channel."""
    ours, theirs = socket.socketpair()
    log = os.open(paths.log("gateway"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "curc_llm.gateway", "--channel-fd", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(theirs.fileno(),),
            env=make_plain_environment(os.environ),
            start_new_session=True,
        )
    finally:
        os.close(log)
        theirs.close()
    return GatewayProcess(process, ours)


def main() -> int:
    """Starts the gateway, then the supervisor."""
    spec_path, runtime_dir, liveness_fd = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(liveness_fd, False)
    gateway = start_gateway(SessionPaths(spec_path.parent))
    from curc_llm.job.supervisor import run_supervisor

    guard_pid = os.getppid()
    status = run_supervisor(spec_path, runtime_dir, liveness_fd, gateway)
    if os.getppid() != guard_pid:
        # The guard was killed, so what it would do is left to us.
        SessionPaths(spec_path.parent).remove_secrets()
        shutil.rmtree(runtime_dir, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
