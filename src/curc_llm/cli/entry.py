"""Where `curc-llm` begins: Ctrl-C while Python is still importing ends it without a traceback, too."""

from __future__ import annotations

import sys

INTERRUPTED = 130  # what shells report for a program that Ctrl-C ended (128 + SIGINT)


def main() -> None:
    """Runs the command line, imported here, for that takes a tenth of a second."""
    try:
        from curc_llm.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
