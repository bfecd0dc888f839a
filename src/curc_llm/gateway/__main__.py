"""`python -m curc_llm.gateway --channel-fd N`: started by the supervisor, never by hand."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import socket
import sys

import uvloop

from curc_llm.gateway.server import run_gateway


def main() -> int:
    """Runs the gateway on an inherited end of the control channel."""
    parser = argparse.ArgumentParser(prog="curc_llm.gateway", description=__doc__)
    parser.add_argument(
        "--channel-fd", type=int, required=True, help="file descriptor of the control channel"
    )
    arguments = parser.parse_args()
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    # One line for each stranger who doesn't speak HTTP would fill the disk.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    with contextlib.suppress(ImportError):
        from setproctitle import setproctitle

        setproctitle("curc-llm gateway")
    end = socket.socket(fileno=arguments.channel_fd)
    end.set_inheritable(False)
    return uvloop.run(run_gateway(end))


if __name__ == "__main__":
    sys.exit(main())
