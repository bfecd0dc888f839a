"""`python -P -m curc_llm.job.pulse`: says every few seconds that this node lives; srun runs it on each node.

A node whose network is cut closes no connection: those who wait for it wait for ever. So silence tells.
"""

from __future__ import annotations

import sys
import time

EVERY_S = 3.0
WORD = "alive"


def main() -> int:
    """Says so until nobody listens any more."""
    while True:
        try:
            sys.stdout.write(f"{WORD}\n")
            sys.stdout.flush()
        except OSError:
            return 0
        time.sleep(EVERY_S)


if __name__ == "__main__":
    sys.exit(main())
